#include "trainers/run_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mica::trainers {
namespace {

using draw::Plot;
using draw::Series;
using draw::Style;
using Values = std::vector<double>;

// The column that says best how good a run is, and its name for people.
std::pair<std::string, std::string> metric_of(const MetricsTable& table) {
  for (const auto& [column, name] :
       std::vector<std::pair<std::string, std::string>>{{"accuracy", "Accuracy"}, {"r2", "R²"}}) {
    if (table.has("val_" + column) || table.has("train_" + column)) return {column, name};
  }
  return {"", ""};
}

bool is_wide(double low, double high) { return low > 0 && high > 50 * low; }

// Means over a fiftieth of the curve around each value, fewer at its ends: a curve that falls is
// not shifted. Of logarithms, where that is how it will be drawn.
Values smoothed(const Values& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const bool logarithmic = !values.empty() && is_wide(*low, *high);
  Values sums = {0};
  for (const double value : values) {
    sums.push_back(sums.back() + (logarithmic ? std::log(value) : value));
  }
  Values result;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t half = std::min({values.size() / 100, i, values.size() - 1 - i});
    const double mean = (sums[i + half + 1] - sums[i - half]) / static_cast<double>(2 * half + 1);
    result.push_back(logarithmic ? std::exp(mean) : mean);
  }
  return result;
}

// A curve of every step: as it is while it is short, then faint under its average.
void add_steps(Plot& plot, const MetricsTable& table, const std::string& column,
               const std::string& name, size_t color) {
  auto [x, y] = table.series("step", "step", column);
  if (x.size() < 60) {
    plot.series.push_back({.name = name, .x = x, .y = y, .color = color});
    return;
  }
  plot.series.push_back({.name = name.empty() ? "each" : name + ", each step",
                         .x = x,
                         .y = y,
                         .style = Style::kFaintLine,
                         .color = color});
  plot.series.push_back({.name = name.empty() ? "smoothed" : name + ", smoothed",
                         .x = x,
                         .y = smoothed(y),
                         .color = color});
}

void add_epochs(Plot& plot, const MetricsTable& table, const std::string& x,
                const std::string& column, const std::string& name, size_t color) {
  auto [at, values] = table.series("epoch", x, column);
  if (!at.empty()) plot.series.push_back({.name = name, .x = at, .y = values, .color = color});
}

bool has_numbers(const Plot& plot) {
  return std::any_of(plot.series.begin(), plot.series.end(),
                     [](const Series& series) { return !series.x.empty(); });
}

// Numbers over more than two orders of magnitude show on a logarithmic axis alone.
void choose_scale(Plot& plot) {
  double low = INFINITY, high = 0;
  for (const Series& series : plot.series) {
    if (series.style == Style::kFaintLine) continue;
    for (const double y : series.y) {
      if (!std::isfinite(y)) continue;
      low = std::min(low, y);
      high = std::max(high, y);
    }
  }
  plot.y.logarithmic = is_wide(low, high);
}

double step_of_epoch(const MetricsTable& table, int64_t epoch) {
  const auto [epochs, steps] = table.series("epoch", "epoch", "step");
  for (size_t i = 0; i < epochs.size(); ++i) {
    if (epochs[i] == static_cast<double>(epoch)) return steps[i];
  }
  return std::nan("");
}

}  // namespace

std::vector<RunChart> run_charts(const MetricsTable& table, int64_t best_epoch) {
  std::vector<RunChart> charts;
  const auto add = [&](const std::string& name, Plot plot) {
    if (!has_numbers(plot)) return;
    if (name != "learning_rate") choose_scale(plot);
    charts.push_back({name, std::move(plot)});
  };
  Plot loss{.title = "Loss", .x = {.label = "step"}};
  add_steps(loss, table, "loss", "training", 0);
  add_epochs(loss, table, "step", "val_loss", "validation", 1);
  const double best_step = step_of_epoch(table, best_epoch);
  if (std::isfinite(best_step)) loss.marks = {{best_step, "best"}};
  add("loss", loss);

  const auto [column, name] = metric_of(table);
  Plot metric{.title = name, .x = {.label = "epoch"}};
  add_epochs(metric, table, "epoch", "train_" + column, "training", 0);
  add_epochs(metric, table, "epoch", "val_" + column, "validation", 1);
  if (std::isfinite(best_step)) metric.marks = {{static_cast<double>(best_epoch), "best"}};
  add("metric", metric);

  Plot distance{.title = "Distance to the true weights", .x = {.label = "epoch"}};
  add_epochs(distance, table, "epoch", "weight_error", "", 0);
  add("weight_error", distance);
  Plot rate{.title = "Learning rate", .x = {.label = "step"}};
  auto [x, y] = table.series("step", "step", "lr");
  rate.series.push_back({.x = x, .y = y});
  add("learning_rate", rate);
  Plot norm{.title = "Gradient norm", .x = {.label = "step"}};
  add_steps(norm, table, "gradient_norm", "", 0);
  add("gradient_norm", norm);
  return charts;
}

draw::BarChart time_chart(const MetricsTable& table) {
  draw::BarChart chart{.title = "Time per part", .label = "epoch", .y = {.label = "seconds"}};
  chart.parts = {{"training", {}}, {"data wait", {}}, {"validation", {}}, {"checkpoints", {}}};
  const auto column = [&](const std::string& name) { return table.series("epoch", "epoch", name); };
  const auto [epochs, seconds] = column("seconds");
  const auto add = [&](size_t part, const std::string& name) {
    const auto [at, values] = column(name);
    Values& to = chart.parts[part].values;
    to.assign(epochs.size(), 0);
    for (size_t i = 0, j = 0; i < at.size(); ++i) {
      while (j < epochs.size() && epochs[j] != at[i]) ++j;
      if (j < epochs.size()) to[j] = values[i];
    }
  };
  add(1, "wait_seconds");
  add(2, "validation_seconds");
  add(3, "checkpoint_seconds");
  for (size_t i = 0; i < epochs.size(); ++i) {
    chart.parts[0].values.push_back(std::max(seconds[i] - chart.parts[1].values[i], 0.0));
  }
  // No more bars than one can tell apart: the means of so many epochs each.
  const size_t group = (epochs.size() + 119) / 120;
  for (draw::BarChart::Part& part : chart.parts) {
    Values means;
    for (size_t i = 0; i < part.values.size(); i += group) {
      const size_t end = std::min(i + group, part.values.size());
      double sum = 0;
      for (size_t j = i; j < end; ++j) sum += part.values[j];
      means.push_back(sum / static_cast<double>(end - i));
    }
    part.values = std::move(means);
  }
  for (size_t i = 0; i < epochs.size(); i += group) {
    chart.labels.push_back(fmt::format("{:.0f}", epochs[std::min(i + group, epochs.size()) - 1]));
  }
  if (group > 1) chart.label = fmt::format("epoch (means of {})", group);
  return chart;
}

std::vector<RunChart> compare_charts(
    const std::vector<std::pair<std::string, const MetricsTable*>>& runs) {
  struct Kind {
    const char *name, *title, *event, *x, *column;
  };
  constexpr Kind kKinds[] = {
      {"train_loss", "Training loss", "epoch", "epoch", "train_loss"},
      {"val_loss", "Validation loss", "epoch", "epoch", "val_loss"},
      {"train_accuracy", "Training accuracy", "epoch", "epoch", "train_accuracy"},
      {"val_accuracy", "Validation accuracy", "epoch", "epoch", "val_accuracy"},
      {"val_r2", "Validation R²", "epoch", "epoch", "val_r2"},
      {"weight_error", "Distance to the true weights", "epoch", "epoch", "weight_error"},
      {"learning_rate", "Learning rate", "step", "step", "lr"},
      {"gradient_norm", "Gradient norm, smoothed", "step", "step", "gradient_norm"},
      {"samples_per_second", "Samples per second", "epoch", "epoch", "samples_per_second"}};
  std::vector<RunChart> charts;
  for (const Kind& kind : kKinds) {
    Plot plot{.title = kind.title, .x = {.label = kind.x}};
    for (size_t i = 0; i < runs.size(); ++i) {
      auto [x, y] = runs[i].second->series(kind.event, kind.x, kind.column);
      if (x.empty()) continue;
      if (std::string_view(kind.name) == "gradient_norm") y = smoothed(y);
      // Colours repeat after 8 runs; lines differ then.
      plot.series.push_back({.name = runs[i].first,
                             .x = std::move(x),
                             .y = std::move(y),
                             .color = i,
                             .dashed = i / std::size(draw::kSeriesColors) % 2 == 1});
    }
    if (!has_numbers(plot)) continue;
    if (std::string_view(kind.name) != "learning_rate") choose_scale(plot);
    charts.push_back({kind.name, std::move(plot)});
  }
  return charts;
}

}  // namespace mica::trainers
