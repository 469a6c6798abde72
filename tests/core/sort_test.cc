#include "core/ops/sort.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/ops/elementwise.h"
#include "core/ops/view.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Positions by std::stable_sort, NaN last.
std::vector<double> stable_order(const std::vector<double>& x) {
  std::vector<double> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](double a, double b) {
    const double left = x[static_cast<size_t>(a)];
    const double right = x[static_cast<size_t>(b)];
    return left < right || (!std::isnan(left) && std::isnan(right));
  });
  return order;
}

// Lengths on both sides of where radix sort takes over; few different values, so that stability
// shows.
TEST(Sort, ArgsortIsStableForAllTypesAndLengths) {
  for (const Dtype dtype : {bool_, uint8, int8, uint16, int16, uint32, int32, uint64, int64,
                            float16, bfloat16, float32, float64}) {
    for (const int64_t n : {1, 2, 10, 63, 64, 65, 1000}) {
      Array x = round(normal_array({n}, static_cast<uint32_t>(n)) * 3);
      if (is_unsigned(dtype)) x = abs(x);
      x = astype(x, dtype);
      expect_values(argsort(x), stable_order(x.to_vector<double>()), 0);
    }
  }
}

TEST(Sort, ExtremesOfIntegers) {
  const Array longs = array<int64_t>({int64_t(5), INT64_MIN, INT64_MAX, int64_t(-1)});
  EXPECT_EQ(argsort(longs).to_vector<int>(), (std::vector<int>{1, 3, 0, 2}));
  const Array words = array<uint64_t>({uint64_t(5), ~uint64_t(0), uint64_t(1) << 63});
  EXPECT_EQ(argsort(words).to_vector<int>(), (std::vector<int>{0, 2, 1}));
}

TEST(Sort, NanLastAndZerosInPlace) {
  const Array x = array({kNan, 1.0f, -INFINITY, -kNan, 0.0f, -0.0f, INFINITY});
  EXPECT_EQ(argsort(x).to_vector<int>(), (std::vector<int>{2, 4, 5, 1, 6, 0, 3}));
  expect_values(sort(x), {-INFINITY, 0, -0.0, 1, INFINITY, kNan, kNan});
  const auto [values, order] = topk(x, 3);
  EXPECT_EQ(order.to_vector<int>(), (std::vector<int>{0, 3, 6}));
}

TEST(Sort, AnyAxisAndStridedInput) {
  const Array x = normal_array({4, 5, 6}, 1);
  for (int axis = -3; axis < 3; ++axis) {
    const Array moved = moveaxis(sort(moveaxis(x, axis, -1)), -1, axis);
    expect_same(sort(x, axis), moved, 0);
  }
  expect_same(sort(transpose(x), 0), transpose(sort(x)), 0);
  expect_same(sort(flip(x)), sort(flip(x, {0, 1})), 0);
}

TEST(Sort, EmptyAndLengthOne) {
  EXPECT_EQ(sort(Array::from(std::vector<float>(), {0})).size(), 0);
  EXPECT_EQ(argsort(Array::from(std::vector<float>(), {3, 0})).shape(), Shape({3, 0}));
  EXPECT_EQ(sort(Array::from(std::vector<float>(), {0, 3})).to_vector<float>().size(), 0u);
  const Array column = normal_array({3, 1}, 2);
  expect_same(sort(column), column, 0);
}

TEST(Sort, TopK) {
  const Array x = array({{3, 1, 3, 2}, {0, -1, -2, 5}});
  const auto [values, order] = topk(x, 2);
  expect_values(values, {3, 3, 5, 0});
  expect_values(order, {0, 2, 3, 0});
  const auto [down, rows] = topk(x, 1, 0);
  expect_values(down, {3, 1, 3, 5});
  EXPECT_EQ(rows.shape(), Shape({1, 4}));
  EXPECT_EQ(topk(x, 0).first.shape(), Shape({2, 0}));
  expect_same(topk(x, 4).first, flip(sort(x), {1}), 0);
  EXPECT_THAT(error_text([&] { topk(x, 5); }),
              ::testing::HasSubstr("k must lie in [0, 4], the length of axis 1; got 5"));
}

TEST(Sort, Derivatives) {
  const Array x = normal_array({3, 4}, 3);
  check_derivatives([](const Arrays& in) { return square(sort(in[0])); }, {x});
  check_derivatives([](const Arrays& in) { return square(sort(in[0], 0)); }, {x});
  check_derivatives([](const Arrays& in) { return square(topk(in[0], 2).first); }, {x});
}

TEST(Sort, ErrorsNameTypesAndAxes) {
  EXPECT_THAT(error_text([] { sort(astype(array({1.0f}), complex64)); }),
              ::testing::HasSubstr("complex numbers have no order"));
  EXPECT_THAT(error_text([] { sort(array({1, 2}), 1); }), ::testing::HasSubstr("[sort]"));
}

}  // namespace
}  // namespace mica
