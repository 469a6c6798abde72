// Times of single ops and of the graph itself, as a training step meets them.
//
//   benchmark_ops --benchmark_filter=conv
//
// GFLOP/s counts a multiply-add as two; the overhead benchmarks report nanoseconds per node and per
// step.
#include <benchmark/benchmark.h>

#include <functional>

#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/ops/attention.h"
#include "core/ops/conv.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/norm.h"
#include "core/ops/pool.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "core/ops/view.h"
#include "core/plan/plan.h"
#include "core/transform/grad.h"

namespace mica {
namespace {

Array sample(const Shape& shape, uint64_t seed) {
  const Array x = random::normal(shape, random::key(seed));
  eval(x);
  return x;
}

/// Evaluates what `build` gives, once before timing starts.
void measure(benchmark::State& state, double flops, const std::function<Array()>& build) {
  eval(build());
  for (auto _ : state) {
    const Array result = build();
    eval(result);
  }
  if (flops > 0) {
    state.counters["GFLOP/s"] =
        benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  }
}

void matmul_mnk(benchmark::State& state) {
  const int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const Array a = sample({m, k}, 1), b = sample({k, n}, 2);
  measure(state, 2.0 * m * n * k, [&] { return matmul(a, b); });
}
BENCHMARK(matmul_mnk)
    ->Args({256, 256, 784})
    ->Args({256, 784, 256})
    ->Args({256, 32, 784})
    ->Args({128, 450, 900})
    ->Args({1024, 1024, 1024})
    ->UseRealTime();

struct ConvShapes {
  Array x, weight, cotangent;
  Conv2dOptions options;
  double flops;
  // range: channels in, channels out, height and width, kernel; batches of 128 NHWC images.
  explicit ConvShapes(const benchmark::State& state) {
    const int64_t in = state.range(0), out = state.range(1), side = state.range(2);
    const int64_t kernel = state.range(3);
    x = sample({128, side, side, in}, 1);
    weight = sample({out, kernel, kernel, in}, 2);
    cotangent = sample({128, side, side, out}, 3);
    options.padding = {kernel / 2, kernel / 2};
    flops = 2.0 * 128 * side * side * in * out * kernel * kernel;
  }
};

void conv(benchmark::State& state) {
  const ConvShapes c(state);
  measure(state, c.flops, [&] { return conv2d(c.x, c.weight, c.options); });
}
void conv_input(benchmark::State& state) {
  const ConvShapes c(state);
  measure(state, c.flops,
          [&] { return conv2d_input(c.cotangent, c.weight, c.x.shape(), c.options); });
}
void conv_weight(benchmark::State& state) {
  const ConvShapes c(state);
  measure(state, c.flops,
          [&] { return conv2d_weight(c.x, c.cotangent, c.weight.shape(), c.options); });
}
void article_layers(benchmark::internal::Benchmark* benchmark) {
  benchmark->Args({1, 20, 28, 5})->Args({20, 50, 14, 5})->Args({50, 100, 7, 5})->UseRealTime();
}
BENCHMARK(conv)->Apply(article_layers);
BENCHMARK(conv_input)->Apply(article_layers);
BENCHMARK(conv_weight)->Apply(article_layers);

void max_pool(benchmark::State& state) {
  const Array x = sample({128, 28, 28, 20}, 1);
  measure(state, 0, [&] { return max_pool2d(x, {}); });
}
BENCHMARK(max_pool)->UseRealTime();

void fused_chain(benchmark::State& state) {
  const Array x = sample({state.range(0)}, 1), y = sample({state.range(0)}, 2);
  measure(state, 0, [&] { return tanh(x * y + 1.0f) * exp(-(x * x)); });
  state.SetBytesProcessed(state.iterations() * state.range(0) * 12);
}
BENCHMARK(fused_chain)->Range(1 << 12, 1 << 22)->UseRealTime();

void sum_all(benchmark::State& state) {
  const Array x = sample({1 << 22}, 1);
  measure(state, 0, [&] { return sum(x); });
  state.SetBytesProcessed(state.iterations() * (4ll << 22));
}
BENCHMARK(sum_all)->UseRealTime();

void log_softmax_rows(benchmark::State& state) {
  const Array x = sample({128, state.range(0)}, 1);
  measure(state, 0, [&] { return log_softmax(x); });
}
BENCHMARK(log_softmax_rows)->Arg(10)->Arg(1000)->UseRealTime();

void softmax_rows(benchmark::State& state) {
  const Array x = sample({state.range(0), state.range(1)}, 1);
  measure(state, 0, [&] { return softmax(x); });
  state.SetBytesProcessed(state.iterations() * x.size() * 8);
}
BENCHMARK(softmax_rows)->Args({4096, 1024})->Args({100'000, 10})->UseRealTime();

void layer_norm_rows(benchmark::State& state) {
  const Array x = sample({8192, 1024}, 1), weight = sample({1024}, 2), bias = sample({1024}, 3);
  measure(state, 0, [&] { return layer_norm(x, weight, bias, 1e-5); });
  state.SetBytesProcessed(state.iterations() * x.size() * 8);
}
BENCHMARK(layer_norm_rows)->UseRealTime();

/// Value and gradients of a batch norm in training, as ResNet-20 has them. Range: channels, side.
void batch_norm_step(benchmark::State& state) {
  const Shape shape = {128, state.range(1), state.range(1), state.range(0)};
  const Array x = sample(shape, 1), g = sample(shape, 2);
  const Array weight = sample({state.range(0)}, 3), bias = sample({state.range(0)}, 4);
  measure(state, 0, [&] {
    return vjp([](const Arrays& in) { return Arrays{batch_norm(in[0], in[1], in[2], 1e-5).y}; },
               {x, weight, bias}, {g})
        .second[0];
  });
}
BENCHMARK(batch_norm_step)->Args({16, 32})->Args({32, 16})->Args({64, 8})->UseRealTime();

void dropout_4m(benchmark::State& state) {
  const Array x = sample({1 << 22}, 1), key = random::key(1);
  measure(state, 0, [&] { return random::dropout(x, 0.3, key); });
}
BENCHMARK(dropout_4m)->UseRealTime();

/// 32 heads of 512 queries and keys of 64 numbers; with the gradient for range 1.
void attention(benchmark::State& state) {
  const Shape shape = {4, 8, 512, 64};
  const Array q = sample(shape, 1), k = sample(shape, 2), v = sample(shape, 3),
              g = sample(shape, 4);
  const ArraysFunction f = [](const Arrays& in) {
    return Arrays{scaled_dot_product_attention(in[0], in[1], in[2])};
  };
  const bool gradient = state.range(0) != 0;
  const double products = 2.0 * 32 * 512 * 512 * 64;
  measure(state, (gradient ? 7 : 2) * products, [&] {
    if (!gradient) return f({q, k, v})[0];
    return vjp(f, {q, k, v}, {g}).second[0];
  });
}
BENCHMARK(attention)->Arg(0)->Arg(1)->UseRealTime();

void count_each(benchmark::State& state, const char* name, int64_t count) {
  state.counters[name] =
      benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate |
                                                         benchmark::Counter::kInvert);
}

/// Building, finding the plan of, and running a chain of scalar ops: the cost of a node.
void graph_overhead(benchmark::State& state) {
  const int64_t nodes = state.range(0);
  const Array x = sample({1}, 1);
  measure(state, 0, [&] {
    Array y = x;
    for (int64_t i = 0; i < nodes; ++i) y = y + x;
    return y;
  });
  count_each(state, "per node", nodes);
}
BENCHMARK(graph_overhead)->Arg(100)->Arg(10'000)->UseRealTime();

/// The same chain compiled, every node a step of its own: the cost of replaying a step.
void compiled_replay(benchmark::State& state) {
  const int64_t steps = state.range(0);
  set_fusion(false);
  const CompiledFunction chain = compile([steps](const Arrays& in) {
    Array y = in[0];
    for (int64_t i = 0; i < steps; ++i) y = y + in[0];
    return Arrays{y};
  });
  const Array x = sample({1}, 1);
  chain({x});
  for (auto _ : state) chain({x});
  set_fusion(true);
  count_each(state, "per step", steps);
}
BENCHMARK(compiled_replay)->Arg(100)->Arg(10'000)->UseRealTime();

/// A product of matrices and 500 small exponentials, on one stream or on two (the example of MLX's
/// documentation on streams, with a product as long as the exponentials).
void streams(benchmark::State& state) {
  static Stream& other = new_stream();
  Stream& light = state.range(0) == 2 ? other : default_stream();
  const Array a = sample({256, 512}, 1), b = sample({512, 4}, 2), c = sample({512, 512}, 3);
  eval(a, b, c);
  for (auto _ : state) {
    const Array x = matmul(a, c);
    const Array y = on(light, [&] {
      Array small = b;
      for (int i = 0; i < 500; ++i) small = exp(-small);
      return small;
    });
    eval(x, y);
  }
}
BENCHMARK(streams)->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
}  // namespace mica
