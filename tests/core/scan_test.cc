#include "core/ops/scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/view.h"
#include "core/transform/grad.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr ScanOptions kAll[] = {{false, true}, {false, false}, {true, true}, {true, false}};

TEST(Scan, Values) {
  const Array x = array({3, 1, 4, 1});
  expect_values(cumsum(x, 0), {3, 4, 8, 9});
  expect_values(cumsum(x, 0, {.reverse = true}), {9, 6, 5, 1});
  expect_values(cumsum(x, 0, {.inclusive = false}), {0, 3, 4, 8});
  expect_values(cumsum(x, 0, {.reverse = true, .inclusive = false}), {6, 5, 1, 0});
  expect_values(cumprod(x, 0), {3, 3, 12, 12});
  expect_values(cumprod(x, 0, {.reverse = true, .inclusive = false}), {4, 4, 1, 1});
  expect_values(cummax(x, 0), {3, 3, 4, 4});
  expect_values(cummax(x, 0, {.reverse = true}), {4, 4, 4, 1});
  expect_values(cummin(x, 0), {3, 1, 1, 1});
  expect_values(cummin(x, 0, {.inclusive = false}), {INT32_MAX, 3, 1, 1});
  expect_values(cummax(astype(x, float16), 0, {.inclusive = false}), {-INFINITY, 3, 3, 4});
}

TEST(Scan, AnyAxisStridedBroadcastAndLengthOne) {
  const Array x = normal_array({3, 1, 200}, 1);
  for (const ScanOptions& options : kAll) {
    for (int axis = -3; axis < 3; ++axis) {
      const Array along_last = moveaxis(cumsum(moveaxis(x, axis, -1), -1, options), -1, axis);
      expect_same(cumsum(x, axis, options), along_last, 1e-12);
      const Array turned = transpose(cumsum(transpose(x), 2 - (axis + 3) % 3, options));
      expect_same(cumsum(x, axis, options), turned, 1e-12);
    }
  }
  expect_values(cumsum(broadcast_to(array({1}), {4}), 0), {1, 2, 3, 4});
  expect_values(cumsum(flip(array({1, 2, 3})), 0), {3, 5, 6});
}

TEST(Scan, Types) {
  EXPECT_EQ(cumsum(astype(array({200, 100}), uint8), 0).dtype(), uint32);
  expect_values(cumsum(astype(array({200, 100}), uint8), 0), {200, 300});
  EXPECT_EQ(cumsum(array({true, true}), 0).dtype(), int32);
  expect_values(cumsum(array({true, true}), 0), {1, 2});
  EXPECT_EQ(cummax(astype(array({200, 100}), uint8), 0).dtype(), uint8);
  // Half types accumulate in float32: 2048 ones and one more.
  const Array half = cumsum(ones({4096}, float16), 0);
  EXPECT_EQ(half.to_vector<float>()[4095], 4096);
  EXPECT_THAT(error_text([] { cummax(astype(array({1.0f}), complex64), 0); }),
              ::testing::HasSubstr("complex numbers have no order"));
  EXPECT_THAT(error_text([] { cumsum(Array(1), 0); }), ::testing::HasSubstr("[cumsum]"));
}

TEST(Scan, IntegersWrapAround) {
  expect_values(cumsum(array({INT32_MAX, 1}), 0), {INT32_MAX, INT32_MIN});
  expect_values(cumprod(array({1 << 30, 4}), 0), {1 << 30, 0});
}

TEST(Scan, EmptyArrays) {
  EXPECT_EQ(cumsum(zeros({0}), 0).to_vector<float>().size(), 0u);
  EXPECT_EQ(cumprod(zeros({3, 0}), 0).shape(), Shape({3, 0}));
  EXPECT_EQ(cummax(zeros({0, 3}), 0).to_vector<float>().size(), 0u);
}

TEST(Scan, NanWins) {
  const Array x = array({1.0f, kNan, 3.0f});
  expect_values(cummax(x, 0), {1, kNan, kNan});
  expect_values(cummin(x, 0), {1, kNan, kNan});
  expect_values(cummax(x, 0, {.reverse = true}), {kNan, kNan, 3});
}

TEST(Scan, Derivatives) {
  const Array x = normal_array({3, 4}, 2);
  for (const ScanOptions& options : kAll) {
    for (const int axis : {0, 1}) {
      const auto check = [&](Array (*scan)(const Array&, int, const ScanOptions&)) {
        check_derivatives([&](const Arrays& in) { return scan(in[0], axis, options); }, {x});
      };
      check(cumsum);
      check(cumprod);
      if (options.inclusive) {  // an infinite identity has no differences
        check(cummax);
        check(cummin);
      }
    }
  }
}

TEST(Scan, ExclusiveExtremesPassGradientsOn) {
  const auto second = [](const Array& x) {
    return slice_axis(cummax(x, 0, {.inclusive = false}), 0, 1, 3);
  };
  const auto total = [&](const Array& x) { return cumsum(second(x), 0, {.reverse = true}); };
  // d(sum over outputs 1 and 2): both see x[0] = 5.
  const auto first = [&](const Array& x) { return squeeze(slice_axis(total(x), 0, 0, 1)); };
  expect_values(grad(first)(array({5.0f, 1.0f, 9.0f})), {2, 0, 0});
}

TEST(Scan, CumprodDifferentiatesThroughZeros) {
  for (const ScanOptions& options : kAll) {
    const Array x = Array::from(std::vector<double>{2, 0, 3, 0, 1.5}, {5});
    check_derivatives([&](const Arrays& in) { return cumprod(in[0], 0, options); }, {x});
  }
}

TEST(Scan, EqualExtremesGiveTheFirstTheGradient) {
  const auto last = [](const Array& x) { return squeeze(slice_axis(cummax(x, 0), 0, 2, 3)); };
  expect_values(grad(last)(array({1.0f, 7.0f, 7.0f})), {0, 1, 0});
}

TEST(LinearRecurrence, ValuesAndDerivatives) {
  const Array a = array({0.5f, 2.0f, -1.0f});
  const Array b = array({1.0f, 1.0f, 1.0f});
  expect_values(linear_recurrence(a, b, 0), {1, 3, -2});
  expect_values(linear_recurrence(a, b, 0, true), {2.5, 3, 1});
  expect_values(linear_recurrence(array({INFINITY}), array({1.0f}), 0), {1});
  for (const bool reverse : {false, true}) {
    for (const int axis : {0, 1}) {
      check_derivatives(
          [&](const Arrays& in) { return linear_recurrence(in[0], in[1], axis, reverse); },
          {normal_array({3, 4}, 3), normal_array({4}, 4)});
    }
  }
}

}  // namespace
}  // namespace mica
