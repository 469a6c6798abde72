// mica evaluate: the scores of a run or a checkpoint.
#include <unistd.h>

#include <filesystem>

#include "core/base/error.h"
#include "trainers/checkpoint.h"
#include "trainers/cli/cli.h"
#include "trainers/evaluate.h"
#include "trainers/run_folder.h"
#include "trainers/setup.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

struct EvaluateOptions {
  std::string target;
  std::string split = "test";
  std::vector<std::string> minimum;
  bool json = false;
  CommonOptions common;
};

// A file for data that a raw source is prepared into, gone afterwards.
class TemporaryFile {
 public:
  TemporaryFile() : path_(fs::temp_directory_path() / fmt::format("mica-{}-data.h5", getpid())) {}
  ~TemporaryFile() {
    std::error_code error;
    fs::remove(path_, error);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

fs::path choose_checkpoint(const fs::path& target) {
  if (!fs::exists(target)) fail(ErrorKind::kData, "{}: no such file or folder", target.string());
  if (!fs::is_directory(target)) return target;
  const RunFolder folder{target};
  if (!fs::exists(folder.last())) {
    fail(ErrorKind::kData, "{}: no run with a checkpoint in this folder (no {})", target.string(),
         folder.last().string());
  }
  const Checkpoint last = load_checkpoint(folder.last().string());
  const RunConfig config = parse_config(last.config, folder.last().string(), target.string());
  const bool best = config.train.keep == "best" && fs::exists(folder.best());
  return best ? folder.best() : folder.last();
}

// "accuracy=0.97" holds or not. Throws for anything else.
bool meets(const std::string& check, const Scores& scores) {
  const size_t equals = check.find('=');
  double wanted = 0;
  size_t used = 0;
  try {
    wanted = std::stod(check.substr(equals + 1), &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (equals == std::string::npos || used == 0 || used != check.size() - equals - 1) {
    fail("--min: wanted METRIC=NUMBER, got '{}'", check);
  }
  const double got = scores.find(check.substr(0, equals));
  if (got >= wanted) return true;
  fmt::print(stderr, "check not met: {} is {:.6g}, wanted at least {:g}\n", check.substr(0, equals),
             got, wanted);
  return false;
}

void load_weights(nn::Module& network, const Checkpoint& checkpoint, const std::string& path) {
  try {
    network.load_state(checkpoint.model);
  } catch (const Error& error) {
    fail(ErrorKind::kData, "{}: a checkpoint of another model: {}", path, error.what());
  }
}

int evaluate_run(const EvaluateOptions& options) {
  options.common.apply();
  const fs::path path = choose_checkpoint(options.target);
  const Checkpoint checkpoint = load_checkpoint(path.string());
  const RunConfig config = parse_config(checkpoint.config, path.string(),
                                        path.parent_path().string(), options.common.set);
  // Overrides of the data mean other data than the run has prepared.
  bool same_data = true;
  for (const std::string& set : options.common.set) same_data &= !set.starts_with("data.");
  const fs::path prepared = path.parent_path().parent_path() / "data.h5";
  const TemporaryFile temporary;
  const bool use_prepared = same_data && fs::exists(prepared);
  const OpenedData data = open_data(config, use_prepared ? prepared : temporary.path());
  check_loss(config, *data.dataset);
  if (data.dataset->sample_shape() != checkpoint.example_shape) {
    fail(ErrorKind::kData, "{}: the model was trained on examples of shape {}, {} has {}",
         path.string(), to_string(checkpoint.example_shape), config.data.path,
         to_string(data.dataset->sample_shape()));
  }
  const auto network =
      build_network(config, checkpoint.example_shape, wanted_outputs(*data.dataset));
  load_weights(*network, checkpoint, path.string());
  const Scores scores = evaluate(*network, *config.loss, data.dataset, options.split,
                                 checkpoint.normalization, config.data.batch_size);
  const std::vector<std::string>& names = data.dataset->info().class_names;
  if (options.json)
    fmt::print("{}\n", to_json(scores, names).dump());
  else
    fmt::print("{}: {}", path.string(), describe(scores, names));
  bool met = true;
  for (const std::string& check : options.minimum) met = meets(check, scores) && met;
  return met ? 0 : static_cast<int>(ErrorKind::kCheck);
}

}  // namespace

void add_evaluate(CLI::App& app, Action& action) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* verb =
      app.add_subcommand("evaluate", "Print the loss and metrics of a run or a checkpoint");
  verb->add_option("run", options->target,
                   "Folder of a run (its best weights, or the last with train.keep: last) or a "
                   "checkpoint file")
      ->required()
      ->type_name("DIR|CHECKPOINT");
  verb->add_option("--split", options->split, "train, val or test")
      ->type_name("NAME")
      ->capture_default_str();
  verb->add_flag("--json", options->json,
                 "One JSON object: split, n, loss, accuracy or r2, and the rest");
  verb->add_option("--min", options->minimum, "Exit with 5 unless a metric is at least a number")
      ->type_name("METRIC=NUMBER")
      ->allow_extra_args(false);
  options->common.add_set(*verb);
  options->common.add_machine(*verb);
  verb->callback([&action, options] { action = [options] { return evaluate_run(*options); }; });
}

}  // namespace mica::trainers
