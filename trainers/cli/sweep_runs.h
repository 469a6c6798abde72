// The runs of a sweep as child processes of this program: what one of them does to itself stops no
// other.
//
//   SweepOutcome outcome = run_trials({.config = "c.yaml", .folder = "runs/c-sweep"}, trials);
//   outcome.results[0].best;
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "trainers/sweep.h"

namespace mica::trainers {

/// What runs of a sweep have in common.
struct SweepRuns {
  std::string config;
  std::vector<std::string> overrides;  // of --set and --set-file
  std::filesystem::path folder;        // holds the runs, their output, leaderboard.csv
  int jobs = 1;
  int threads = 0;  // of each run; 0: all cores shared out
  bool quiet = false;
};

struct SweepOutcome {
  std::vector<TrialResult> results;
  int code = 0;  // 130 or 143 when a signal stopped the sweep
};

/// Runs what has not been run yet: a run that is done or diverged stays as it is, one that was
/// stopped or killed is resumed, one that failed starts over. Rewrites leaderboard.csv after each.
/// Throws a usage Error, before anything starts, for trials whose config has mistakes, and for a
/// folder that holds another sweep.
SweepOutcome run_trials(const SweepRuns& runs, const std::vector<Trial>& trials);

}  // namespace mica::trainers
