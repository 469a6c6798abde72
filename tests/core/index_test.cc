#include "core/ops/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/ops/view.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;

Array range(const Shape& shape, Dtype dtype = int32) {
  return reshape(arange(size_of(shape), dtype), shape);
}

TEST(Take, ReplacesTheAxisByTheIndices) {
  const Array x = range({3, 4});
  expect_values(take(x, array({2, 0}), 0), {8, 9, 10, 11, 0, 1, 2, 3});
  expect_values(take(x, array({1, -1}), 1), {1, 3, 5, 7, 9, 11});
  const Array square = array({{0, 1}, {2, 2}});
  EXPECT_EQ(take(x, square, -1).shape(), Shape({3, 2, 2}));
  EXPECT_EQ(take(x, square, 0).shape(), Shape({2, 2, 4}));
  expect_values(take(x, Array(1), 0), {4, 5, 6, 7});
}

TEST(Take, AnyElementTypeAndIndexType) {
  for (const Dtype dtype : {bool_, uint8, int16, float16, bfloat16, float32, int64, complex64}) {
    const Array x = astype(array({0, 1, 1, 0}), dtype);
    for (const Dtype index : {uint8, int8, uint16, int64, uint64}) {
      const Array taken = take(x, astype(array({3, 1}), index), 0);
      EXPECT_EQ(taken.dtype(), dtype);
      EXPECT_EQ(taken.to_bytes(), astype(array({0, 1}), dtype).to_bytes());
    }
  }
}

TEST(Take, StridedAndBroadcastInputs) {
  const Array x = range({3, 4});
  expect_same(take(transpose(x), array({1, 3}), 0), transpose(take(x, array({1, 3}), 1)));
  const Array row = broadcast_to(array({5, 6}), {3, 2});
  expect_values(take(row, array({2}), 0), {5, 6});
  expect_same(take(flip(x, {0}), array({0}), 0), take(x, array({2}), 0));
}

TEST(Take, EmptyIndices) {
  const Array none = Array::from(std::vector<int>(), {0});
  EXPECT_EQ(take(range({3, 4}), none, 0).to_vector<int>().size(), 0u);
  EXPECT_EQ(take(range({0, 4}), none, 0).shape(), Shape({0, 4}));
  expect_values(scatter_add(range({2}), none, none, 0), {0, 1});
}

TEST(Take, IndexOutOfRangeNamesTheFirstOne) {
  std::vector<int> indices(100'000, 1);
  indices[70'001] = -4;
  indices[90'000] = 9;
  const Array y = take(range({3}), Array::from(indices, {100'000}), 0);
  EXPECT_THAT(error_text([&] { eval(y); }),
              ::testing::HasSubstr("[take] index -4 (element 70001 of the indices) is out of "
                                   "range for axis 0 of length 3"));
  const Array huge = Array::from(std::vector<uint64_t>{~uint64_t(0)}, {1});
  EXPECT_THAT(error_text([&] { eval(take(range({3}), huge, 0)); }),
              ::testing::HasSubstr("index 18446744073709551615"));
  // The state is sane afterwards.
  expect_values(take(range({3}), array({1}), 0), {1});
}

TEST(Take, RefusesIndicesThatAreNoIntegers) {
  EXPECT_THAT(error_text([] { take(range({3}), array({1.0f}), 0); }),
              ::testing::HasSubstr("[take] indices must be integers, got float32"));
  EXPECT_THAT(error_text([] { take(range({3}), array({1}), 1); }), ::testing::HasSubstr("take"));
}

TEST(TakeAlongAxis, PicksPerPosition) {
  const Array x = range({2, 3});
  expect_values(take_along_axis(x, array({{2, 0}, {1, -1}}), 1), {2, 0, 4, 5});
  expect_values(take_along_axis(x, array({{1, 0, 1}}), 0), {3, 1, 5});
  expect_values(take_along_axis(x, array({{0}, {2}}), -1), {0, 5});
  // The other axes broadcast both ways.
  expect_values(take_along_axis(x, array({{1}}), 1), {1, 4});
  expect_values(take_along_axis(array({{7, 8}}), array({{1}, {0}}), 1), {8, 7});
  EXPECT_THAT(error_text([&] { take_along_axis(x, array({1}), 0); }),
              ::testing::HasSubstr("array (2, 3), indices (1,)"));
}

TEST(ScatterAdd, RepeatedIndicesAddUp) {
  expect_values(scatter_add(zeros({3}), array({1, 1, -1}), array({1.0f, 2.0f, 5.0f}), 0),
                {0, 3, 5});
  const Array rows = scatter_add(ones({3, 2}, int32), array({2, 0, 2}), range({3, 2}), 0);
  expect_values(rows, {3, 4, 1, 1, 5, 7});
  const Array columns = scatter_add(zeros({2, 3}), array({0, 0}), ones({2, 2}), 1);
  expect_values(columns, {2, 0, 0, 2, 0, 0});
  EXPECT_THAT(error_text([] { scatter_add(zeros({3}), array({1}), ones({2}), 0); }),
              ::testing::HasSubstr("need updates of shape (1,), got (2,)"));
  EXPECT_THAT(error_text([] { eval(scatter_add(zeros({3}), array({3}), ones({1}), 0)); }),
              ::testing::HasSubstr("index 3"));
}

TEST(ScatterAdd, HalfTypesSumInFloat32) {
  // One by one in float16, 2048 + 1 would stay 2048.
  const Array updates = ones({4096}, float16);
  expect_values(scatter_add(zeros({1}, float16), zeros({4096}, int32), updates, 0), {4096});
}

TEST(ScatterAdd, SameBitsForAnyNumberOfThreads) {
  const Array indices = astype(abs(normal_array({5000}, 1)) * 10, int32);
  const Array updates = normal_array({5000, 130}, 2, float32);
  const auto run = [&](int count) {
    set_threads(count);
    const Array y = scatter_add(zeros({60, 130}), indices, updates, 0);
    return y.to_vector<float>();
  };
  const std::vector<float> one = run(1);
  EXPECT_EQ(one, run(2));
  set_threads(0);
}

TEST(ScatterAddAlongAxis, IsTheInverseLayout) {
  const Array y = scatter_add_along_axis(zeros({2, 3}), array({{0, 0}, {2, 1}}),
                                         array({{1.0f, 2.0f}, {3.0f, 4.0f}}), 1);
  expect_values(y, {3, 0, 0, 0, 4, 3});
  const Array down =
      scatter_add_along_axis(zeros({3, 2}), array({{2, 0}}), array({{1.0f, 2.0f}}), 0);
  expect_values(down, {0, 2, 0, 0, 1, 0});
}

TEST(Index, Derivatives) {
  const Array x = normal_array({3, 4}, 3);
  const Array indices = array({2, 0, 2, -1});
  check_derivatives([](const Arrays& in) { return square(take(in[0], in[1], 0)); }, {x, indices});
  check_derivatives([](const Arrays& in) { return square(take(in[0], in[1], 1)); }, {x, indices});
  const Array picks = array({{1, 1}, {0, -1}, {2, 3}});
  check_derivatives([](const Arrays& in) { return square(take_along_axis(in[0], in[1], 1)); },
                    {x, picks});
  check_derivatives([](const Arrays& in) { return square(scatter_add(in[0], in[1], in[2], 0)); },
                    {x, indices, normal_array({4, 4}, 4)});
  check_derivatives(
      [](const Arrays& in) { return square(scatter_add_along_axis(in[0], in[1], in[2], 1)); },
      {x, picks, normal_array({3, 2}, 5)});
}

TEST(OneHot, RowsWithAOne) {
  expect_values(one_hot(array({1, 0, 3, -1}), 3), {0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(one_hot(array({{1, 0}}), 3, float16).shape(), Shape({1, 2, 3}));
  // 300 is beyond what uint8 indices can say.
  const Array bytes = astype(array({255}), uint8);
  expect_values(slice_axis(one_hot(bytes, 300, int32), 1, 254, 257), {0, 1, 0});
  EXPECT_THAT(error_text([] { one_hot(array({1.0f}), 3); }), ::testing::HasSubstr("[one_hot]"));
}

// An embedding's gradient: many updates for the same places, shared out over tasks by columns and
// by places, in the order of the updates.
TEST(Index, ScatterAddEqualsALoopAndKeepsItsOrder) {
  for (const auto& [places, count, width] :
       {std::array<int64_t, 3>{50, 3000, 64}, {7, 9000, 16}, {1000, 500, 700}, {1, 5000, 33}}) {
    SCOPED_TRACE(fmt::format("{} {} {}", places, count, width));
    const Array updates = testing::normal_array({count, width}, 1, float32);
    const Array indices = random::randint(0, places, {count}, random::key(3));
    const std::vector<float> from = updates.to_vector<float>();
    const std::vector<int> to = indices.to_vector<int>();
    std::vector<float> wanted(static_cast<size_t>(places * width));
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t n = 0; n < width; ++n) wanted[to[i] * width + n] += from[i * width + n];
    }
    const Array zero = zeros({places, width});
    const auto f = [&](const Arrays& in) { return Arrays{take(in[0], indices, 0)}; };
    EXPECT_EQ(vjp(f, {zero}, {updates}).second[0].to_vector<float>(), wanted);
  }
}

}  // namespace
}  // namespace mica
