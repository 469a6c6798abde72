#include "core/ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/eval/eval.h"
#include "core/ops/conv_nd.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/products.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;

TEST(Rope, TurnsPairsByTheirAngles) {
  const int64_t length = 5, features = 8, dims = 6;
  const Array x = normal_array({2, length, features}, 1);
  const std::vector<double> values = x.to_vector<double>();
  for (const bool traditional : {false, true}) {
    std::vector<double> wanted = values;
    for (int64_t row = 0; row < 2 * length; ++row) {
      for (int64_t j = 0; j < dims / 2; ++j) {
        const double position = (static_cast<double>(row % length) + 3) * 0.5;
        const double angle = position * std::pow(100.0, -2.0 * static_cast<double>(j) / dims);
        const size_t a = static_cast<size_t>(row * features + (traditional ? 2 * j : j));
        const size_t b = a + (traditional ? 1 : dims / 2);
        wanted[a] = values[a] * std::cos(angle) - values[b] * std::sin(angle);
        wanted[b] = values[a] * std::sin(angle) + values[b] * std::cos(angle);
      }
    }
    const RopeOptions options{.traditional = traditional, .base = 100, .scale = 0.5, .offset = 3};
    expect_values(rope(x, dims, options), wanted, 1e-14);
  }
}

TEST(Rope, ProductsDependOnDistancesOnly) {
  const Array q = normal_array({1, 8}, 1), k = normal_array({1, 8}, 2);
  const auto product = [&](double i, double j) {
    return sum(rope(q, 8, {.offset = i}) * rope(k, 8, {.offset = j})).item<double>();
  };
  EXPECT_NEAR(product(3, 1), product(12, 10), 1e-12);
}

TEST(Rope, ErrorsAndDerivatives) {
  EXPECT_EQ(error_text([] {
              rope(zeros({3, 4}), 3);
            }),
            "[rope] dims is 3; wanted an even number from 2 to the 4 features of (3, 4)");
  EXPECT_EQ(error_text([] { rope(zeros({4}), 2); }),
            "[rope] shape (4,); wanted (..., length, features)");
  testing::check_derivatives([](const Arrays& in) { return rope(in[0], 4); },
                             {normal_array({3, 6}, 1)});
  EXPECT_EQ(rope(zeros({3, 4}, bfloat16), 4).dtype(), bfloat16);
}

TEST(Convolve, EqualsTheSumsOfNumPy) {
  for (const auto& [n, m] : {std::pair(7, 3), {3, 7}, {5, 4}, {4, 4}, {1, 6}, {6, 1}}) {
    const Array a = normal_array({n}, 1), v = normal_array({m}, 2);
    const auto x = a.to_vector<double>(), y = v.to_vector<double>();
    std::vector<double> full(static_cast<size_t>(n + m - 1), 0);
    for (size_t i = 0; i < x.size(); ++i) {
      for (size_t j = 0; j < y.size(); ++j) full[i + j] += x[i] * y[j];
    }
    expect_values(convolve(a, v), full, 1e-13);
    const int64_t shorter = std::min(n, m), longer = std::max(n, m);
    const auto part = [&](int64_t begin, int64_t count) {
      return std::vector<double>(full.begin() + begin, full.begin() + begin + count);
    };
    expect_values(convolve(a, v, ConvolveMode::kSame), part((shorter - 1) / 2, longer), 1e-13);
    expect_values(convolve(a, v, ConvolveMode::kValid), part(shorter - 1, longer - shorter + 1),
                  1e-13);
  }
  EXPECT_EQ(error_text([] { convolve(zeros({0}), ones({2})); }),
            "[convolve] shapes (0,) and (2,); wanted two vectors that are not empty");
}

TEST(CanCast, ValuesSurvive) {
  EXPECT_TRUE(can_cast(uint8, int16));
  EXPECT_FALSE(can_cast(uint8, int8));
  EXPECT_FALSE(can_cast(int8, uint64));
  EXPECT_TRUE(can_cast(int16, float32));
  EXPECT_FALSE(can_cast(int64, float64));
  EXPECT_FALSE(can_cast(float16, bfloat16));
  EXPECT_TRUE(can_cast(bfloat16, float32));
  EXPECT_TRUE(can_cast(float64, complex128));
  EXPECT_FALSE(can_cast(float64, complex64));
  EXPECT_FALSE(can_cast(complex64, float64));
  EXPECT_TRUE(can_cast(bool_, int8));
  EXPECT_FALSE(can_cast(int8, bool_));
  expect_same(full_like(zeros({2, 2}, float64), 3), full({2, 2}, 3.0, float64), 0);
}

}  // namespace
}  // namespace mica
