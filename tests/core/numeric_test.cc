// NumPy's functions that are made of others: creation, rearranging, statistics and closeness. The
// wanted values are NumPy's.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/numeric.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Array range(const Shape& shape, Dtype dtype = float64) {
  return astype(reshape(arange(size_of(shape)), shape), dtype);
}

TEST(CreateTest, TrianglesAndDiagonals) {
  const Array x = range({3, 4});
  expect_values(tri(2, 3, 1), {1, 1, 0, 1, 1, 1});
  expect_values(tril(x, -1), {0, 0, 0, 0, 4, 0, 0, 0, 8, 9, 0, 0});
  expect_values(triu(x, 1), {0, 1, 2, 3, 0, 0, 6, 7, 0, 0, 0, 11});
  expect_values(diagonal(x), {0, 5, 10});
  expect_values(diagonal(x, 2), {2, 7});
  expect_values(diagonal(x, -1), {4, 9});
  EXPECT_EQ(diagonal(x, 5).shape(), Shape({0}));
  EXPECT_EQ(diagonal(range({2, 3, 4}), 0, 2, 0).shape(), Shape({3, 2}));
  expect_values(diagonal(range({2, 3, 4}), 1, 2, 0), {12, 16, 20});
  expect_values(diagonal(range({2, 3, 4}), -1, 2, 0), {1, 14, 5, 18, 9, 22});
  const Array v = array({1, 2});
  expect_values(diag(v, 1), {0, 1, 0, 0, 0, 2, 0, 0, 0});
  expect_values(diag(v, -1), {0, 0, 0, 1, 0, 0, 0, 2, 0});
  EXPECT_EQ(diag(v).dtype(), int32);
  expect_values(trace(range({3, 3}), 1), {6});
  check_derivatives([](const Arrays& in) { return diag(in[0], -2) * 2; }, {normal_array({3}, 1)});
  check_derivatives([](const Arrays& in) { return square(diagonal(in[0], 1)); },
                    {normal_array({3, 4}, 1)});
  EXPECT_EQ(error_text([&] {
              diag(range({2, 2, 2}));
            }),
            "[diag] shape (2, 2, 2) is neither a vector nor a matrix");
}

TEST(CreateTest, GridsAndWindows) {
  const Arrays xy = meshgrid({arange(3), arange(2)});
  expect_values(xy[0], {0, 1, 2, 0, 1, 2});
  expect_values(xy[1], {0, 0, 0, 1, 1, 1});
  EXPECT_EQ(meshgrid({arange(3), arange(2)}, true)[0].shape(), Shape({3, 2}));
  expect_values(bartlett(5), {0, 0.5, 1, 0.5, 0});
  expect_values(hanning(4), {0, 0.75, 0.75, 0});
  expect_values(hamming(3), {0.08, 1, 0.08});
  expect_values(blackman(5), {0, 0.34, 1, 0.34, 0});
  expect_values(hanning(1), {1});
  EXPECT_EQ(bartlett(0).shape(), Shape({0}));
}

TEST(ViewTest, RollsRepeatsAndTiles) {
  const Array x = range({2, 3});
  expect_values(roll(x, 1, 1), {2, 0, 1, 5, 3, 4});
  expect_values(roll(x, -4), {4, 5, 0, 1, 2, 3});
  expect_values(roll(x, 5, 0), {3, 4, 5, 0, 1, 2});
  expect_values(repeat(x, 2, 0), {0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5});
  expect_values(repeat(array({1, 2}), 2), {1, 1, 2, 2});
  expect_values(tile(array({1, 2}), {2, 2}), {1, 2, 1, 2, 1, 2, 1, 2});
  EXPECT_EQ(tile(x, {2, 1, 3}).shape(), Shape({2, 2, 9}));
  EXPECT_EQ(tile(x, {2}).shape(), Shape({2, 6}));
  EXPECT_EQ(repeat(x, 0, 1).shape(), Shape({2, 0}));
  check_derivatives([](const Arrays& in) { return square(roll(tile(in[0], {2}), 1, 0)); },
                    {normal_array({2, 2}, 1)}, {.order = 1});
}

TEST(ViewTest, ChangesRanks) {
  EXPECT_EQ(unflatten(range({2, 6}), 1, {-1, 2}).shape(), Shape({2, 3, 2}));
  EXPECT_EQ(atleast_1d(Array(1.0f)).shape(), Shape({1}));
  EXPECT_EQ(atleast_2d(range({3})).shape(), Shape({1, 3}));
  EXPECT_EQ(atleast_3d(range({3})).shape(), Shape({1, 3, 1}));
  const Arrays same = broadcast_arrays({range({3}), range({2, 1})});
  EXPECT_EQ(same[0].shape(), Shape({2, 3}));
  expect_values(same[1], {0, 0, 0, 1, 1, 1});
  EXPECT_EQ(unstack(range({2, 3}), 1).size(), 3u);
  expect_values(unstack(range({2, 3}), 1)[2], {2, 5});
  EXPECT_EQ(error_text([&] {
              unflatten(range({2, 6}), 1, {4, 2});
            }),
            "[unflatten] axis 1 of shape (2, 6) does not make (4, 2)");
}

TEST(ViewTest, PadsWithItsOwnValues) {
  const Array x = array({1, 2, 3});
  const auto padded = [&](PadMode mode) { return pad(x, {2}, {4}, mode); };
  expect_values(padded(PadMode::kEdge), {1, 1, 1, 2, 3, 3, 3, 3, 3});
  expect_values(padded(PadMode::kReflect), {3, 2, 1, 2, 3, 2, 1, 2, 3});
  expect_values(padded(PadMode::kSymmetric), {2, 1, 1, 2, 3, 3, 2, 1, 1});
  expect_values(padded(PadMode::kWrap), {2, 3, 1, 2, 3, 1, 2, 3, 1});
  expect_values(pad(array({7}), {1}, {1}, PadMode::kReflect), {7, 7, 7});
  EXPECT_EQ(pad(range({2, 3}), {1, 0}, {0, 2}, PadMode::kEdge).shape(), Shape({3, 5}));
  check_derivatives(
      [](const Arrays& in) {
        return square(pad(in[0], {2, 1}, {1, 2}, PadMode::kReflect));
      },
      {normal_array({3, 4}, 1)});
  EXPECT_EQ(error_text([] { pad(zeros({0}), {1}, {1}, PadMode::kEdge); }),
            "[pad] axis 0 of shape (0,) is empty");
}

TEST(ViewTest, ReplacesSlices) {
  const Array x = range({3, 4});
  expect_values(slice_update(x, Array(-1), {0, 1}, {3, 4}, {2, 2}),
                {0, -1, 2, -1, 4, 5, 6, 7, 8, -1, 10, -1});
  expect_values(slice_update(x, array({10, 20}), {1, -1}, {2, 0}, {1, -2}),
                {0, 1, 2, 3, 4, 20, 6, 10, 8, 9, 10, 11});
  check_derivatives(
      [](const Arrays& in) {
        return square(slice_update(in[0], in[1], {1, 0}, {3, 2}));
      },
      {normal_array({3, 4}, 1), normal_array({2}, 2)});
}

TEST(Index, SelectsByValues) {
  const Array x = reshape(array({0, 3, 0, 5, 0, 7}), {2, 3});
  const Arrays at = nonzero(x);
  expect_values(at[0], {0, 1, 1});
  expect_values(at[1], {1, 0, 2});
  expect_values(masked_select(x, x > 4), {5, 7});
  EXPECT_EQ(masked_select(x, array({0, 1}) == 1).shape(), Shape({1, 3}));
  EXPECT_EQ(masked_select(x, x > 9).shape(), Shape({0}));
  expect_values(unique(array<double>({3.0, kNan, 1.0, 3.0, kNan, -2.0})), {-2, 1, 3, kNan});
  expect_values(unique(array({5})), {5});
  const Array mask = array({1, 0, 1, 1}) == 1;
  check_derivatives([&](const Arrays& in) { return square(masked_select(in[0], mask)); },
                    {normal_array({4, 2}, 1)});
  EXPECT_EQ(error_text([&] {
              masked_select(x, array({1, 0, 1}) == 1);
            }),
            "[masked_select] got a bool mask of shape (3,); wanted bool and the first axes of "
            "(2, 3)");
}

TEST(Numeric, TestsOfCloseness) {
  const Array x = array<double>({1.0, kNan, kInfinity, 1.0}),
              y = array<double>({1.00001, kNan, kInfinity, 2.0});
  expect_values(isclose(x, y), {1, 0, 1, 0});
  expect_values(isclose(x, y, {.equal_nan = true}), {1, 1, 1, 0});
  EXPECT_FALSE(allclose(x, y).item<bool>());
  EXPECT_TRUE(allclose(x, x, {.equal_nan = true}).item<bool>());
  EXPECT_TRUE(array_equal(arange(3), arange(3)).item<bool>());
  EXPECT_FALSE(array_equal(arange(3), arange(4)).item<bool>());
  EXPECT_FALSE(isclose(array<double>({kInfinity}), array<double>({-kInfinity})).item<bool>());
}

TEST(Numeric, ReplacesWhatIsNoNumber) {
  const Array x = array({1.0f, NAN, INFINITY, -INFINITY});
  expect_values(nan_to_num(x, 7, 8, 9), {1, 7, 8, 9});
  expect_values(nan_to_num(x), {1, 0, 3.4028234663852886e38, -3.4028234663852886e38}, 1e-7);
  expect_values(isposinf(x), {0, 0, 1, 0});
  expect_values(isneginf(x), {0, 0, 0, 1});
  EXPECT_EQ(nan_to_num(arange(2)).dtype(), int32);
}

TEST(Numeric, BitsQuotientsAndAngles) {
  expect_values(bitwise_invert(array({0, 5, -1})), {-1, -6, 0});
  expect_values(bitwise_invert(astype(array({0, 5}), uint8)), {255, 250});
  expect_values(bitwise_invert(array({1, 0}) == 1), {0, 1});
  expect_values(logical_xor(array({1, 0, 2}), array({1, 3, 0})), {0, 1, 1});
  const Arrays both = divmod(array({7, -7}), array({3, 3}));
  expect_values(both[0], {2, -3});
  expect_values(both[1], {1, 2});
  expect_values(degrees(radians(array({90.0f}))), {90}, 1e-6);
}

TEST(Numeric, Statistics) {
  const Array x = array<double>({3.0, 1.0, 2.0, 10.0});
  EXPECT_EQ(median(x).item<double>(), 2.5);
  expect_values(median(reshape(x, {2, 2}), {0}), {2.5, 5.5});
  EXPECT_EQ(median(reshape(x, {2, 2}), {}, true).shape(), Shape({1, 1}));
  EXPECT_TRUE(std::isnan(median(array<double>({1.0, kNan, 2.0})).item<double>()));
  EXPECT_EQ(median(arange(3)).item<double>(), 1);
  EXPECT_NEAR(stddev(x).item<double>(), 3.5355339059327378, 1e-12);
  EXPECT_NEAR(stddev(x, {}, false, 1).item<double>(), 4.08248290463863, 1e-12);
  expect_values(count_nonzero(reshape(array({0, 1, 2, 0, 0, 3}), {2, 3}), {1}), {2, 1});
  check_derivatives([](const Arrays& in) { return median(in[0], {1}); }, {normal_array({2, 4}, 1)});
  check_derivatives([](const Arrays& in) { return stddev(in[0], {0}); }, {normal_array({4, 2}, 1)});
}

TEST(Numeric, Differences) {
  expect_values(diff(array({1, 4, 9, 16})), {3, 5, 7});
  expect_values(diff(array({1, 4, 9, 16}), 2), {2, 2});
  EXPECT_EQ(diff(range({2, 3}), 1, 0).shape(), Shape({1, 3}));
  EXPECT_EQ(diff(range({2}), 3).shape(), Shape({0}));
  expect_values(diff(array({1, 0, 0}) == 1), {1, 0});
}

}  // namespace
}  // namespace mica
