// What a model scores, counted on the host in double precision.
//
//   ClassificationMetrics metrics(10);
//   for (each batch) metrics.add(scores, labels);        // scores: batch x 10, row-major
//   metrics.accuracy(); metrics.top(5); metrics.per_class()[3].recall; metrics.confusion(3, 5);
//
//   RegressionMetrics metrics(1);
//   metrics.add(prediction, target);
//   metrics.mse(); metrics.mae(); metrics.r2();
//
// Results do not depend on how the examples are cut into batches, except for rounding in the last
// bits of the sums. A metrics object belongs to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mica::trainers {

/// Precision, recall and F1 are 0 where they divide by zero, as scikit-learn has it.
struct ClassScore {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
  int64_t support = 0;  // examples of this class
};

class ClassificationMetrics {
 public:
  explicit ClassificationMetrics(int64_t classes);

  /// `scores` has a row of `classes` for each label. The prediction is the highest score, the first
  /// of equals; a row with NaN predicts nothing and counts as wrong. Throws for a label outside
  /// [0, classes).
  void add(std::span<const float> scores, std::span<const int64_t> labels);

  int64_t count() const { return count_; }
  int64_t classes() const { return classes_; }
  double accuracy() const;
  /// Standard error of the accuracy as a binomial share.
  double accuracy_error() const;
  /// Share of labels that are among the k highest scores; k is 1 to 5.
  double top(int k) const;
  std::vector<ClassScore> per_class() const;
  /// Unweighted mean over the classes that occur.
  ClassScore macro() const;
  /// Examples of class `truth` that were taken for class `predicted`.
  int64_t confusion(int64_t truth, int64_t predicted) const;

 private:
  int64_t classes_;
  int64_t count_ = 0;
  std::vector<int64_t> confusion_;  // classes x classes, rows are the truth
  std::vector<int64_t> support_;
  std::vector<int64_t> rank_counts_;  // labels with 0, 1, ... 4 scores above theirs
};

class RegressionMetrics {
 public:
  /// `together`: the outputs are one thing, as the pixels of a picture are, and not figures each of
  /// its own.
  explicit RegressionMetrics(int64_t outputs, bool together = false);

  /// Both have a row of `outputs` for each example.
  void add(std::span<const float> prediction, std::span<const float> target);

  int64_t count() const { return count_; }
  /// Means over examples and outputs.
  double mse() const;
  double mae() const;
  /// 1 - residual / total sum of squares: of all outputs together, or else averaged over them; 0
  /// where the target is constant.
  double r2() const;

 private:
  struct Output {
    double squared = 0, absolute = 0;
    double mean = 0, spread = 0;  // of the target, by Welford's update
  };
  int64_t count_ = 0;
  bool together_;
  std::vector<Output> outputs_;
};

}  // namespace mica::trainers
