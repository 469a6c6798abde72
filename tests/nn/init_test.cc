// Initialisers: bounds, moments, orthonormality, and that keys alone decide.
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "nn/conv.h"
#include "nn/init.h"
#include "nn/linear.h"
#include "tests/fixtures/fixtures.h"

namespace mica::nn {
namespace {

using fixtures::near;

double deviation(const Array& x) { return std::sqrt(var(x).item<double>()); }
double largest(const Array& x) { return max(abs(x)).item<double>(); }

TEST(Init, FansCountTheWindow) {
  EXPECT_EQ(init::fans_of({8, 5, 3, 4}).in, 60);  // OHWI
  EXPECT_EQ(init::fans_of({8, 5, 3, 4}).out, 120);
  EXPECT_EQ(init::fans_of({8, 5}).in, 5);
  EXPECT_THROW(init::fans_of({8}), Error);
}

TEST(Init, UniformBoundsAndNormalDeviations) {
  const Shape shape = {200, 300};
  const Array key = random::key(1);
  const auto check_uniform = [&](const Array& x, double bound) {
    EXPECT_LE(largest(x), bound * (1 + 1e-6));
    EXPECT_NEAR(deviation(x), bound / std::sqrt(3), 0.01 * bound);
    EXPECT_NEAR(mean(x).item<double>(), 0, 0.01 * bound);
  };
  check_uniform(init::glorot_uniform(shape, key), std::sqrt(6.0 / 500));
  check_uniform(init::glorot_uniform(shape, key, 2), 2 * std::sqrt(6.0 / 500));
  check_uniform(init::he_uniform(shape, key), std::sqrt(6.0 / 300));
  check_uniform(init::fan_in_uniform(shape, 25, key), 0.2);
  const auto check_normal = [&](const Array& x, double wanted) {
    EXPECT_NEAR(deviation(x), wanted, 0.02 * wanted);
    EXPECT_GT(largest(x), 3 * wanted);
  };
  check_normal(init::glorot_normal(shape, key), std::sqrt(2.0 / 500));
  check_normal(init::he_normal(shape, key), std::sqrt(2.0 / 300));
  check_normal(init::normal(shape, key, 0, 3), 3);
  EXPECT_NEAR(mean(init::normal(shape, key, 5, 1)).item<double>(), 5, 0.02);
  EXPECT_TRUE(near(init::constant({2}, 0.25), array({0.25f, 0.25f}), 0));
}

TEST(Init, OrthogonalRowsOrColumns) {
  const Array key = random::key(2);
  const Array wide = init::orthogonal({6, 10}, key), tall = init::orthogonal({10, 6}, key, 2);
  EXPECT_TRUE(near(matmul(wide, transpose(wide)), eye(6), 1e-6));
  EXPECT_TRUE(near(matmul(transpose(tall), tall), 4 * eye(6), 1e-6));
  const Array kernel = init::orthogonal({4, 3, 3, 2}, key);
  const Array rows = reshape(kernel, {4, 18});
  EXPECT_TRUE(near(matmul(rows, transpose(rows)), eye(4), 1e-6));
}

TEST(Init, LayersStartAsPyTorchAndFollowTheirKey) {
  const Linear linear(400, 200, true, random::key(3));
  EXPECT_LE(largest(linear.weight), 0.05 * (1 + 1e-6));
  EXPECT_NEAR(deviation(linear.weight), 0.05 / std::sqrt(3), 0.0005);
  EXPECT_LE(largest(linear.bias), 0.05 * (1 + 1e-6));
  EXPECT_GT(largest(linear.bias), 0.04);
  const Conv2d conv(8, {.out = 64, .kernel = {5, 5}, .groups = 2}, random::key(3));
  EXPECT_LE(largest(conv.weight), 0.1 * (1 + 1e-6));
  EXPECT_GT(largest(conv.weight), 0.099);
  EXPECT_TRUE(near(Linear(400, 200, true, random::key(3)).weight, linear.weight, 0));
  EXPECT_FALSE(near(Linear(400, 200, true, random::key(4)).weight, linear.weight, 0));
}

}  // namespace
}  // namespace mica::nn
