// Metrics against numbers worked out by hand.
#include "trainers/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"

namespace mica::trainers {
namespace {

// Truth 0 0 1 1 2, predicted 0 1 1 1 0.
ClassificationMetrics five_examples() {
  ClassificationMetrics metrics(3);
  metrics.add(std::vector<float>{9, 1, 0, 1, 9, 0, 0, 9, 1, 0, 9, 1, 9, 5, 1},
              std::vector<int64_t>{0, 0, 1, 1, 2});
  return metrics;
}

TEST(Classification, CountsTheConfusionMatrix) {
  const ClassificationMetrics metrics = five_examples();
  EXPECT_EQ(metrics.count(), 5);
  EXPECT_DOUBLE_EQ(metrics.accuracy(), 0.6);
  EXPECT_DOUBLE_EQ(metrics.accuracy_error(), std::sqrt(0.6 * 0.4 / 5));
  EXPECT_EQ(metrics.confusion(0, 0), 1);
  EXPECT_EQ(metrics.confusion(0, 1), 1);
  EXPECT_EQ(metrics.confusion(1, 1), 2);
  EXPECT_EQ(metrics.confusion(2, 0), 1);
  EXPECT_EQ(metrics.confusion(2, 2), 0);
}

TEST(Classification, ScoresEachClass) {
  const std::vector<ClassScore> scores = five_examples().per_class();
  EXPECT_DOUBLE_EQ(scores[0].precision, 0.5);
  EXPECT_DOUBLE_EQ(scores[0].recall, 0.5);
  EXPECT_DOUBLE_EQ(scores[0].f1, 0.5);
  EXPECT_DOUBLE_EQ(scores[1].precision, 2.0 / 3);
  EXPECT_DOUBLE_EQ(scores[1].recall, 1.0);
  EXPECT_DOUBLE_EQ(scores[1].f1, 0.8);
  EXPECT_DOUBLE_EQ(scores[2].precision, 0.0);  // never predicted
  EXPECT_DOUBLE_EQ(scores[2].f1, 0.0);
  EXPECT_EQ(scores[2].support, 1);
  EXPECT_DOUBLE_EQ(five_examples().macro().f1, (0.5 + 0.8 + 0.0) / 3);
}

TEST(Classification, RanksForTopK) {
  ClassificationMetrics metrics(7);
  // The label's score is the 1st, 3rd, 5th and 6th highest.
  metrics.add(std::vector<float>{6, 5, 4, 3, 2, 1, 0, 6, 5, 4, 3, 2, 1, 0,
                                 6, 5, 4, 3, 2, 1, 0, 6, 5, 4, 3, 2, 1, 0},
              std::vector<int64_t>{0, 2, 4, 5});
  EXPECT_DOUBLE_EQ(metrics.top(1), 0.25);
  EXPECT_DOUBLE_EQ(metrics.top(2), 0.25);
  EXPECT_DOUBLE_EQ(metrics.top(3), 0.5);
  EXPECT_DOUBLE_EQ(metrics.top(5), 0.75);
}

TEST(Classification, TakesTheFirstOfEqualsAndNoNaN) {
  ClassificationMetrics metrics(2);
  metrics.add(std::vector<float>{1, 1, 1, 1, NAN, 1}, std::vector<int64_t>{0, 1, 1});
  EXPECT_DOUBLE_EQ(metrics.accuracy(), 1.0 / 3);
  EXPECT_EQ(metrics.confusion(0, 0), 1);
  EXPECT_EQ(metrics.confusion(1, 0), 1);
  EXPECT_EQ(metrics.confusion(1, 1), 0);
  EXPECT_THROW(metrics.add(std::vector<float>{1, 1}, std::vector<int64_t>{2}), Error);
}

TEST(Regression, MatchesHandComputedNumbers) {
  RegressionMetrics metrics(1);
  metrics.add(std::vector<float>{1, 2}, std::vector<float>{2, 2});
  metrics.add(std::vector<float>{5, 7}, std::vector<float>{4, 8});
  // Errors 1 0 1 1; targets 2 2 4 8 have mean 4 and squared distances 4 4 0 16.
  EXPECT_EQ(metrics.count(), 4);
  EXPECT_DOUBLE_EQ(metrics.mse(), 0.75);
  EXPECT_DOUBLE_EQ(metrics.mae(), 0.75);
  EXPECT_DOUBLE_EQ(metrics.r2(), 1 - 3.0 / 24);
}

TEST(Regression, AveragesOutputs) {
  RegressionMetrics metrics(2);
  metrics.add(std::vector<float>{0, 5, 2, 5}, std::vector<float>{0, 5, 2, 5});
  EXPECT_DOUBLE_EQ(metrics.mse(), 0.0);
  EXPECT_DOUBLE_EQ(metrics.r2(), 0.5);  // the second target is constant
}

}  // namespace
}  // namespace mica::trainers
