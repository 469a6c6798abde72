// What transforms cost: the same step written by hand, with grad, and with vmap over examples.
//
//   benchmark_ops --benchmark_filter='regression|mlp|per_example'
//
// Each is compiled; a second row of each name evaluates graph by graph.
#include <benchmark/benchmark.h>

#include <functional>

#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "core/ops/view.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"

namespace mica {
namespace {

Array sample(const Shape& shape, uint64_t seed) {
  const Array x = random::normal(shape, random::key(seed));
  eval(x);
  return x;
}

enum Way : int64_t { kByHand, kGrad, kVmap, kVmapOfSums };

void run(benchmark::State& state, const ArraysFunction& step, Arrays weights) {
  static constexpr const char* kNames[] = {"by hand", "grad", "grad of vmap",
                                           "grad of vmap, sums of products"};
  const bool compiled = state.range(1) != 0;
  state.SetLabel(std::string(kNames[state.range(0)]) + (compiled ? ", compiled" : ""));
  if (compiled) {
    const CompiledFunction replayed = compile(step);
    weights = replayed(std::move(weights));
    for (auto _ : state) weights = replayed(std::move(weights));
    return;
  }
  for (auto _ : state) {
    weights = step(weights);
    eval(weights);
  }
}

/// One step of linear regression, 1000 x 100.
void regression(benchmark::State& state) {
  const Array x = sample({1000, 100}, 1), y = sample({1000}, 2);
  const auto by_hand = [=](const Array& w) {
    return matmul(transpose(x), matmul(x, w) - y) * (1.0f / 1000);
  };
  const auto of_batch = [=](const Array& w) { return 0.5f * mean(square(matmul(x, w) - y)); };
  const auto of_one = [](const Arrays& in) {
    return Arrays{0.5f * square(matmul(in[1], in[0]) - in[2])};
  };
  const auto of_examples = [=](const Array& w) {
    return mean(vmap(of_one, {std::nullopt, 0, 0})({w, x, y})[0]);
  };
  const auto sum_of_one = [](const Arrays& in) {
    return Arrays{0.5f * square(sum(in[1] * in[0]) - in[2])};
  };
  const auto sums_of_examples = [=](const Array& w) {
    return mean(vmap(sum_of_one, {std::nullopt, 0, 0})({w, x, y})[0]);
  };
  const UnaryFunction gradients[] = {by_hand, grad(UnaryFunction(of_batch)),
                                     grad(UnaryFunction(of_examples)),
                                     grad(UnaryFunction(sums_of_examples))};
  const UnaryFunction gradient = gradients[state.range(0)];
  run(state, [=](const Arrays& w) { return Arrays{w[0] - 0.01f * gradient(w[0])}; },
      {sample({100}, 3)});
}
BENCHMARK(regression)->ArgsProduct({{kByHand, kGrad, kVmap, kVmapOfSums}, {1, 0}})->UseRealTime();

// A network 784-32-32-10; weights as (in, out).
Arrays mlp_weights() {
  return {0.05f * sample({784, 32}, 1), zeros({32}),  //
          0.2f * sample({32, 32}, 2),   zeros({32}),  //
          0.2f * sample({32, 10}, 3),   zeros({10})};
}

Array mlp_loss(const Arrays& w, const Array& x, const Array& y) {
  const Array h1 = relu(matmul(x, w[0]) + w[1]);
  const Array h2 = relu(matmul(h1, w[2]) + w[3]);
  const Array scores = log_softmax(matmul(h2, w[4]) + w[5], -1);
  return -sum(scores * y) * (1.0f / static_cast<float>(std::max<int64_t>(1, x.size() / 784)));
}

Arrays mlp_gradients_by_hand(const Arrays& w, const Array& x, const Array& y) {
  const Array z1 = matmul(x, w[0]) + w[1], h1 = relu(z1);
  const Array z2 = matmul(h1, w[2]) + w[3], h2 = relu(z2);
  const Array g3 = (softmax(matmul(h2, w[4]) + w[5], -1) - y) * (1.0f / 256);
  const Array g2 = where(z2 > 0, matmul(g3, transpose(w[4])), 0.0f);
  const Array g1 = where(z1 > 0, matmul(g2, transpose(w[2])), 0.0f);
  return {matmul(transpose(x), g1),  sum(g1, {0}), matmul(transpose(h1), g2), sum(g2, {0}),
          matmul(transpose(h2), g3), sum(g3, {0})};
}

/// One SGD step, batch 256.
void mlp(benchmark::State& state) {
  const Array x = sample({256, 784}, 4);
  const Array labels = remainder(arange(256), 10);
  const Array y = astype(equal(expand_dims(labels, {1}), arange(10)), float32);
  const auto of_batch = grad(ScalarFunction([=](const Arrays& w) { return mlp_loss(w, x, y); }));
  const auto of_one = [](const Arrays& in) {
    return Arrays{mlp_loss(Arrays(in.begin(), in.begin() + 6), in[6], in[7])};
  };
  const MappedAxes axes = {{}, {}, {}, {}, {}, {}, 0, 0};
  const auto of_examples = grad(ScalarFunction([=](const Arrays& w) {
    Arrays in = w;
    in.push_back(x);
    in.push_back(y);
    return mean(vmap(of_one, axes)(in)[0]);
  }));
  const int64_t way = state.range(0);
  const auto step = [=](const Arrays& w) {
    const Arrays g = way == kByHand ? mlp_gradients_by_hand(w, x, y)
                     : way == kGrad ? of_batch(w)
                                    : of_examples(w);
    Arrays next;
    for (size_t i = 0; i < w.size(); ++i) next.push_back(w[i] - 0.05f * g[i]);
    return next;
  };
  run(state, step, mlp_weights());
}
BENCHMARK(mlp)->ArgsProduct({{kByHand, kGrad, kVmap}, {1, 0}})->UseRealTime();

/// Gradients of each of 256 examples: by vmap, and in a loop.
void per_example(benchmark::State& state) {
  const Array x = sample({256, 784}, 4);
  const Array y = astype(equal(expand_dims(remainder(arange(256), 10), {1}), arange(10)), float32);
  const Arrays w = mlp_weights();
  eval(x, y);
  eval(w);
  const auto gradient = grad(ScalarFunction([](const Arrays& in) {
                               return mlp_loss(Arrays(in.begin(), in.begin() + 6), in[6], in[7]);
                             }),
                             {0, 1, 2, 3, 4, 5});
  const auto at = [&](const Array& row, const Array& label) {
    Arrays in = w;
    in.push_back(row);
    in.push_back(label);
    return in;
  };
  const bool by_vmap = state.range(0) != 0;
  state.SetLabel(by_vmap ? "vmap" : "loop");
  const auto mapped = vmap(gradient, {{}, {}, {}, {}, {}, {}, 0, 0});
  for (auto _ : state) {
    if (by_vmap) {
      eval(mapped(at(x, y)));
      continue;
    }
    for (int64_t i = 0; i < 256; ++i) {
      eval(gradient(
          at(squeeze(slice_axis(x, 0, i, i + 1), {0}), squeeze(slice_axis(y, 0, i, i + 1), {0}))));
    }
  }
}
BENCHMARK(per_example)->Arg(1)->Arg(0)->UseRealTime();

}  // namespace
}  // namespace mica
