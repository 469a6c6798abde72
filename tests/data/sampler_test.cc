#include "data/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace mica::data {
namespace {

TEST(Sampler, FollowsSplitMix64) {
  // The first words of the reference implementation (prng.di.unimi.it/splitmix64.c) from state 0.
  EXPECT_EQ(random_word(0, 0), 0xe220a8397b1dcdafull);
  EXPECT_EQ(random_word(0, 1), 0x6e789e6aa1b965f4ull);
  EXPECT_EQ(random_word(0, 2), 0x06c45d188009454full);
}

TEST(Sampler, PermutesDifferentlyBySeedAndEpoch) {
  std::vector<int64_t> order = permutation(1000, 1, 2);
  EXPECT_EQ(order, permutation(1000, 1, 2));
  EXPECT_NE(order, permutation(1000, 1, 3));
  EXPECT_NE(order, permutation(1000, 2, 2));
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], static_cast<int64_t>(i));
  EXPECT_TRUE(permutation(0, 1, 1).empty());
}

TEST(Sampler, PutsEveryRowEverywhereEquallyOften) {
  // 5 rows, 20,000 epochs: every row is 4,000 times in every place, give or take 5 deviations.
  std::vector<int> counts(25, 0);
  for (uint64_t epoch = 0; epoch < 20000; ++epoch) {
    const std::vector<int64_t> order = permutation(5, 7, epoch);
    for (size_t place = 0; place < 5; ++place)
      ++counts[place * 5 + static_cast<size_t>(order[place])];
  }
  const double deviation = std::sqrt(20000 * 0.2 * 0.8);
  for (const int count : counts) EXPECT_NEAR(count, 4000, 5 * deviation);
}

TEST(Sampler, DrawsStandardNormals) {
  double sum = 0, squares = 0, fourth = 0;
  const int count = 100000;
  for (uint64_t i = 0; i < count; ++i) {
    const double value = random_normal(3, i);
    sum += value;
    squares += value * value;
    fourth += std::pow(value, 4);
  }
  EXPECT_NEAR(sum / count, 0, 5 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1, 5 * std::sqrt(2.0 / count));
  EXPECT_NEAR(fourth / count, 3, 5 * std::sqrt(96.0 / count));
}

}  // namespace
}  // namespace mica::data
