// Many runs of one config, each with other values: a grid, random draws, or folds.
//
//   SweepSpec spec;
//   spec.grid = {parse_grid("optimizer.adam.lr=1e-3,1e-2")};
//   spec.random = {parse_random("data.batch_size=int(16,64)")};
//   for (const Trial& trial : make_trials(spec)) ...     // what each run overrides
//
// A run of a sweep is an ordinary run, in a folder of its own under the sweep's. What was drawn
// follows from (seed, key, number of the draw) alone, so that a sweep that is started again goes on
// where it was.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mica::trainers {

struct GridAxis {
  std::string key;
  std::vector<std::string> values;  // YAML
};
/// "a.b=1,2" or "kernel=[3,3],[5,5]": split at commas outside of brackets and quotes.
GridAxis parse_grid(const std::string& text);

struct RandomAxis {
  enum class Kind { kUniform, kLog, kInteger, kChoice };
  std::string key;
  Kind kind = Kind::kUniform;
  double low = 0, high = 1;
  std::vector<std::string> choices;
};
/// "a.b=uniform(0,1)", "log(1e-4,1e-1)", "int(1,8)" or "choice(relu,gelu)".
RandomAxis parse_random(const std::string& text);

struct SweepSpec {
  std::vector<GridAxis> grid;
  std::vector<RandomAxis> random;
  int64_t draws = 1;  // random draws for each point of the grid
  uint64_t seed = 0;
};

struct Trial {
  std::vector<std::pair<std::string, std::string>> values;  // key, YAML
  /// "optimizer.adam.lr=0.01 seed=1".
  std::string text() const;
};
/// Every point of the grid, the last axis moving fastest, with each draw.
std::vector<Trial> make_trials(const SweepSpec& spec);

/// How a run ended, as its folder tells.
struct TrialResult {
  std::string status = "waiting";  // done, stopped, diverged, failed, as in run.json
  std::string metric;              // what `best` is of: "val.accuracy"
  std::optional<double> best;
  int64_t best_epoch = 0;
  double seconds = 0;  // of training
};
TrialResult read_result(const std::filesystem::path& folder);

/// Positions of the trials, the best first, those without a result last.
std::vector<size_t> ranking(const std::vector<TrialResult>& results);
/// Rank, run, status, the metric, its epoch, seconds, and the values; a row a trial, best first.
std::string leaderboard_csv(const std::vector<Trial>& trials,
                            const std::vector<TrialResult>& results);
/// The same as aligned text for people.
std::string leaderboard_text(const std::vector<Trial>& trials,
                             const std::vector<TrialResult>& results);
/// The folder of trial `index` in a sweep's: "003" for the third.
std::string trial_name(size_t index);

}  // namespace mica::trainers
