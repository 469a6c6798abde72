#include "core/ops/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using ::testing::ElementsAre;

std::vector<int> values(const Array& x) { return x.to_vector<int>(); }
Array grid() { return reshape(arange(12), {3, 4}); }

TEST(ViewTest, TransposesAndReshapes) {
  EXPECT_THAT(values(transpose(grid())), ElementsAre(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
  // Not possible without a copy.
  EXPECT_THAT(values(reshape(transpose(grid()), {2, 6})),
              ElementsAre(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
  // Possible without one: the split axis is contiguous.
  EXPECT_THAT(values(reshape(transpose(grid()), {2, 2, 3})),
              ElementsAre(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
  EXPECT_EQ(reshape(grid(), {-1, 2}).shape(), Shape({6, 2}));
  EXPECT_THROW(reshape(grid(), {5, -1}), Error);
  EXPECT_THROW(reshape(grid(), {-1, -1}), Error);
  EXPECT_THROW(reshape(zeros({0, 2}), {0, -1}), Error);  // any length would do
}

TEST(ViewTest, SlicesLikeNumPy) {
  EXPECT_THAT(values(slice(grid(), {1, 0}, {3, 4}, {1, 2})), ElementsAre(4, 6, 8, 10));
  EXPECT_THAT(values(slice(arange(5), {-2}, {5})), ElementsAre(3, 4));
  EXPECT_THAT(values(slice(arange(5), {4}, {-100}, {-1})), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(values(slice(arange(5), {3}, {0}, {-2})), ElementsAre(3, 1));
  EXPECT_THAT(values(slice(arange(5), {1}, {100})), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(slice(arange(5), {3}, {2}).size(), 0);
  EXPECT_THROW(slice(arange(5), {0}, {2}, {0}), Error);
  EXPECT_THAT(values(flip(arange(4))), ElementsAre(3, 2, 1, 0));
}

TEST(ViewTest, JoinsAndPads) {
  EXPECT_THAT(values(concatenate({arange(2), arange(3)})), ElementsAre(0, 1, 0, 1, 2));
  EXPECT_THAT(
      values(concatenate({grid(), grid()}, 1)),
      ElementsAre(0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 8, 9, 10, 11, 8, 9, 10, 11));
  EXPECT_THAT(values(stack({arange(2), arange(2)}, 1)), ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(values(pad(arange(2), {1}, {2})), ElementsAre(0, 0, 1, 0, 0));
  EXPECT_THAT(values(pad(arange(2), {1}, {2}, 7)), ElementsAre(7, 0, 1, 7, 7));
  EXPECT_THROW(concatenate({zeros({2, 3}), zeros({3, 2})}), Error);
  const Arrays parts = split(arange(6), 3);
  EXPECT_THAT(values(parts[2]), ElementsAre(4, 5));
}

TEST(ViewTest, BroadcastsSqueezesAndMovesAxes) {
  EXPECT_THAT(values(broadcast_to(arange(2), {2, 2})), ElementsAre(0, 1, 0, 1));
  EXPECT_EQ(squeeze(zeros({1, 3, 1})).shape(), Shape({3}));
  EXPECT_EQ(squeeze(zeros({1, 3, 1}), {0}).shape(), Shape({3, 1}));
  EXPECT_EQ(expand_dims(zeros({3}), {0, 2}).shape(), Shape({1, 3, 1}));
  EXPECT_EQ(moveaxis(zeros({2, 3, 4}), 0, -1).shape(), Shape({3, 4, 2}));
  EXPECT_EQ(flatten(zeros({2, 3, 4}), 1).shape(), Shape({2, 12}));
  EXPECT_THROW(broadcast_to(arange(3), {2}), Error);
}

TEST(ViewTest, ResultsMayBeViewsOfOtherResults) {
  const Array x = reshape(arange(6, float32), {2, 3});
  const Array y = transpose(x * 2);
  eval(y);
  EXPECT_THAT(values(y), ElementsAre(0, 6, 2, 8, 4, 10));
  EXPECT_THAT(values(slice_axis(y, 0, 1, 2) + 1), ElementsAre(3, 9));
}

TEST(ViewTest, EmptyArraysOfAnyLayoutReshape) {
  const Array empty = transpose(zeros({2, 0, 3}), {2, 0, 1});
  EXPECT_EQ(reshape(empty, {0, 6}).to_bytes().size(), 0u);
  EXPECT_EQ(reshape(broadcast_to(empty, {4, 3, 2, 0}), {2, 0, 5}).to_bytes().size(), 0u);
}

TEST(ReduceTest, ReducesAnyAxes) {
  const Array x = reshape(arange(24), {2, 3, 4});
  EXPECT_EQ(sum(x).item<int>(), 276);
  EXPECT_THAT(values(sum(x, {0, 2})), ElementsAre(60, 92, 124));
  EXPECT_THAT(values(max(x, {1})), ElementsAre(8, 9, 10, 11, 20, 21, 22, 23));
  EXPECT_EQ(sum(x, {-1}, true).shape(), Shape({2, 3, 1}));
  EXPECT_THAT(values(sum(transpose(x), {0})), ElementsAre(6, 54, 22, 70, 38, 86));
  EXPECT_THROW(sum(x, {3}), Error);
  EXPECT_THROW(sum(x, {1, -2}), Error);
}

TEST(ReduceTest, EmptyAxesHaveIdentities) {
  EXPECT_EQ(sum(zeros({0})).item<float>(), 0);
  EXPECT_EQ(prod(zeros({0})).item<float>(), 1);
  EXPECT_TRUE(all(zeros({0})).item<bool>());
  EXPECT_FALSE(any(zeros({0})).item<bool>());
  EXPECT_THAT(sum(zeros({2, 0}), {1}).to_vector<float>(), ElementsAre(0, 0));
  EXPECT_THROW(max(zeros({0})), Error);
}

TEST(ReduceTest, SumsOfMillionsKeepTheirAccuracy) {
  // Equal terms round the same way every time. A term goes through three levels of at most
  // 32 + 5 (lines) or 64 (columns) additions, each off by at most 2^-24; one after the other, the
  // additions of 2^24 terms would be off by a tenth.
  const Array x = full({1 << 24}, 0.1f);
  EXPECT_NEAR(sum(x).item<float>(), 0.1f * (1 << 24), 0.1f * (1 << 24) * 3 * 37 * 0x1p-24);
  const Array columns = full({1 << 20, 3}, 0.1f);
  EXPECT_NEAR(sum(columns, {0}).to_vector<float>()[1], 0.1f * (1 << 20),
              0.1f * (1 << 20) * 4 * 64 * 0x1p-24);
}

TEST(ReduceTest, RepeatedElementsAreReducedOnce) {
  for (const Dtype dtype : {float32, float64, float16, bfloat16, int32, int64}) {
    const Array x = astype(array({{1.0f}, {-2.0f}, {4.0f}}), dtype);  // (3, 1)
    const Array view = broadcast_to(x, {5, 3, 4});
    for (const Axes& axes : {Axes{}, Axes{0}, Axes{1}, Axes{2}, Axes{0, 2}, Axes{-2, 0}}) {
      const Array copy = Array::from_bytes(view.to_bytes().data(), view.shape(), dtype);
      testing::expect_same(sum(view, axes), sum(copy, axes), 0);
      testing::expect_same(max(view, axes), max(copy, axes), 0);
      testing::expect_same(min(view, axes, true), min(copy, axes, true), 0);
      testing::expect_same(prod(view, axes), prod(copy, axes), 0);
    }
  }
  // 70,000 is more than a float16 can be, 7,000 is not.
  const Array tenths = broadcast_to(astype(array({0.1f}), float16), {70'000});
  EXPECT_EQ(sum(tenths).item<float>(), 7000.0f);  // 6998.3, rounded to fours
  EXPECT_EQ(sum(broadcast_to(array({2.0f}), {0, 1})).item<float>(), 0.0f);
}

TEST(ReduceTest, NaNWinsAndTypesWiden) {
  EXPECT_TRUE(std::isnan(max(array({1.0f, NAN, 3.0f})).item<float>()));
  EXPECT_EQ(argmax(array({1.0f, NAN, 3.0f})).item<int>(), 1);
  EXPECT_EQ(argmax(array({1, 5, 5})).item<int>(), 1);
  EXPECT_EQ(sum(ones({300}, bool_)).item<int>(), 300);
  EXPECT_EQ(sum(full({300}, 255, uint8)).dtype(), uint32);
  EXPECT_EQ(sum(full({1}, 1, int8)).dtype(), int32);
  EXPECT_NEAR(var(array({1.0f, 2.0f, 4.0f}), {}, false, 1).item<float>(), 7.0 / 3, 1e-6);
}

TEST(CreateTest, CountsUp) {
  EXPECT_THAT(arange(0, 1, 0.25, float32).to_vector<float>(), ElementsAre(0, 0.25, 0.5, 0.75));
  EXPECT_THAT(values(arange(3, 0, -1)), ElementsAre(3, 2, 1));
  EXPECT_EQ(arange(0).size(), 0);
  EXPECT_THAT(linspace(0, 1, 3).to_vector<float>(), ElementsAre(0, 0.5, 1));
  EXPECT_THAT(values(eye(2)), ElementsAre(1, 0, 0, 1));
}

}  // namespace
}  // namespace mica
