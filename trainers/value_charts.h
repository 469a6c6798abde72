// How predicted numbers lie about the true ones, as pictures.
//
//   ValueCharts charts = value_charts("test", points, /*r2=*/0.81, /*mae=*/3.2);
//   write_png("predicted.png", charts.predicted);
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trainers/draw/chart.h"

namespace mica::trainers {

/// Of a regression target, row by row.
struct TargetPoints {
  std::string name{};
  std::vector<double> truth{};
  std::vector<double> prediction{};
};

/// More targets than these are not drawn: they could not be told apart.
inline constexpr int64_t kMostTargets = 4;

/// `most` rows of n, evenly chosen, so that a plot of a million points is no blot and no large
/// file; all of fewer.
std::vector<int64_t> even_rows(int64_t n, int64_t most);

/// Names of the targets of a data set, the given ones and then target_1 and so on.
std::vector<std::string> target_names(std::vector<std::string> given, int64_t targets);

struct ValueCharts {
  draw::Plot predicted;  // against the truth
  draw::Plot residuals;  // against the prediction
};
/// An `r2` that is NaN, as that of a constant target, is not shown.
ValueCharts value_charts(const std::string& split, const std::vector<TargetPoints>& targets,
                         double r2, double mae);

}  // namespace mica::trainers
