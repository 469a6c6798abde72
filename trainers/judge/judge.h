// How good a model is on a split: figures, each with the range that it may really lie in.
//
//   Outputs outputs = collect(*network, *loss, dataset, "test", normalization, 128);
//   Judgement judgement = judge(outputs);
//   judgement.find("accuracy").value;                  // 0.9580
//   judgement.find("accuracy").interval.low;           // 0.9484
//   judgement.per_class[3].auc;
//
// Intervals hold the figure of the whole population 19 times in 20: Wilson's for shares (accuracy,
// top-k, precision, recall), that of the influence of each row for the area under the ROC curve,
// a bootstrap of the rows with a fixed seed for the rest. A bound that is not known is NaN.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "trainers/judge/bootstrap.h"
#include "trainers/judge/outputs.h"
#include "trainers/metrics.h"

namespace mica::trainers {

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
inline constexpr Interval kUnknownInterval = {kUnknown, kUnknown};

struct Figure {
  std::string name;
  double value = 0;
  Interval interval = kUnknownInterval;
  std::string method = {};  // "wilson", "influence" or "bootstrap"
};

/// Number `at` of estimates by the bootstrap.
inline Figure figure_of(const Estimates& estimates, std::string name, size_t at) {
  return {std::move(name), estimates.values[at], estimates.intervals[at], "bootstrap"};
}

struct ClassReport {
  std::string name;
  ClassScore score;
  Interval precision = kUnknownInterval, recall = kUnknownInterval, f1 = kUnknownInterval;
  /// Area under the ROC curve of this class against the rest; NaN without examples of both.
  double auc = kUnknown;
  Interval auc_interval = kUnknownInterval;
};

struct TargetReport {
  std::string name;
  std::vector<Figure> figures = {};  // (accuracy,) rmse, mae, median_error, bias, r2
};

/// Rows whose confidence lies in (low, high].
struct CalibrationBin {
  double low = 0, high = 0;
  int64_t count = 0;
  double confidence = 0, accuracy = 0;   // means
  Interval interval = kUnknownInterval;  // of the accuracy
};

struct Judgement {
  std::string split;
  int64_t n = 0;
  /// Classes: accuracy, top3, top5, loss, macro_precision, macro_recall, macro_f1,
  /// weighted_precision, weighted_f1, roc_auc, ece, brier. Values: loss, mse, and means over the
  /// targets of rmse, mae, median_error, bias and r2; of yes and no, accuracy before all of them.
  /// Pictures: loss, mse, rmse, mae and r2, the share of the variance of all pixels that is
  /// reconstructed.
  std::vector<Figure> figures = {};

  std::optional<ClassificationMetrics> counts = {};
  std::vector<ClassReport> per_class = {};
  ClassScore macro = {}, weighted = {};
  std::vector<CalibrationBin> calibration = {};

  std::vector<TargetReport> per_target = {};

  /// Throws a usage Error naming the figures for a name that is none of them.
  const Figure& find(const std::string& name) const;
};

Judgement judge(const Outputs& outputs);

/// Rows taken for another class, the most confident first.
std::vector<int64_t> mistakes(const Outputs& outputs);
/// All rows, those with the largest error in any target (in its standard deviations) first;
/// pictures by their row_errors().
std::vector<int64_t> largest_errors(const Outputs& outputs);
/// The root of the mean squared error of each row, over its targets.
std::vector<double> row_errors(const Outputs& outputs);

// By kind, for judge().
Judgement judge_classes(const Outputs& outputs);
Judgement judge_values(const Outputs& outputs);
Judgement judge_pictures(const Outputs& outputs);

}  // namespace mica::trainers
