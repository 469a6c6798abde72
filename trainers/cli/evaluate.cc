// mica evaluate: how good a run or a checkpoint is, printed and as a folder of files.
#include <filesystem>

#include "core/base/error.h"
#include "trainers/cli/cli.h"
#include "trainers/cli/prepared_file.h"
#include "trainers/judge/files.h"
#include "trainers/judge/report.h"
#include "trainers/setup.h"
#include "trainers/trained.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

struct EvaluateOptions {
  std::string target;
  std::string split = "test";
  std::string out;
  std::vector<std::string> minimum, maximum;
  bool json = false;
  bool no_files = false;
  CommonOptions common;
};

// "accuracy=0.97" of --min, or of --max.
struct Check {
  std::string metric;
  double bound = 0;
  bool at_least = true;
};

Check parse_check(const std::string& text, bool at_least) {
  const size_t equals = text.find('=');
  Check check = {text.substr(0, equals), 0, at_least};
  size_t used = 0;
  try {
    check.bound = std::stod(text.substr(equals + 1), &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (equals == std::string::npos || used == 0 || used != text.size() - equals - 1) {
    fail("{}: wanted METRIC=NUMBER, got '{}'", at_least ? "--min" : "--max", text);
  }
  return check;
}

// A figure that is not known meets nothing.
bool meets(const Check& check, const Judgement& judgement) {
  const double got = judgement.find(check.metric).value;
  if (check.at_least ? got >= check.bound : got <= check.bound) return true;
  fmt::print(stderr, "check not met: {} is {:.6g}, wanted at {} {:g}\n", check.metric, got,
             check.at_least ? "least" : "most", check.bound);
  return false;
}

// Where the files go unless told otherwise: into the run, or beside the checkpoint.
fs::path default_folder(const TrainedModel& model, const std::string& split) {
  const std::string name = "evaluation-" + split;
  const fs::path run = model.run_folder();
  if (!run.empty()) return run / name;
  return model.path.parent_path() / fmt::format("{}-{}", model.path.stem().string(), name);
}

// A run that can't be written to can be judged all the same.
void write_files(const EvaluateOptions& options, const TrainedModel& model,
                 const Judgement& judgement, const Outputs& outputs, const data::Dataset& dataset) {
  if (options.no_files) return;
  const bool named = !options.out.empty();
  const fs::path folder = named ? fs::path(options.out) : default_folder(model, options.split);
  try {
    write_evaluation(folder, judgement, outputs, dataset, model.path.string());
  } catch (const Error& error) {
    if (named || error.kind() != ErrorKind::kData) throw;
    fmt::print(stderr, "warning: no files written: {}\n", error.what());
    return;
  }
  if (!options.common.quiet) fmt::print(stderr, "files: {}\n", folder.string());
}

// The data of the run, or what --set says.
OpenedData data_of(const TrainedModel& model, const EvaluateOptions& options,
                   const fs::path& temporary) {
  bool same_data = true;
  for (const std::string& set : options.common.set) same_data &= !set.starts_with("data.");
  const fs::path prepared = model.run_folder() / "data.h5";
  const bool use_prepared = same_data && !model.run_folder().empty() && fs::exists(prepared);
  const OpenedData data = open_data(model.config, use_prepared ? prepared : temporary);
  check_loss(model.config, *data.dataset);
  const Shape& wanted = model.checkpoint.example_shape;
  if (data.dataset->sample_shape() != wanted) {
    fail(ErrorKind::kData, "{}: the model was trained on examples of shape {}, {} has {}",
         model.path.string(), to_string(wanted), model.config.data.path,
         to_string(data.dataset->sample_shape()));
  }
  return data;
}

int evaluate_run(const EvaluateOptions& options) {
  options.common.apply();
  std::vector<Check> checks;
  for (const std::string& text : options.minimum) checks.push_back(parse_check(text, true));
  for (const std::string& text : options.maximum) checks.push_back(parse_check(text, false));
  const TrainedModel model = open_trained(options.target, options.common.set);
  const PreparedFile prepared;
  const OpenedData data = data_of(model, options, prepared.path);
  const Outputs outputs = collect(*model.network, *model.config.loss, data.dataset, options.split,
                                  model.checkpoint.normalization, model.config.data.batch_size);
  const Judgement judgement = judge(outputs);
  if (options.json)
    fmt::print("{}\n", dumped(to_json(judgement)));
  else
    fmt::print("{}", describe(judgement, outputs, model.path.string()));
  std::fflush(stdout);
  write_files(options, model, judgement, outputs, *data.dataset);
  bool met = true;
  for (const Check& check : checks) met = meets(check, judgement) && met;
  return met ? 0 : static_cast<int>(ErrorKind::kCheck);
}

}  // namespace

void add_evaluate(CLI::App& app, Action& action) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* verb =
      app.add_subcommand("evaluate", "Judge a run or a checkpoint: metrics, report, pictures");
  verb->add_option("run", options->target,
                   "Folder of a run (its best weights, or the last with train.keep: last) or a "
                   "checkpoint file")
      ->required()
      ->type_name("DIR|CHECKPOINT");
  verb->add_option("--split", options->split, "train, val or test")
      ->type_name("NAME")
      ->capture_default_str();
  verb->add_option("-o,--out", options->out,
                   "Folder for report, predictions, confusion matrix, pictures (default: "
                   "evaluation-SPLIT in the run's folder)")
      ->type_name("DIR");
  verb->add_flag("--no-files", options->no_files, "Print only");
  verb->add_flag("--json", options->json,
                 "One JSON object: split, n, every figure, intervals, per_class, confusion");
  verb->add_option("--min", options->minimum, "Exit with 5 unless a metric is at least a number")
      ->type_name("METRIC=NUMBER")
      ->allow_extra_args(false);
  verb->add_option("--max", options->maximum, "Exit with 5 unless a metric is at most a number")
      ->type_name("METRIC=NUMBER")
      ->allow_extra_args(false);
  options->common.add_set(*verb);
  options->common.add_machine(*verb);
  verb->callback([&action, options] { action = [options] { return evaluate_run(*options); }; });
}

}  // namespace mica::trainers
