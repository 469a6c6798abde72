// A run as its folder tells of it: for its report and for comparisons, during the run and after.
//
//   StoredRun run = read_run("runs/mnist-cnn");
//   run.metrics.last("val_loss"); run.summary["scores"]["test"]["accuracy"];
//
// Files that a run has not written yet are empty here. One thread a StoredRun.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "trainers/loggers.h"
#include "trainers/value.h"

namespace mica::trainers {

struct StoredRun {
  std::filesystem::path folder;
  std::string config_text;
  Value config;
  nlohmann::ordered_json info = nlohmann::ordered_json::object();     // run.json
  nlohmann::ordered_json summary = nlohmann::ordered_json::object();  // summary.json
  MetricsTable metrics;

  /// The last part of the folder's path.
  std::string name() const;
};

/// Throws Error: usage for a folder that holds no run, data for files that are damaged.
StoredRun read_run(const std::filesystem::path& folder);

}  // namespace mica::trainers
