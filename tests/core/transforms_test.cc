// Transforms of transforms; the laws of single ops are in transform_laws_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "core/ops/view.h"
#include "core/runtime/buffer.h"
#include "core/transform/checkpoint.h"
#include "core/transform/jacobian.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using ::testing::HasSubstr;
using testing::normal_array;

TEST(Vmap, MapsAnyAxisToAny) {
  const Array x = normal_array({2, 3, 4}, 1);
  const ArraysFunction first = [](const Arrays& in) { return Arrays{sum(in[0], {0}) * in[1]}; };
  const Array scale = normal_array({4}, 2);
  const Array got = vmap(first, {1, std::nullopt}, {-1})({x, scale})[0];
  EXPECT_EQ(got.shape(), Shape({4, 3}));
  expect_same(got, transpose(sum(x, {0}) * scale), 1e-12);
  expect_same(vmap([](const Array& v) { return v * 2; }, 2, 0)(x), transpose(x, {2, 0, 1}) * 2);
}

TEST(Vmap, ResultsThatDependOnNothingAreRepeated) {
  const ArraysFunction f = [](const Arrays& in) { return Arrays{in[0] + 1, ones({2})}; };
  const Arrays out = vmap(f)({zeros({3})});
  expect_values(out[0], {1, 1, 1});
  EXPECT_EQ(out[1].shape(), Shape({3, 2}));
  EXPECT_EQ(vmap(f, {}, {0, std::nullopt})({zeros({3})})[1].shape(), Shape({2}));
}

TEST(Vmap, ErrorsSayWhatDoesNotFit) {
  const ArraysFunction add = [](const Arrays& in) { return Arrays{in[0] + in[1]}; };
  const Array three = zeros({3}), five = zeros({5});
  EXPECT_EQ(error_text([&] {
              vmap(add)({three, five});
            }),
            "[vmap] mapped axes of arguments 0 and 1 have lengths 3 and 5");
  EXPECT_EQ(error_text([&] {
              vmap(add, {std::nullopt, std::nullopt})({three, five});
            }),
            "[vmap] no argument is mapped");
  EXPECT_EQ(error_text([&] { vmap(add, {0})({three, five}); }), "[vmap] 1 axes for 2 arguments");
  EXPECT_EQ(error_text([&] {
              vmap(add, {0, 0}, {std::nullopt})({three, three});
            }),
            "[vmap] result 0 depends on a mapped argument");
  EXPECT_EQ(error_text([&] {
              vmap(add)({three, Array(1.0f)});
            }),
            "[vmap] argument 1 is a scalar and has no axis to map");
  const UnaryFunction reads = [](const Array& x) { return x * x.item<float>(); };
  EXPECT_THAT(error_text([&] { vmap(reads)(three); }),
              HasSubstr("[vmap] the function reads a value"));
}

TEST(Vmap, NestsInItself) {
  const Array x = normal_array({3, 4}, 1), y = normal_array({5, 4}, 2);
  const ArraysFunction dot = [](const Arrays& in) { return Arrays{sum(in[0] * in[1])}; };
  const ArraysFunction rows = vmap(dot, {std::nullopt, 0});
  expect_same(vmap(rows, {0, std::nullopt})({x, y})[0], matmul(x, transpose(y)), 1e-12);
}

TEST(Vmap, OfGradientsOfCompiledAndCustomFunctions) {
  const Array x = normal_array({6}, 1, float32);
  const UnaryFunction cube = [](const Array& v) { return v * v * v; };
  const CompiledFunction compiled = compile([&](const Arrays& in) { return Arrays{cube(in[0])}; });
  const UnaryFunction through = [&](const Array& v) { return compiled(v)[0]; };
  expect_same(vmap(grad(through))(x), 3 * square(x), 1e-5);
  expect_same(grad([&](const Array& v) { return sum(vmap(grad(cube))(v)); })(x), 6 * x, 1e-5);

  const ArraysFunction doubled_backwards =
      custom_vjp([](const Arrays& in) { return Arrays{in[0] * in[1]}; },
                 [](const Arrays& in, const Arrays&, const Arrays& g) {
                   return Arrays{2 * g[0] * in[1], 2 * g[0] * in[0]};
                 });
  const Array w = Array(5.0f);
  const UnaryFunction custom = [&](const Array& v) { return doubled_backwards({v, w})[0]; };
  expect_same(vmap(grad(custom))(x), full({6}, 10.0f), 1e-6);
  expect_same(grad([&](const Array& v) { return sum(vmap(custom)(v)); })(x), full({6}, 10.0f),
              1e-6);
}

TEST(Vmap, GivesTheGradientOfEveryExample) {
  const Array x = normal_array({7, 5}, 1), w1 = normal_array({5, 4}, 2), w2 = normal_array({4}, 3);
  const auto loss = [](const Arrays& in) {
    return square(sum(tanh(matmul(in[0], in[1])) * in[2]));
  };
  const ArraysFunction gradients = grad(ScalarFunction(loss), {1, 2});
  const Arrays got = vmap(gradients, {0, std::nullopt, std::nullopt})({x, w1, w2});
  for (int64_t i = 0; i < 7; ++i) {
    const Array one = squeeze(slice_axis(x, 0, i, i + 1), {0});
    const Arrays wanted = gradients({one, w1, w2});
    for (size_t k = 0; k < 2; ++k) {
      expect_same(squeeze(slice_axis(got[k], 0, i, i + 1), {0}), wanted[k], 1e-10);
    }
  }
}

TEST(Vmap, EveryExampleWithAKeyOfItsOwn) {
  const Array keys = random::split(random::key(1), int64_t{3});
  const UnaryFunction draw = [](const Array& key) { return random::uniform({4}, key); };
  const Array got = vmap(draw)(keys);
  for (int64_t i = 0; i < 3; ++i) {
    const Array key = squeeze(slice_axis(keys, 0, i, i + 1), {0});
    EXPECT_EQ(squeeze(slice_axis(got, 0, i, i + 1), {0}).to_bytes(), draw(key).to_bytes());
  }
}

TEST(Jvp, OfFunctionsWithIntegerResultsAndOfGradients) {
  const Array x = normal_array({5}, 1), t = normal_array({5}, 2);
  const ArraysFunction f = [](const Arrays& in) { return Arrays{argmax(in[0]), sin(in[0])}; };
  const auto [y, dy] = jvp(f, {x}, {t});
  EXPECT_EQ(dy[0].item<int>(), 0);
  expect_same(y[1], sin(x), 1e-12);
  expect_same(dy[1], cos(x) * t, 1e-12);
  const UnaryFunction total = [](const Array& v) { return sum(v * v * v); };
  expect_same(jvp(grad(total), x, t).second, 6 * x * t, 1e-12);
  EXPECT_EQ(error_text([&] { jvp(total, x, zeros({4})); }),
            "[jvp] tangent 0 has shape (4,), the primal (5,)");
}

TEST(Jacobian, OfBothDirections) {
  const Array x = normal_array({4}, 1), w = normal_array({4, 3}, 2);
  const UnaryFunction f = [&](const Array& v) { return sin(matmul(v, w)); };
  const Array wanted = transpose(w * expand_dims(cos(matmul(x, w)), {0}));
  expect_same(jacrev(f)(x), wanted, 1e-12);
  expect_same(jacfwd(f)(x), wanted, 1e-12);
  EXPECT_EQ(jacrev([](const Array& v) {
              return reshape(v * 2, {2, 2});
            })(x)
                .shape(),
            Shape({2, 2, 4}));
}

// d2/dw2 of mean(log(1 + exp(-y x w))) is x^T diag(p (1 - p)) x / n.
TEST(Jacobian, HessianOfALogisticRegression) {
  const Array x = normal_array({20, 3}, 1), w = normal_array({3}, 2);
  const Array y = sign(normal_array({20}, 3));
  const UnaryFunction loss = [&](const Array& v) { return mean(softplus(-y * matmul(x, v))); };
  const Array p = sigmoid(y * matmul(x, w));
  const Array wanted = matmul(transpose(x), x * expand_dims(p * (1 - p), {1})) / 20;
  expect_same(hessian(loss)(w), wanted, 1e-12);
  const Array v = normal_array({3}, 4);
  expect_same(hvp(loss, w, v), matmul(wanted, v), 1e-12);

  const CompiledFunction many =
      compile([&](const Arrays& in) { return Arrays{vmap(hessian(loss))(in[0])}; });
  const Array ws = stack({w, w * 2}, 0);
  const Array hessians = many(ws)[0];
  expect_same(squeeze(slice_axis(hessians, 0, 0, 1), {0}), wanted, 1e-12);
  expect_same(squeeze(slice_axis(hessians, 0, 1, 2), {0}), hessian(loss)(w * 2), 1e-12);
}

// Three blocks of four layers of (n, n) each.
struct Deep {
  Array x = normal_array({64, 64}, 1, float32);
  Arrays weights;
  Deep() {
    for (uint32_t i = 0; i < 12; ++i) weights.push_back(normal_array({64, 64}, i + 2, float32) / 8);
    eval(weights);
  }
  ScalarFunction loss(bool saves_memory) const {
    return [this, saves_memory](const Arrays& w) {
      Array y = x;
      for (size_t block = 0; block < 3; ++block) {
        const ArraysFunction layers = [&](const Arrays& in) {
          Array z = in[0];
          for (size_t k = 0; k < 4; ++k) z = tanh(matmul(z, w[4 * block + k]));
          return Arrays{z};
        };
        y = (saves_memory ? checkpoint(layers) : layers)({y})[0];
      }
      return mean(square(y));
    };
  }
};

TEST(Checkpoint, SameGradientsWithLessMemory) {
  const Deep deep;
  const auto run = [&](bool saves_memory) {
    // The gradients by one weight, so that they take no memory to speak of.
    const Array g = grad(deep.loss(saves_memory), {0})(deep.weights)[0];
    const size_t before = memory_use().active;
    reset_peak_memory();
    eval(g);
    return std::pair(g, memory_use().peak - before);
  };
  const auto [wanted, much] = run(false);
  const auto [got, little] = run(true);
  EXPECT_EQ(got.to_bytes(), wanted.to_bytes());
  EXPECT_LT(little, much * 7 / 10);
  const Arrays all = grad(deep.loss(true))(deep.weights);
  const Arrays all_wanted = grad(deep.loss(false))(deep.weights);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].to_bytes(), all_wanted[i].to_bytes()) << "captured weight " << i;
  }
}

TEST(Checkpoint, ComposesAndTakesIntegers) {
  const Array x = normal_array({5}, 1), indices = array({4, 0, 0});
  const ArraysFunction f = [](const Arrays& in) { return Arrays{sum(sin(take(in[0], in[1], 0)))}; };
  const auto of = [&](const ArraysFunction& g) {
    return UnaryFunction([&g, &indices](const Array& v) { return g({v, indices})[0]; });
  };
  const ArraysFunction saved = checkpoint(f);
  expect_same(grad(of(saved))(x), grad(of(f))(x), 1e-12);
  expect_same(hessian(of(saved))(x), hessian(of(f))(x), 1e-12);
  const Array rows = normal_array({3, 5}, 2);
  expect_same(vmap(grad(of(saved)))(rows), vmap(grad(of(f)))(rows), 1e-12);
}

}  // namespace
}  // namespace mica
