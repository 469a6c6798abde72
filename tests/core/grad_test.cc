#include "core/transform/grad.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica {
namespace {

using ::testing::ElementsAre;

TEST(GradTest, ThirdDerivativeOfSine) {
  const auto third = grad(grad(grad(UnaryFunction([](const Array& x) { return sin(x); }))));
  for (double x : {-2.0, 0.3, 1.7}) {
    EXPECT_NEAR(third(Array::scalar(x, float64)).item<double>(), -std::cos(x), 1e-12);
  }
}

// A two-layer network's loss along a line in the space of its weights.
TEST(GradTest, ThirdDerivativeOfANetworksLoss) {
  const Array x = random::normal({8, 3}, random::key(1), float64);
  const Array y = random::normal({8, 2}, random::key(2), float64);
  const Array w1 = random::normal({3, 5}, random::key(3), float64);
  const Array w2 = random::normal({5, 2}, random::key(4), float64);
  const Array d1 = random::normal({3, 5}, random::key(5), float64);
  const Array d2 = random::normal({5, 2}, random::key(6), float64);
  const UnaryFunction loss = [&](const Array& t) {
    return mean(square(matmul(tanh(matmul(x, w1 + t * d1)), w2 + t * d2) - y));
  };
  const UnaryFunction second = grad(grad(loss));
  const double third = grad(second)(Array::scalar(0.1, float64)).item<double>();
  const double h = 1e-5;
  const double above = second(Array::scalar(0.1 + h, float64)).item<double>();
  const double below = second(Array::scalar(0.1 - h, float64)).item<double>();
  EXPECT_NEAR(third, (above - below) / (2 * h), 1e-5 * std::abs(third));
}

TEST(GradTest, ChainsOfAMillionOps_slow) {
  Array chain = array({0.0f, 1.0f});
  for (int i = 0; i < 1'000'000; ++i) chain = chain + 1.0f;
  EXPECT_THAT(chain.to_vector<float>(), ElementsAre(1'000'000, 1'000'001));

  const auto product = [](const Array& x) {
    Array y = x;
    for (int i = 0; i < 1'000'000; ++i) y = y * 1.0f;
    return sum(y);
  };
  EXPECT_THAT(grad(UnaryFunction(product))(array({2.0f, 3.0f})).to_vector<float>(),
              ElementsAre(1, 1));
}

TEST(GradTest, SeveralArgumentsAndAuxiliaryResults) {
  const auto f = [](const Arrays& in) { return Arrays{sum(in[0] * in[1]), in[0] + 1}; };
  const Arrays in = {array({1.0f, 2.0f}), array({3.0f, 4.0f})};
  const auto [values, gradients] = value_and_grad_aux(f, {1})(in);
  EXPECT_EQ(values[0].item<float>(), 11);
  EXPECT_THAT(values[1].to_vector<float>(), ElementsAre(2, 3));
  ASSERT_EQ(gradients.size(), 1u);
  EXPECT_THAT(gradients[0].to_vector<float>(), ElementsAre(1, 2));
  const Arrays both = grad(ScalarFunction([](const Arrays& a) { return sum(a[0] * a[1]); }))(in);
  EXPECT_THAT(both[0].to_vector<float>(), ElementsAre(3, 4));
}

TEST(GradTest, UnusedArgumentsHaveZeroGradients) {
  const auto f = [](const Arrays& in) { return sum(in[0]); };
  const Arrays g = grad(ScalarFunction(f))({array({1.0f}), array({2.0f, 3.0f})});
  EXPECT_THAT(g[1].to_vector<float>(), ElementsAre(0, 0));
}

TEST(GradTest, EvaluatingInsideKeepsTheGraph) {
  const auto f = [](const Array& x) {
    const Array y = square(x);
    EXPECT_EQ(y.item<float>(), 9);  // evaluates y
    return y * x;
  };
  EXPECT_EQ(grad(UnaryFunction(f))(Array(3.0f)).item<float>(), 27);
}

TEST(GradTest, StopGradientAndCustomVjp) {
  const auto stopped = [](const Array& x) { return stop_gradient(x) * x; };
  EXPECT_EQ(grad(UnaryFunction(stopped))(Array(3.0f)).item<float>(), 3);

  const ArraysFunction straight_through =
      custom_vjp([](const Arrays& in) { return Arrays{round(in[0])}; },
                 [](const Arrays&, const Arrays&, const Arrays& g) { return Arrays{g[0]}; });
  const auto f = [&](const Array& x) { return straight_through({x})[0] * 2; };
  EXPECT_EQ(f(Array(1.7f)).item<float>(), 4);
  EXPECT_EQ(grad(UnaryFunction(f))(Array(1.7f)).item<float>(), 2);
}

TEST(GradTest, VjpGivesOutputsAndCotangents) {
  const auto f = [](const Arrays& in) { return Arrays{in[0] * in[1], in[0] + in[1]}; };
  const auto [out, back] = vjp(f, {array({2.0f}), array({5.0f})}, {array({1.0f}), array({10.0f})});
  EXPECT_EQ(out[0].item<float>(), 10);
  EXPECT_EQ(back[0].item<float>(), 15);
  EXPECT_EQ(back[1].item<float>(), 12);
}

TEST(GradTest, ClearErrors) {
  EXPECT_THROW(grad(UnaryFunction([](const Array& x) { return x; }))(zeros({2})), Error);
  EXPECT_THROW(grad(UnaryFunction([](const Array& x) { return sum(x); }))(arange(3)), Error);
}

TEST(GradTest, GradientsAtEdgesAreFinite) {
  const auto slope = [](const UnaryFunction& f, float x) {
    return grad(f)(Array::scalar(x, float32)).item<float>();
  };
  EXPECT_EQ(slope([](const Array& x) { return abs(x); }, 0), 0);
  EXPECT_EQ(slope([](const Array& x) { return maximum(x, 0); }, 0), 0.5f);
  EXPECT_EQ(slope([](const Array& x) { return relu(x); }, 0), 0);
  EXPECT_EQ(slope([](const Array& x) { return power(x, 0); }, 0), 0);
  EXPECT_EQ(slope([](const Array& x) { return power(x, 2); }, 0), 0);
  EXPECT_EQ(slope([](const Array& x) { return where(x > 0, log(where(x > 0, x, 1)), 0); }, -1), 0);
}

}  // namespace
}  // namespace mica
