// What only shows once data and network are there, checked before the first step.
//
//   check_run(config, dataset, network);            // throws all mistakes at once, placed
//   for (const std::string& text : run_warnings(config, dataset, network)) ...
//
// Mistakes: patterns of optimizer.groups that match no parameter, schedules that the run is too
// short for, a monitor that this data has no numbers for. Warnings are about what works but is
// seldom meant.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "nn/module.h"
#include "trainers/config.h"

namespace mica::trainers {

void check_run(const RunConfig& config, const data::Dataset& dataset, nn::Module& network);

/// Placed, "mnist.yaml:14:5: warning: ...".
std::vector<std::string> run_warnings(const RunConfig& config, const data::Dataset& dataset,
                                      nn::Module& network);

/// The metric that says which weights are best: train.monitor, with "auto" resolved. Throws a
/// placed usage Error where the data has no such number.
std::string choose_monitor(const RunConfig& config, const data::Dataset& dataset);
/// False for losses.
bool larger_is_better(const std::string& metric);

}  // namespace mica::trainers
