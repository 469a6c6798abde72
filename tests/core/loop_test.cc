#include "core/eval/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/scan.h"
#include "core/ops/view.h"
#include "core/plan/plan.h"
#include "core/runtime/parallel.h"
#include "core/transform/checkpoint.h"
#include "core/transform/grad.h"
#include "core/transform/jacobian.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;

using Step = std::pair<Array, Array>;
using Steps = std::pair<Arrays, Arrays>;

Step running_sum(const Array& total, const Array& x) { return {total + x, total + x}; }

// The loop written out.
Steps unrolled(const LoopBody& body, Arrays carry, const Arrays& xs,
               const LoopOptions& options = {}) {
  const int64_t length = xs.empty() ? options.length : xs[0].dim(0);
  std::vector<Arrays> outputs(static_cast<size_t>(length));
  for (int64_t i = 0; i < length; ++i) {
    const int64_t at = options.reverse ? length - 1 - i : i;
    Arrays x;
    for (const Array& all : xs) x.push_back(squeeze(slice_axis(all, 0, at, at + 1), {0}));
    auto [next, out] = body(carry, x);
    carry = next;
    outputs[static_cast<size_t>(at)] = out;
  }
  Arrays stacked;
  for (size_t k = 0; k < outputs[0].size(); ++k) {
    Arrays rows;
    for (const Arrays& row : outputs) rows.push_back(row[k]);
    stacked.push_back(stack(rows));
  }
  return {carry, stacked};
}

// A recurrent layer with a gate; arguments: state, xs, weight of the state, weight of the input.
Steps recurrent_step(const Arrays& carry, const Arrays& x, const Array& w, const Array& u) {
  const Array mixed = matmul(carry[0], w) + matmul(x[0], u);
  const Array gate = sigmoid(mixed + carry[1]);
  const Array next = gate * tanh(mixed) + (1 - gate) * carry[0];
  return {{next, 0.5 * carry[1] + next}, {next * next, gate}};
}

using Loops = std::function<Steps(const LoopBody&, const Arrays&, const Arrays&)>;
Array layer(const Loops& loops, const Arrays& in) {
  const auto [carry, outputs] =
      loops([&](const Arrays& c, const Arrays& x) { return recurrent_step(c, x, in[3], in[4]); },
            {in[0], in[1]}, {in[2]});
  return concatenate({reshape(carry[0], {-1}), reshape(carry[1], {-1}), reshape(outputs[0], {-1}),
                      reshape(outputs[1], {-1})});
}
const Loops kLooped = [](const LoopBody& b, const Arrays& c, const Arrays& x) {
  return scan(b, c, x);
};
const Loops kUnrolled = [](const LoopBody& b, const Arrays& c, const Arrays& x) {
  return unrolled(b, c, x);
};
Array looped_layer(const Arrays& in) { return layer(kLooped, in); }
Array unrolled_layer(const Arrays& in) { return layer(kUnrolled, in); }

Arrays layer_inputs(int64_t steps = 4) {
  return {normal_array({2, 3}, 1), normal_array({2, 3}, 2), normal_array({steps, 2, 2}, 3),
          normal_array({3, 3}, 4), normal_array({2, 3}, 5)};
}

TEST(Scan, RunsTheBodyForEveryStep) {
  const auto [last, sums] = scan(running_sum, zeros({2}), reshape(arange(6, float32), {3, 2}));
  expect_values(last, {6, 9}, 0);
  expect_values(sums, {0, 1, 2, 4, 6, 9}, 0);
  const auto [first, back] =
      scan(running_sum, zeros({2}), reshape(arange(6, float32), {3, 2}), {.reverse = true});
  expect_values(first, {6, 9}, 0);
  expect_values(back, {6, 9, 6, 8, 4, 5}, 0);
  expect_same(looped_layer(layer_inputs()), unrolled_layer(layer_inputs()), 1e-14);
}

TEST(Scan, CarriesOfAllKinds) {
  // Fibonacci numbers: carries that change places, an integer, a count of steps without xs, an
  // output that is a carry, and one that depends on nothing.
  const LoopBody body = [](const Arrays& c, const Arrays&) {
    return Steps({c[1], c[0] + c[1]}, {c[0], Array(7)});
  };
  const auto [carry, outputs] =
      scan(body, {Array::scalar(0, int64), Array::scalar(1, int64)}, {}, {.length = 8});
  EXPECT_EQ(carry[1].item<int64_t>(), 34);
  EXPECT_EQ(outputs[0].dtype(), int64);
  expect_values(outputs[0], {0, 1, 1, 2, 3, 5, 8, 13}, 0);
  expect_values(outputs[1], {7, 7, 7, 7, 7, 7, 7, 7}, 0);
  // No carry at all, an output that is the step's x, one that is a view of it.
  const auto [none, seen] = scan(
      [](const Arrays&, const Arrays& x) {
        return Steps({}, {x[0], transpose(x[0]), flip(x[0]) + 1});
      },
      {}, {reshape(arange(12), {2, 2, 3})});
  EXPECT_TRUE(none.empty());
  expect_values(seen[0], {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 0);
  expect_values(seen[1], {0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}, 0);
  expect_values(seen[2], {6, 5, 4, 3, 2, 1, 12, 11, 10, 9, 8, 7}, 0);
  // A C++ number as the first carry.
  const auto [total, sums] = scan(running_sum, 0.0f, array({1.0f, 2.0f}));
  EXPECT_EQ(total.item<float>(), 3);
}

TEST(Scan, EmptyAndStridedXs) {
  const auto [last, sums] = scan(running_sum, ones({2}), zeros({0, 2}));
  expect_values(last, {1, 1}, 0);
  EXPECT_EQ(sums.shape(), Shape({0, 2}));
  const Array x = transpose(reshape(arange(6, float64), {2, 3}));
  expect_same(scan(running_sum, zeros({2}, float64), x).second, cumsum(x, 0), 0);
  expect_same(scan(running_sum, zeros({2}, float64), flip(x)).second, cumsum(flip(x), 0), 0);
  EXPECT_EQ(scan(running_sum, zeros({0}), zeros({3, 0})).second.shape(), Shape({3, 0}));
}

TEST(Scan, GradientsEqualThoseOfTheLoopWrittenOut) {
  const Arrays in = layer_inputs();
  const Array u = normal_array(looped_layer(in).shape(), 9);
  const auto gradients = [&](const ArraysFunction& f) { return vjp(f, in, {u}).second; };
  const Arrays got = gradients([](const Arrays& x) { return Arrays{looped_layer(x)}; });
  const Arrays wanted = gradients([](const Arrays& x) { return Arrays{unrolled_layer(x)}; });
  for (size_t i = 0; i < in.size(); ++i) expect_same(got[i], wanted[i], 1e-12);
  // And those of both.
  testing::check_derivatives(looped_layer, layer_inputs(3));
  // By a captured weight alone.
  const auto by_weight = [&](const Array& w) {
    return sum(looped_layer({in[0], in[1], in[2], w, in[4]}) * u);
  };
  expect_same(grad(UnaryFunction(by_weight))(in[3]), wanted[3], 1e-12);
}

TEST(Scan, GradientsBackwards) {
  const auto loss = [](const Arrays& in) {
    const auto [last, outputs] = scan(
        [&](const Array& h, const Array& x) {
          const Array next = sin(h * in[2] + x);
          return Step(next, next * x);
        },
        in[0], in[1], {.reverse = true});
    return concatenate({last, reshape(outputs, {-1})});
  };
  testing::check_derivatives(loss,
                             {normal_array({2}, 1), normal_array({4, 2}, 2), normal_array({2}, 3)});
}

TEST(Scan, Jvp) {
  const Arrays in = layer_inputs();
  Arrays t;
  for (const Array& x : in) t.push_back(normal_array(x.shape(), 20));
  const auto f = [](const Arrays& x) { return Arrays{looped_layer(x)}; };
  const auto g = [](const Arrays& x) { return Arrays{unrolled_layer(x)}; };
  expect_same(jvp(f, in, t).second[0], jvp(g, in, t).second[0], 1e-12);
}

TEST(Scan, VmapOverEachArgumentAndAll) {
  const Arrays in = layer_inputs();
  const auto f = [](const Arrays& x) { return Arrays{looped_layer(x)}; };
  const auto g = [](const Arrays& x) { return Arrays{unrolled_layer(x)}; };
  const Array u = normal_array(looped_layer(in).shape(), 9);
  const auto df = [&](const Arrays& x) { return vjp(f, x, {u}).second; };
  const auto dg = [&](const Arrays& x) { return vjp(g, x, {u}).second; };
  for (size_t mapped = 0; mapped <= in.size(); ++mapped) {
    SCOPED_TRACE(mapped);
    Arrays examples = in;
    MappedAxes axes(in.size(), std::nullopt);
    for (size_t i = 0; i < in.size(); ++i) {
      if (i != mapped && mapped != in.size()) continue;
      examples[i] = stack({in[i], 0.5 * in[i], flip(in[i])}, 1);
      axes[i] = 1;
    }
    expect_same(vmap(ArraysFunction(f), axes)(examples)[0],
                vmap(ArraysFunction(g), axes)(examples)[0], 1e-12);
    const Arrays got = vmap(ArraysFunction(df), axes)(examples);
    const Arrays wanted = vmap(ArraysFunction(dg), axes)(examples);
    for (size_t i = 0; i < got.size(); ++i) expect_same(got[i], wanted[i], 1e-12);
  }
  // The gradient of a mapped loop.
  const auto total = [&](const auto& layer_function) {
    return grad(UnaryFunction([&](const Array& states) {
      const auto one = [&](const Array& h) {
        return layer_function({h, in[1], in[2], in[3], in[4]});
      };
      return sum(square(vmap(UnaryFunction(one))(states)));
    }))(stack({in[0], -in[0]}));
  };
  expect_same(total(looped_layer), total(unrolled_layer), 1e-12);
}

TEST(Scan, ComposesWithTheOtherTransforms) {
  const Array x = normal_array({3}, 1), xs = normal_array({4, 3}, 2);
  const auto f = [&](const Array& h) {
    return sum(
        scan([](const Array& c, const Array& s) { return Step(tanh(c * s) + c, c); }, h, xs).first);
  };
  const auto g = [&](const Array& h) {
    return sum(unrolled([](const Arrays& c,
                           const Arrays& s) { return Steps({tanh(c[0] * s[0]) + c[0]}, {c[0]}); },
                        {h}, {xs})
                   .first[0]);
  };
  expect_same(hessian(f)(x), hessian(g)(x), 1e-12);
  const auto compiled =
      compile([&](const Arrays& in) { return Arrays{grad(UnaryFunction(f))(in[0])}; });
  expect_same(compiled(x)[0], grad(UnaryFunction(g))(x), 1e-12);
  expect_same(compiled(2 * x)[0], grad(UnaryFunction(g))(2 * x), 1e-12);
  // A derivative, a checkpoint and a loop within the body.
  const auto inner = [&](const Array& h) {
    const auto body = [&](const Array& c, const Array& s) {
      const Array slope = grad(UnaryFunction([](const Array& z) { return sum(sin(z) * z); }))(c);
      const auto soft = checkpoint([](const Arrays& z) { return Arrays{tanh(z[0]) * z[1]}; });
      const Array nested = scan(running_sum, c, stack({s, slope})).first;
      return Step(soft({nested, s})[0], nested);
    };
    return scan(body, h, xs).first;
  };
  testing::check_derivatives([&](const Arrays& in) { return inner(in[0]); }, {x});
}

TEST(Scan, UnrolledGradientDescentLearnsItsRate) {
  // The loss after ten steps, by the rate of the steps.
  const Array target = normal_array({3}, 3);
  const auto final_loss = [&](const Array& rate) {
    const auto loss = [&](const Array& w) { return sum(square(w - target)); };
    const LoopBody body = [&](const Arrays& w, const Arrays&) {
      return Steps({w[0] - rate * grad(UnaryFunction(loss))(w[0])}, {});
    };
    return loss(scan(body, {zeros({3}, float64)}, {}, {.length = 10}).first[0]);
  };
  // w - target shrinks by 1 - 2 rate each step.
  const double start = sum(square(target)).item<double>();
  const Array rate = Array::scalar(0.1, float64);
  expect_values(final_loss(rate), {start * std::pow(0.8, 20)}, 1e-12);
  expect_values(grad(UnaryFunction(final_loss))(rate), {start * -40 * std::pow(0.8, 19)}, 1e-12);
}

TEST(Scan, PlansTheBodyOnceForAnyLength) {
  const auto run = [](int64_t length) {
    return scan([](const Array& c, const Array& x) { return Step(cos(c) * x, c - x); }, zeros({5}),
                ones({length, 5}));
  };
  eval(run(10).first);
  const PlanCacheUse before = plan_cache_use();
  eval(run(10).first);
  EXPECT_EQ(plan_cache_use().misses, before.misses);  // found by its structure
  eval(run(1000).first);
  EXPECT_LE(plan_cache_use().misses, before.misses + 1);  // the body's plan is the same
}

TEST(Scan, SameBitsForAnyNumberOfThreads) {
  const Arrays in = {normal_array({64, 64}, 1, float32), normal_array({64, 64}, 2, float32),
                     normal_array({5, 64, 64}, 3, float32), normal_array({64, 64}, 4, float32),
                     normal_array({64, 64}, 5, float32)};
  const auto run = [&](int count) {
    set_threads(count);
    return looped_layer(in).to_bytes();
  };
  const auto one = run(1);
  EXPECT_EQ(one, run(2));
  set_threads(0);
}

TEST(Scan, NamesWhatDoesNotFit) {
  EXPECT_EQ(error_text([] {
              scan(running_sum, zeros({2}), ones({3, 3}));
            }),
            "[add] shapes (2,) and (3,) do not broadcast: axis 0 has 2 and 3");
  EXPECT_EQ(error_text([] {
              scan([](const Array& c, const Array& x) { return Step(c + x, c); }, zeros({1}),
                   ones({3, 2}));
            }),
            "[scan] carry 0 is float32 (1,), the body makes it float32 (2,)");
  const LoopBody pass = [](const Arrays& c, const Arrays&) { return Steps(c, {}); };
  EXPECT_EQ(error_text([&] {
              scan(pass, {zeros({1})}, {ones({3}), ones({4})});
            }),
            "[scan] xs 1 has 4 steps, wanted 3");
  EXPECT_EQ(error_text([&] { scan(pass, {zeros({1})}, {}); }),
            "[scan] no xs and no length say how many steps there are");
  EXPECT_EQ(error_text([&] { scan(pass, {}, {1.0f}); }),
            "[scan] xs 0 is a scalar and has no axis of steps");
  const LoopBody loses = [](const Arrays&, const Arrays&) { return Steps({}, {}); };
  EXPECT_EQ(error_text([&] { scan(loses, {zeros({1})}, {ones({3})}); }),
            "[scan] 1 carries go into the body, 0 come out");
  EXPECT_THAT(error_text([] {
                scan([](const Array& c, const Array& x) { return Step(c * x.item<float>(), c); },
                     zeros({1}), ones({3}));
              }),
              ::testing::HasSubstr("the body reads a value that depends on its arguments"));
}

}  // namespace
}  // namespace mica
