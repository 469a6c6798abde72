// Cases in which array libraries are known to have gone wrong, each held here once.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/linalg.h"
#include "core/ops/numeric.h"
#include "core/ops/reduce.h"
#include "core/ops/scan.h"
#include "core/ops/softmax.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::expect_values;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(KnownTraps, AnyAndAllTakeMinusZeroForZeroAndNanForTrue) {
  for (const Dtype dtype : {float32, float16, float64}) {
    const Array x = astype(array({-0.0f, kNan}), dtype);
    expect_values(any(slice_axis(x, 0, 0, 1)), {0});
    expect_values(any(x), {1});
    expect_values(all(x), {0});
  }
}

TEST(KnownTraps, NegativeIntegerPowersEnd) {
  expect_values(power(array({1, -1, 2}), array({-3, -3, -1})), {1, -1, 0});
}

TEST(KnownTraps, IntegerDivisionByZeroAndOverflowDoNotCrash) {
  const Array zero = array({0, 0});
  eval(floor_divide(array({1, -7}), zero), remainder(array({1, -7}), zero));
  const Array least = array({INT32_MIN});
  eval(floor_divide(least, array({-1})), remainder(least, array({-1})));
  expect_values(remainder(least, array({-1})), {0});
}

TEST(KnownTraps, DivisionRoundsDownAndRemaindersTakeTheDivisorsSign) {
  for (const Dtype dtype : {float32, float64, float16, bfloat16, int32, int8}) {
    const Array x = astype(array({7, -7, 7, -7, 6, -6}), dtype);
    const Array y = astype(array({2, 2, -2, -2, -3, 3}), dtype);
    expect_values(floor_divide(x, y), {3, -4, -4, 3, -2, -2});
    expect_values(remainder(x, y), {1, 1, -1, -1, 0, 0});
  }
}

TEST(KnownTraps, SumsOverAxesOfLengthOneHaveTheTypeOfOthers) {
  for (const Dtype dtype : {bool_, uint8, int16}) {
    const Array one = ones({1, 3}, dtype);
    const Array two = ones({2, 3}, dtype);
    EXPECT_EQ(sum(one, {0}).dtype(), sum(two, {0}).dtype());
    EXPECT_EQ(prod(one, {0}).dtype(), prod(two, {0}).dtype());
    EXPECT_EQ(cumsum(one, 0).dtype(), cumsum(two, 0).dtype());
  }
}

TEST(KnownTraps, GradientsAreFiniteWhereTheMathematicsIs) {
  const auto at = [](auto f, const Array& x) { return grad(UnaryFunction(f))(x); };
  // The branch that is not taken does not spoil the one that is.
  expect_values(
      at([](const Array& x) { return sum(where(x > 0, sqrt(x), 0)); }, array({4.0f, 0.0f, -1.0f})),
      {0.25, 0, 0});
  expect_values(
      at([](const Array& x) { return sum(where(x > 0, log(x), x)); }, array({2.0f, 0.0f, -1.0f})),
      {0.5, 1, 1});
  expect_values(at([](const Array& x) { return sum(maximum(sqrt(x), 1)); }, array({0.0f, 4.0f})),
                {0, 0.25});
  // A norm has the subgradient 0 at the origin.
  expect_values(at([](const Array& x) { return sqrt(sum(square(x))); }, array({0.0f, 0.0f})),
                {0, 0});
  expect_values(at([](const Array& x) { return sum(abs(x)); }, array({0.0f, -2.0f})), {0, -1});
  expect_values(at([](const Array& x) { return sum(power(x, 2)); }, array({0.0f, -3.0f})), {0, -6});
  expect_values(at([](const Array& x) { return prod(x); }, array({0.0f, 3.0f, 2.0f})), {6, 0, 0});
}

TEST(KnownTraps, EqualOpsWithOtherSettingsAreNotMerged) {
  const Array x = array({{1.0f, 2.0f}, {3.0f, 4.0f}});
  const Array rows = sum(x, {0});
  const Array columns = sum(x, {1});
  const Array forward = cumsum(x, 0);
  const Array backward = cumsum(x, 0, {.reverse = true});
  const auto [one, order] = topk(x, 1);
  eval(rows, columns, forward, backward, one, order);
  expect_values(rows, {4, 6});
  expect_values(columns, {3, 7});
  expect_values(forward, {1, 2, 4, 6});
  expect_values(backward, {4, 6, 3, 4});
  expect_values(sum(x * 2, {0}) + sum(x * 3, {0}), {20, 30});
}

TEST(KnownTraps, NegativeStridesInsideFusedChains) {
  const Array x = array({1.0f, 2.0f, 3.0f});
  expect_values((flip(x) * 2 + x) * flip(x), {21, 12, 5});
}

TEST(KnownTraps, GatherFromColumns) {
  const Array x = reshape(arange(12), {3, 4});
  const Array columns = slice(transpose(x), {1, 0}, {3, 3});
  expect_values(take(columns, array({1, 0}), 0), {2, 6, 10, 1, 5, 9});
}

TEST(KnownTraps, AThrowWhileComputingLeavesTheStateSane) {
  const Array x = array({1.0f, 2.0f, 3.0f});
  const Array bad = take(x * 2, array({5}), 0);
  const Array good = x + 1;
  EXPECT_FALSE(testing::error_text([&] { eval(good, bad); }).empty());
  EXPECT_FALSE(testing::error_text([&] { eval(bad); }).empty());
  expect_values(good, {2, 3, 4});
}

TEST(KnownTraps, ScansAlongAxesOfLengthOneOfStridedArrays) {
  const Array x = transpose(reshape(arange(6, float32), {1, 2, 3}), {2, 0, 1});  // (3, 1, 2)
  expect_values(cumsum(x, 1), x.to_vector<double>());
  expect_values(cumprod(flip(x, {0}), 1), flip(x, {0}).to_vector<double>());
}

TEST(KnownTraps, NanWinsInMedians) {
  expect_values(median(array({1.0f, 3.0f, 2.0f})), {2});
  EXPECT_TRUE(std::isnan(median(array({1.0f, kNan, 2.0f})).item<float>()));
  const Array columns = median(array({{1.0f, 2.0f}, {kNan, 4.0f}}), {0});
  EXPECT_TRUE(std::isnan(columns.to_vector<float>()[0]));
  EXPECT_EQ(columns.to_vector<float>()[1], 3);
}

TEST(KnownTraps, DivmodOfFloats) {
  const Arrays parts = divmod(array({7.5f, -7.5f, 7.5f}), array({2.0f, 2.0f, -2.0f}));
  expect_values(parts[0], {3, -4, -4});
  expect_values(parts[1], {1.5, 0.5, -0.5});
}

TEST(KnownTraps, LargeArgumentsOfSineAndCosine) {
  const std::vector<double> at = {1e5, 1e7, -3e8, 1e15, 3e22};
  for (const Dtype dtype : {float32, float64}) {
    const Array x = astype(Array::from(at, {5}), dtype);
    const std::vector<double> exact = x.to_vector<double>();
    std::vector<double> sines, cosines;
    for (const double v : exact) {
      sines.push_back(std::sin(v));
      cosines.push_back(std::cos(v));
    }
    expect_values(sin(x), sines, dtype == float32 ? 1e-6 : 1e-15);
    expect_values(cos(x), cosines, dtype == float32 ? 1e-6 : 1e-15);
  }
}

TEST(KnownTraps, NanToNumGivesTheLargestOfItsType) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const auto& [dtype, largest] :
       {std::pair(float16, 65504.0), std::pair(bfloat16, 0x1.fep127)}) {
    const Array x = astype(array({kNan, infinity, -infinity}), dtype);
    expect_values(nan_to_num(x), {0, largest, -largest});
    EXPECT_EQ(nan_to_num(x).dtype(), dtype);
  }
}

TEST(KnownTraps, RemaindersOfHalvesHaveTheDivisorsSign) {
  for (const Dtype dtype : {float16, bfloat16}) {
    const Array x = astype(array({-0.5f, 0.5f, -3.0f}), dtype);
    const Array y = astype(array({2.0f, -2.0f, 3.0f}), dtype);
    expect_values(remainder(x, y), {1.5, -1.5, 0});
  }
}

TEST(KnownTraps, LogsumexpDerivesForwardsAlongItsAxis) {
  const Array x = array({{1.0f, 2.0f, 0.0f}, {0.5f, -1.0f, 3.0f}});
  const Array t = array({{1.0f, 0.0f, 2.0f}, {0.0f, 1.0f, -1.0f}});
  for (const int axis : {0, 1, -1}) {
    const auto f = [axis](const Array& v) { return logsumexp(v, {axis}); };
    testing::expect_same(jvp(UnaryFunction(f), x, t).second, sum(softmax(x, axis) * t, {axis}),
                         1e-6);
  }
}

TEST(KnownTraps, SecondDerivativesThroughSortingAndRunningMaxima) {
  const Array x = testing::normal_array({7}, 3, float64), w = arange(7, float64);
  testing::check_derivatives([&](const Arrays& in) { return sum(w * square(sort(in[0]))); }, {x});
  testing::check_derivatives([&](const Arrays& in) { return sum(square(topk(in[0], 3).first)); },
                             {x});
  testing::check_derivatives([&](const Arrays& in) { return sum(w * square(cummax(in[0], 0))); },
                             {x});
}

TEST(KnownTraps, VmapOfPartitionKeepsThePosition) {
  const Array x = testing::normal_array({4, 9}, 5, float32);
  const Array all = vmap(UnaryFunction([](const Array& row) { return partition(row, 2); }))(x);
  for (int64_t i = 0; i < 4; ++i) {
    const Array row = squeeze(slice_axis(all, 0, i, i + 1), {0});
    const Array sorted = sort(squeeze(slice_axis(x, 0, i, i + 1), {0}));
    EXPECT_EQ(slice_axis(row, 0, 2, 3).item<float>(), slice_axis(sorted, 0, 2, 3).item<float>());
    EXPECT_LE(max(slice_axis(row, 0, 0, 2)).item<float>(),
              min(slice_axis(row, 0, 2, 9)).item<float>());
  }
}

TEST(KnownTraps, NegativeAxesOfIndices) {
  const Array x = array({{3, 1, 2}, {6, 5, 4}});
  expect_values(take_along_axis(x, argsort(x, -1), -1), {1, 2, 3, 4, 5, 6});
  expect_values(take_along_axis(x, argsort(x, -2), -2), {3, 1, 2, 6, 5, 4});
}

TEST(KnownTraps, EmptyDiagonalsPaddingsAndFactors) {
  EXPECT_EQ(diag(zeros({0})).shape(), (Shape{0, 0}));
  EXPECT_EQ(diagonal(zeros({0, 3})).shape(), (Shape{0}));
  EXPECT_EQ(pad(zeros({0, 2}), {0, 1}, {0, 1}, PadMode::kEdge).shape(), (Shape{0, 4}));
  EXPECT_NE(testing::error_text([] { pad(zeros({0}), {1}, {1}, PadMode::kReflect); }), "");
  EXPECT_EQ(linalg::cholesky(zeros({0, 3, 3})).shape(), (Shape{0, 3, 3}));
  EXPECT_EQ(linalg::cholesky(zeros({0, 0})).shape(), (Shape{0, 0}));
  EXPECT_EQ(linalg::qr(zeros({0, 0})).first.shape(), (Shape{0, 0}));
  EXPECT_EQ(linalg::eigvalsh(zeros({2, 0, 0})).shape(), (Shape{2, 0}));
  EXPECT_EQ(linalg::svdvals(zeros({0, 4})).shape(), (Shape{0}));
}

// More elements than 32 bits count, none of them in memory.
TEST(KnownTraps, ViewsOfMoreElementsThanFit32Bits) {
  const int64_t rows = 50'000, columns = 45'000;  // 2.25e9
  const auto view = [&](Dtype dtype) {
    return broadcast_to(reshape(arange(columns, dtype), {1, columns}), {rows, columns});
  };
  EXPECT_EQ(view(int64).size(), rows * columns);
  EXPECT_EQ(sum(view(int64)).item<int64_t>(), rows * (columns * (columns - 1) / 2));
  EXPECT_EQ(max(view(int32)).item<int32_t>(), columns - 1);
  expect_values(slice(mean(view(float32), {0}), {columns - 2}, {columns}),
                {columns - 2.0, columns - 1.0});
}

}  // namespace
}  // namespace mica
