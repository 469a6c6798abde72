// Mixed precision: which types layers give and take within a PrecisionScope.
#include "nn/precision.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/eval/eval.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace mica::nn {
namespace {

// The largest difference as a share of the largest value.
double relative_error(const Array& got, const Array& want) {
  const Array difference = max(abs(astype(got, float32) - want));
  return (difference / max(abs(want))).item<double>();
}

TEST(Precision, ProductsAreShortAndStatisticsAreNot) {
  const Array images = random::normal({2, 6, 6, 3}, random::key(1));
  Conv2d conv(3, {.out = 4}, random::key(2));
  Linear linear(8, 5, true, random::key(3));
  const PrecisionScope scope(bfloat16);
  const Array y = conv(images);
  EXPECT_EQ(y.dtype(), bfloat16);
  EXPECT_EQ(linear(random::normal({2, 8}, random::key(4))).dtype(), bfloat16);
  EXPECT_EQ(Relu()(y).dtype(), bfloat16);
  EXPECT_EQ(BatchNorm(4)(y).dtype(), float32);
  EXPECT_EQ(LayerNorm(4)(y).dtype(), float32);
  EXPECT_EQ(LogSoftmax()(y).dtype(), float32);
  {
    const PrecisionScope inner(float32);
    EXPECT_EQ(conv(images).dtype(), float32);
  }
  EXPECT_EQ(conv(images).dtype(), bfloat16);
}

TEST(Precision, GradientsComeBackInFloat32) {
  Sequential model(Conv2d(3, {.out = 8}, random::key(1)), Tanh(), Flatten(),
                   Linear(8 * 4 * 4, 5, true, random::key(2)), LogSoftmax());
  const Array images = random::normal({4, 6, 6, 3}, random::key(3));
  const auto gradients_with = [&](Dtype products) {
    const auto f = value_and_grad(model, [&](const Array& x) {
      const PrecisionScope scope(products);
      return mean(square(model(x)));
    });
    return f(images);
  };
  const auto [want_loss, want] = gradients_with(float32);
  const auto [loss, got] = gradients_with(bfloat16);
  // bfloat16 keeps 8 bits: 2^-9 of each factor, and errors of many products even out.
  EXPECT_LT(relative_error(loss, want_loss), 0.02);
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, gradient] : got) {
    EXPECT_EQ(gradient.dtype(), float32) << name;
    EXPECT_LT(relative_error(gradient, want.at(name)), 0.03) << name;
    EXPECT_GT(relative_error(gradient, want.at(name)), 0) << name;
  }
}

TEST(Precision, WantsAFloatingType) {
  EXPECT_THROW(PrecisionScope{int32}, Error);
  // What failed has changed nothing.
  EXPECT_EQ(for_product(Array::scalar(1, float32)).dtype(), float32);
}

}  // namespace
}  // namespace mica::nn
