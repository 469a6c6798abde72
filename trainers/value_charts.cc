#include "trainers/value_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mica::trainers {

std::vector<int64_t> even_rows(int64_t n, int64_t most) {
  const int64_t shown = std::min(n, most);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < shown; ++i) rows.push_back(i * n / shown);
  return rows;
}

std::vector<std::string> target_names(std::vector<std::string> given, int64_t targets) {
  for (auto i = static_cast<int64_t>(given.size()); i < targets; ++i) {
    given.push_back(targets == 1 ? "target" : fmt::format("target_{}", i + 1));
  }
  return given;
}

ValueCharts value_charts(const std::string& split, const std::vector<TargetPoints>& targets,
                         double r2, double mae) {
  const bool one = targets.size() == 1;
  const std::string what = one ? targets[0].name : "all targets";
  ValueCharts charts{
      {.title = fmt::format("Prediction and truth on '{}'{}", split,
                            std::isnan(r2) ? "" : fmt::format(" (R² {:.4f})", r2)),
       .x = {.label = "truth: " + what},
       .y = {.label = "prediction"},
       .diagonal = true,
       .size = {520, 520}},
      {.title = fmt::format("Errors on '{}' (mean absolute error {:.5g})", split, mae),
       .x = {.label = "prediction: " + what},
       .y = {.label = "prediction - truth"},
       .zero_line = true}};
  for (const TargetPoints& target : targets) {
    const std::string name = one ? "" : target.name;
    draw::Series predicted{.name = name, .style = draw::Style::kDots}, error = predicted;
    for (size_t i = 0; i < target.truth.size(); ++i) {
      predicted.x.push_back(target.truth[i]);
      predicted.y.push_back(target.prediction[i]);
      error.x.push_back(target.prediction[i]);
      error.y.push_back(target.prediction[i] - target.truth[i]);
    }
    charts.predicted.series.push_back(std::move(predicted));
    charts.residuals.series.push_back(std::move(error));
  }
  return charts;
}

}  // namespace mica::trainers
