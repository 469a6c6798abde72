// The charts of runs, made from their metrics: one run in its report, several in a comparison.
//
//   for (const RunChart& chart : run_charts(table)) page += draw::to_svg(chart.plot);
//   compare_charts({{"a", &table_a}, {"b", &table_b}});
//
// Charts without numbers are left out: a run without gradient norms has no chart of them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "trainers/draw/chart.h"
#include "trainers/loggers.h"

namespace mica::trainers {

struct RunChart {
  std::string name;  // of its file: "loss" for plots/loss.png
  draw::Plot plot;
};

/// Loss, metric, learning rate, gradient norm. `best_epoch` is marked; 0: none.
std::vector<RunChart> run_charts(const MetricsTable& table, int64_t best_epoch);
/// Seconds of each epoch by what they went into. No labels without epochs.
draw::BarChart time_chart(const MetricsTable& table);

/// The same numbers of several runs in one plot each; what a plot is about is in its title.
std::vector<RunChart> compare_charts(
    const std::vector<std::pair<std::string, const MetricsTable*>>& runs);

}  // namespace mica::trainers
