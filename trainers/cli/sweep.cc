// mica sweep: many runs of a config with other values. mica kfold: one for each part of the data.
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "trainers/cli/cli.h"
#include "trainers/cli/sweep_runs.h"
#include "trainers/config.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

struct SweepOptions {
  std::string config, out;
  std::vector<std::string> grid, random;
  int64_t trials = 10, seed = 0, folds = 5;
  int jobs = 1;
  bool dry = false, json = false;
  CommonOptions common;
};

SweepRuns runs_of(const SweepOptions& options, const char* kind) {
  SweepRuns runs{options.config, options.common.set,     options.out,
                 options.jobs,   options.common.threads, options.common.quiet};
  if (runs.folder.empty()) {
    const RunConfig config = load_config(options.config, options.common.set);
    runs.folder = fs::path("runs") / fmt::format("{}-{}", config.name, kind);
  }
  return runs;
}

Json results_json(const std::vector<Trial>& trials, const SweepOutcome& outcome,
                  const fs::path& folder) {
  Json rows = Json::array();
  for (const size_t index : ranking(outcome.results)) {
    const TrialResult& result = outcome.results[index];
    Json row = {{"run", (folder / trial_name(index)).string()}, {"status", result.status}};
    if (result.best) {
      row["metric"] = result.metric;
      row["best"] = *result.best;
      row["epoch"] = result.best_epoch;
    }
    row["seconds"] = result.seconds;
    for (const auto& [key, value] : trials[index].values) row["values"][key] = value;
    rows.push_back(std::move(row));
  }
  return rows;
}

// 1 where no run has a result; a diverged one among others is a result, too.
int exit_code(const SweepOutcome& outcome) {
  if (outcome.code != 0) return outcome.code;
  for (const TrialResult& result : outcome.results) {
    if (result.best) return 0;
  }
  return static_cast<int>(ErrorKind::kRuntime);
}

int sweep(const SweepOptions& options) {
  SweepSpec spec;
  for (const std::string& text : options.grid) spec.grid.push_back(parse_grid(text));
  for (const std::string& text : options.random) spec.random.push_back(parse_random(text));
  if (spec.grid.empty() && spec.random.empty()) {
    fail("nothing to vary: give --grid KEY=VALUE,VALUE or --random KEY=log(LOW,HIGH)");
  }
  spec.draws = options.trials;
  spec.seed = static_cast<uint64_t>(options.seed);
  const std::vector<Trial> trials = make_trials(spec);
  if (options.dry) {
    for (size_t i = 0; i < trials.size(); ++i) {
      fmt::print("{}  {}\n", trial_name(i), trials[i].text());
    }
    return 0;
  }
  const SweepRuns runs = runs_of(options, "sweep");
  const SweepOutcome outcome = run_trials(runs, trials);
  if (options.json) {
    fmt::print("{}\n", results_json(trials, outcome, runs.folder).dump());
  } else {
    fmt::print("{}", leaderboard_text(trials, outcome.results));
    fmt::print("{}\n", (runs.folder / "leaderboard.csv").string());
  }
  return exit_code(outcome);
}

// Mean, and the deviation of a sample.
std::pair<double, double> mean_and_deviation(const std::vector<double>& values) {
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double freedom = static_cast<double>(values.size()) - 1;
  return {mean, freedom > 0 ? std::sqrt(squares / freedom) : 0.0};
}

int kfold(const SweepOptions& options) {
  std::vector<Trial> trials;
  for (int64_t i = 1; i <= options.folds; ++i) {
    trials.push_back({{{"data.fold", fmt::format("{}/{}", i, options.folds)}}});
  }
  const SweepRuns runs = runs_of(options, "kfold");
  const SweepOutcome outcome = run_trials(runs, trials);
  std::vector<double> values;
  std::string metric;
  for (const TrialResult& result : outcome.results) {
    if (result.status != "done" || !result.best) continue;
    values.push_back(*result.best);
    metric = result.metric;
  }
  const auto [mean, deviation] = mean_and_deviation(values);
  if (options.json) {
    Json json = {{"folds", results_json(trials, outcome, runs.folder)}};
    if (!values.empty()) {
      json.update({{"metric", metric}, {"mean", mean}, {"deviation", deviation}});
    }
    fmt::print("{}\n", json.dump());
  } else {
    fmt::print("{}", leaderboard_text(trials, outcome.results));
    if (!values.empty()) {
      fmt::print("{} {:.5g} +- {:.2g} (mean and deviation of {} folds)\n", metric, mean, deviation,
                 values.size());
    }
  }
  return exit_code(outcome);
}

void add_common(CLI::App& verb, SweepOptions& options, const char* out) {
  verb.add_option("config", options.config, "Config file")->required()->type_name("CONFIG");
  verb.add_option("-o,--out", options.out, out)->type_name("DIR");
  verb.add_option("-j,--jobs", options.jobs, "Runs at a time; they share the cores")
      ->check(CLI::Range(1, 1024));
  verb.add_flag("--json", options.json, "The results as JSON");
  options.common.add_set(verb);
  options.common.add_machine(verb);
}

}  // namespace

void add_sweep(CLI::App& app, Action& action) {
  auto options = std::make_shared<SweepOptions>();
  CLI::App* verb = app.add_subcommand(
      "sweep", "Train a config with many values; started again, it goes on where it was");
  verb->add_option("--grid", options->grid,
                   "Every combination: optimizer.adam.lr=1e-3,1e-2 (repeatable)")
      ->type_name("KEY=A,B,...")
      ->allow_extra_args(false);
  verb->add_option("--random", options->random,
                   "Drawn: KEY=uniform(LOW,HIGH), log(LOW,HIGH), int(LOW,HIGH) or choice(A,B) "
                   "(repeatable)")
      ->type_name("KEY=RANGE")
      ->allow_extra_args(false);
  verb->add_option("--trials", options->trials, "Draws, for each point of a grid (default: 10)")
      ->check(CLI::Range(1, 10'000));
  verb->add_option("--seed", options->seed, "Of the draws, not of the runs");
  verb->add_flag("--dry-run", options->dry, "List the runs and do nothing");
  add_common(*verb, *options, "Folder for the runs (default: runs/NAME-sweep)");
  verb->callback([&action, options] { action = [options] { return sweep(*options); }; });
}

void add_kfold(CLI::App& app, Action& action) {
  auto options = std::make_shared<SweepOptions>();
  CLI::App* verb = app.add_subcommand(
      "kfold", "Cross-validate a config: each part of the training data validates once");
  verb->add_option("-k,--folds", options->folds, "Parts (default: 5)")->check(CLI::Range(2, 1000));
  add_common(*verb, *options, "Folder for the runs (default: runs/NAME-kfold)");
  verb->callback([&action, options] { action = [options] { return kfold(*options); }; });
}

}  // namespace mica::trainers
