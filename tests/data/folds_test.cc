// Cross-validation: every example validates once, classes keep their shares.
#include "data/folds.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "core/base/error.h"

namespace mica::data {
namespace {

// Row i holds the number i; a third are of class 1.
std::shared_ptr<const Dataset> numbers(int64_t train, int64_t val) {
  std::map<std::string, Split> splits;
  int64_t next = 0;
  for (const auto& [name, rows] : std::map<std::string, int64_t>{{"train", train}, {"val", val}}) {
    if (rows == 0) continue;
    Split split{HostTensor(float32, {rows, 1}), HostTensor(int32, {rows})};
    for (int64_t i = 0; i < rows; ++i, ++next) {
      split.x.as<float>()[static_cast<size_t>(i)] = static_cast<float>(next);
      split.y.as<int32_t>()[static_cast<size_t>(i)] = next % 3 == 0 ? 1 : 0;
    }
    splits[name] = std::move(split);
  }
  DatasetInfo info;
  info.class_names = {"a", "b"};
  return Dataset::from_memory(info, std::move(splits));
}

TEST(Folds, EveryExampleValidatesOnce) {
  const auto dataset = numbers(20, 11);
  std::multiset<float> validated;
  for (int64_t k = 1; k <= 5; ++k) {
    const auto part = fold(*dataset, {k, 5}, 7);
    const Split &train = part->split("train"), &val = part->split("val");
    EXPECT_EQ(train.rows() + val.rows(), 31);
    EXPECT_THAT(val.rows(), testing::AnyOf(6, 7));
    std::multiset<float> all;
    for (const float x : val.x.as<float>()) validated.insert(x), all.insert(x);
    for (const float x : train.x.as<float>()) all.insert(x);
    EXPECT_EQ(std::set<float>(all.begin(), all.end()).size(), 31u);
    // 11 of 31 are of class 1: two or three in each part.
    int64_t ones = 0;
    for (size_t i = 0; i < static_cast<size_t>(val.rows()); ++i) {
      ones += val.y.as<int32_t>()[i];
      EXPECT_EQ(val.y.as<int32_t>()[i], static_cast<int>(val.x.as<float>()[i]) % 3 == 0 ? 1 : 0);
    }
    EXPECT_THAT(ones, testing::AnyOf(2, 3));
    double mean = 0;
    for (const float x : train.x.as<float>()) mean += x / static_cast<double>(train.rows());
    EXPECT_NEAR(part->info().mean[0], mean, 1e-9);
  }
  EXPECT_EQ(validated.size(), 31u);
  EXPECT_EQ(std::set<float>(validated.begin(), validated.end()).size(), 31u);
}

TEST(Folds, FollowFromTheSeed) {
  const auto dataset = numbers(30, 0);
  const auto values = [&](uint64_t seed) {
    const auto part = fold(*dataset, {1, 3}, seed);
    const std::span<const float> x = part->split("val").x.as<float>();
    return std::vector<float>(x.begin(), x.end());
  };
  EXPECT_EQ(values(1), values(1));
  EXPECT_NE(values(1), values(2));
  EXPECT_NE(fold(*dataset, {1, 3}, 1)->fingerprint(), fold(*dataset, {2, 3}, 1)->fingerprint());
}

TEST(Folds, RefusesWhatIsNoPart) {
  EXPECT_EQ(parse_fold("2/5").index, 2);
  EXPECT_EQ(parse_fold("2/5").count, 5);
  for (const char* bad : {"", "5", "0/5", "6/5", "1/1", "1/5x", "a/b", "1/2000", "-1/5"}) {
    EXPECT_THROW(parse_fold(bad), Error) << bad;
  }
  EXPECT_THROW(fold(*numbers(3, 0), {1, 4}, 0), Error);
}

}  // namespace
}  // namespace mica::data
