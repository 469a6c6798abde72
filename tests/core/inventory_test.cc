// The small functions that complete NumPy's and MLX's lists: each against numbers worked out by
// hand or another way to compute them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/eval/eval.h"
#include "core/graph/dtype_info.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/numeric.h"
#include "core/ops/products.h"
#include "core/ops/reduce.h"
#include "core/ops/scan.h"
#include "core/ops/softmax.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"
#include "core/runtime/buffer.h"
#include "core/transform/grad.h"
#include "core/transform/jacobian.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using ::testing::HasSubstr;
using testing::normal_array;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(SearchSorted, PlacesBeforeAndBehindEquals) {
  const Array sorted = array({1, 3, 3, 5});
  const Array values = array({{0, 1, 3}, {4, 5, 9}});
  expect_values(searchsorted(sorted, values), {0, 0, 1, 3, 3, 4});
  expect_values(searchsorted(sorted, values, true), {0, 1, 3, 3, 4, 4});
  EXPECT_EQ(searchsorted(sorted, values).shape(), Shape({2, 3}));
  EXPECT_EQ(searchsorted(sorted, values).dtype(), int32);
  // -0 equals 0, NaN is largest, types are promoted.
  const Array floats = array({-1.0f, 0.0f, 2.0f, kNan});
  expect_values(searchsorted(floats, array({-0.0f, kNan, 1e30f})), {1, 3, 3});
  expect_values(searchsorted(floats, array({0.0f, kNan}), true), {2, 4});
  expect_values(searchsorted(sorted, array({3.5f})), {3});
  expect_values(searchsorted(zeros({0}), array({1.0f})), {0});
  EXPECT_TRUE(searchsorted(sorted, zeros({0})).to_bytes().empty());
  EXPECT_EQ(searchsorted(sorted, Array(2)).item<int>(), 1);
  // Every row's own.
  const ArraysFunction search = [](const Arrays& in) { return Arrays{searchsorted(in[0], in[1])}; };
  expect_values(vmap(search)({array({{1, 2}, {5, 6}}), array({{2, 9}, {2, 9}})})[0], {1, 2, 0, 2});
  EXPECT_THAT(error_text([&] { searchsorted(values, values); }),
              HasSubstr("[searchsorted] wanted a sorted vector, got shape (2, 3)"));
}

TEST(Partition, TheElementIsWhereSortingPutsIt) {
  const Array x = normal_array({5, 31}, 1);
  for (const int64_t kth : {0, 7, 30, -1}) {
    const Array y = partition(x, kth), sorted = sort(x);
    const int64_t at = kth < 0 ? kth + 31 : kth;
    const Array pivot = slice_axis(y, -1, at, at + 1);
    expect_same(pivot, slice_axis(sorted, -1, at, at + 1), 0);
    EXPECT_TRUE(all(slice_axis(y, -1, 0, at) <= pivot).item<bool>());
    EXPECT_TRUE(all(slice_axis(y, -1, at, 31) >= pivot).item<bool>());
    expect_same(take_along_axis(x, argpartition(x, kth), -1), y, 0);
  }
  EXPECT_THAT(error_text([&] { partition(x, 5, 0); }), HasSubstr("[partition] kth = 5"));
}

TEST(LogCumSumExp, ValuesAndGradientsWithoutOverflow) {
  const Array x = normal_array({3, 5}, 2);
  for (const bool reverse : {false, true}) {
    const ScanOptions inclusive = {.reverse = reverse}, exclusive = {reverse, false};
    expect_same(logcumsumexp(x, 1, inclusive), log(cumsum(exp(x), 1, inclusive)), 1e-13);
    check_derivatives([&](const Arrays& in) { return logcumsumexp(in[0], 1, inclusive); }, {x});
    // The first of an exclusive scan is -infinity and left out.
    check_derivatives(
        [&](const Arrays& in) {
          const Array y = logcumsumexp(in[0], -1, exclusive);
          return reverse ? slice_axis(y, 1, 0, 4) : slice_axis(y, 1, 1, 5);
        },
        {x});
  }
  const Array wide = array({-1e30f, 1000.0f, 999.0f, -5000.0f});
  expect_values(logcumsumexp(wide, 0), {-1e30, 1000, 1000.3132617, 1000.3132617}, 1e-6);
  const auto last = [](const Array& a) { return slice_axis(logcumsumexp(a, 0), 0, 3, 4); };
  // The sums are rounded to 1000 epsilon / 2, which the gradient has for its relative error.
  expect_same(grad([&](const Array& a) { return sum(last(a)); })(wide), softmax(wide), 6e-5);
  const Array empty_sums = array<double>({-kInf, -kInf, 2.0, kInf});
  expect_values(logcumsumexp(empty_sums, 0), {-kInf, -kInf, 2, kInf});
  EXPECT_FALSE(any(isnan(grad([&](const Array& a) { return sum(last(a)); })(
                       array({-INFINITY, -INFINITY, 2.0f, 1.0f}))))
                   .item<bool>());
  expect_values(logcumsumexp(array({0.0f, kNan, 1.0f}), 0), {0, kNan, kNan});
  EXPECT_EQ(logcumsumexp(array({1, 2}), 0).dtype(), float32);
}

TEST(Round, ToDecimals) {
  expect_values(round(array<double>({1.2345, -1.235, 0.5, 1.5}), 2), {1.23, -1.24, 0.5, 1.5});
  expect_values(round(array<double>({0.5, 1.5, 2.5}), 0), {0, 2, 2});
  expect_values(round(array<double>({1250, -1350, 49}), -2), {1200, -1400, 0});
  expect_values(round(array({15, 25, -149}), -1), {20, 20, -150});
  EXPECT_EQ(round(array({15}), -1).dtype(), int32);
  expect_values(round(array({7}), 3), {7});
}

TEST(Views, PartsStridesAndBytes) {
  const Array x = arange(10);
  const Arrays parts = array_split(x, {3, 3, -2});
  ASSERT_EQ(parts.size(), 4u);
  expect_values(parts[0], {0, 1, 2});
  EXPECT_EQ(parts[1].size(), 0);
  expect_values(parts[2], {3, 4, 5, 6, 7});
  expect_values(parts[3], {8, 9});
  EXPECT_THAT(error_text([&] { array_split(x, {5, 3}); }), HasSubstr("[array_split] position 3"));

  // Windows of three, and backwards.
  expect_values(as_strided(x, {3, 3}, {2, 1}, 1), {1, 2, 3, 3, 4, 5, 5, 6, 7});
  expect_values(as_strided(x, {3}, {-4}, 9), {9, 5, 1});
  EXPECT_TRUE(as_strided(x, {0}, {100}).to_bytes().empty());
  EXPECT_THAT(error_text([&] { as_strided(x, {3}, {4}, 2); }), HasSubstr("elements 2 to 10"));
  check_derivatives(
      [](const Arrays& in) {
        return as_strided(in[0], {3, 3}, {2, 1});
      },
      {normal_array({8}, 3)});

  expect_values(view(array({1.0f, -2.0f}), int32), {0x3f800000, int32_t(0xc0000000)});
  const Array halves = view(array({1.0f, -2.0f}), uint16);
  expect_values(halves, {0, 0x3f80, 0, 0xc000});
  expect_values(view(halves, float32), {1, -2});
  expect_values(view(transpose(array({{1, 2}, {3, 4}})), uint32), {1, 3, 2, 4});
  EXPECT_THAT(error_text([] { view(zeros({3}, uint8), int16); }),
              HasSubstr("[view] uint8 of shape (3,) has no whole number of int16"));
  EXPECT_THAT(error_text([] { view(zeros({4}), bool_); }), HasSubstr("are no bool"));
  expect_values(vmap([](const Array& row) { return view(row, uint8); })(zeros({2, 1})),
                {0, 0, 0, 0, 0, 0, 0, 0});

  expect_same(permute_dims(normal_array({2, 3, 4}, 4), {2, 0, 1}),
              transpose(normal_array({2, 3, 4}, 4), {2, 0, 1}), 0);
  const Array a = array({1.0f, 2.0f});
  expect_values(depends({a * 2}, {a + 1})[0], {2, 4});
  expect_values(grad([](const Array& v) { return sum(depends({v * v}, {v + 1})[0]); })(a), {2, 4});
  expect_values(identity(2), {1, 0, 0, 1});
  expect_values(negative(positive(a)), {-1, -2});
  EXPECT_EQ(result_type({a, array({1}), Array(2.5)}), float32);
}

TEST(DtypeInfo, EndsOfTheTypes) {
  EXPECT_EQ(iinfo(int8).min, -128);
  EXPECT_EQ(iinfo(int8).max, 127u);
  EXPECT_EQ(iinfo(uint64).max, UINT64_MAX);
  EXPECT_EQ(iinfo(int64).min, INT64_MIN);
  EXPECT_EQ(iinfo(int64).max, uint64_t(INT64_MAX));
  for (const Dtype dtype : {float16, bfloat16, float32, float64}) {
    const FloatInfo info = finfo(dtype);
    const Array largest = Array::scalar(info.max, dtype), unit = Array::scalar(1, dtype);
    EXPECT_TRUE(isfinite(largest).item<bool>());
    EXPECT_TRUE(isinf(largest * Array::scalar(1 + info.eps, dtype)).item<bool>());
    EXPECT_GT((unit + Array::scalar(info.eps, dtype)).item<double>(), 1);
    EXPECT_EQ((unit + Array::scalar(info.eps / 2, dtype)).item<double>(), 1);
    EXPECT_EQ(Array::scalar(info.smallest_normal, dtype).item<double>(), info.smallest_normal);
  }
  EXPECT_THAT(error_text([] { finfo(int32); }), HasSubstr("[finfo] int32"));
  EXPECT_THAT(error_text([] { iinfo(float32); }), HasSubstr("[iinfo] float32"));
}

TEST(SpecialProducts, PickedSegmentedAndMasked) {
  const Array a = normal_array({2, 2, 3, 4}, 5), b = normal_array({5, 4, 2}, 6);
  const Array left = array({3, 0, 0}), right = array({{4}, {1}});
  const Array got = gather_mm(a, b, left, right);
  EXPECT_EQ(got.shape(), Shape({2, 3, 3, 2}));
  const Array flat = reshape(a, {4, 3, 4});
  const auto one = [](const Array& x, int64_t i) {
    return squeeze(slice_axis(x, 0, i, i + 1), {0});
  };
  expect_same(one(one(got, 1), 0), matmul(one(flat, 3), one(b, 1)), 1e-14);
  check_derivatives([&](const Arrays& in) { return gather_mm(in[0], in[1], left, right); }, {a, b});

  const Array m = normal_array({3, 6}, 7), n = normal_array({6, 2}, 8);
  const Array segments = array({{0, 2}, {2, 6}, {3, 3}});
  const Array wanted =
      stack({matmul(slice_axis(m, 1, 0, 2), slice_axis(n, 0, 0, 2)),
             matmul(slice_axis(m, 1, 2, 6), slice_axis(n, 0, 2, 6)), zeros({3, 2}, float64)});
  expect_same(segmented_mm(m, n, segments), wanted, 1e-14);

  const Array blocks_a = array({{true, false, true}, {false, true, true}});
  const Array on = slice_axis(repeat(repeat(blocks_a, 2, 0), 2, 1), 0, 0, 3);
  expect_same(block_masked_mm(m, n, 2, {}, blocks_a), matmul(where(on, m, 0), n), 1e-14);
  const Array scales = array<double>({{2.0}, {0.5}});
  const Array rows = slice_axis(repeat(scales, 2, 0), 0, 0, 3);
  expect_same(block_masked_mm(m, n, 2, scales), matmul(m, n) * rows, 1e-14);
  EXPECT_THAT(error_text([&] { block_masked_mm(m, n, 2, blocks_a); }),
              HasSubstr("[block_masked_mm] mask_out has shape (2, 3); wanted 2 x 1 blocks"));
}

TEST(SpecialProducts, HadamardMatricesAreOrthogonal) {
  for (const int64_t n : {1, 2, 8, 32, 12, 20, 28, 24, 112}) {
    const Array h = hadamard_transform(eye(n, -1, float64), 1);
    EXPECT_TRUE(all(abs(h) == 1).item<bool>()) << n;
    expect_same(matmul(h, transpose(h)), static_cast<double>(n) * eye(n, -1, float64), 1e-12);
  }
  expect_values(hadamard_transform(array({1, 0, 0, 0, 0, 0, 0, 1}), 1), {2, 0, 0, 2, 0, 2, 2, 0});
  const Array x = normal_array({3, 16}, 9);
  expect_same(hadamard_transform(hadamard_transform(x)), x, 1e-13);
  EXPECT_THAT(error_text([] { hadamard_transform(zeros({6})); }),
              HasSubstr("[hadamard_transform] length 6"));
}

TEST(Memory, TheCacheGoesAndThePeakIsCounted) {
  { eval(ones({1 << 20}) + 1); }
  EXPECT_GT(memory_use().cached, 0u);
  clear_memory_cache();
  EXPECT_EQ(memory_use().cached, 0u);
  reset_peak_memory();
  const size_t before = memory_use().peak;
  { eval(ones({1 << 20}) + 1); }
  EXPECT_GE(memory_use().peak, before + (size_t{4} << 20));
}

}  // namespace
}  // namespace mica
