// mica train: a new run, or an old one continued.
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/file.h"
#include "core/runtime/parallel.h"
#include "trainers/checks.h"
#include "trainers/cli/cli.h"
#include "trainers/trainer.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

struct TrainOptions {
  std::string config;
  std::string out;
  std::string init_from;
  std::string names;
  std::string seed;
  bool resume = false;
  bool force = false;
  CommonOptions common;
};

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  return name;
}

// run.json: what was run where, and how it ended.
class RunInfo {
 public:
  RunInfo(fs::path file, const std::string& command_line, const RunConfig& config)
      : file_(std::move(file)) {
    json_["command"] = command_line;
    json_["version"] = MICA_VERSION;
    json_["host"] = host_name();
    json_["device"] = "cpu";
    json_["threads"] = threads();
    json_["seed"] = config.seed;
    json_["started"] = timestamp();
  }
  void write(const std::string& status, const RunState& state) {
    json_["status"] = status;
    json_["step"] = state.step;
    json_["epoch"] = state.epoch;
    if (state.best_epoch > 0) json_["best"] = {{"epoch", state.best_epoch}, {"value", state.best}};
    json_["written"] = timestamp();
    write_file(file_.string(), json_.dump(2) + "\n");
  }

 private:
  fs::path file_;
  nlohmann::ordered_json json_;
};

// `mica train runs/digits --resume`, or the config in that folder: the run that is there.
void find_run(TrainOptions& options) {
  if (!options.resume || !options.out.empty()) return;
  fs::path path = options.config;
  if (path.filename() == RunFolder{}.config()) path = path.parent_path();
  const RunFolder folder{path.empty() ? "." : path};
  if (!fs::exists(folder.info())) return;
  options.config = folder.config().string();
  options.out = folder.path.string();
}

RunFolder choose_folder(const TrainOptions& options, const RunConfig& config) {
  RunFolder folder{options.out};
  if (options.out.empty()) {
    folder = options.resume ? newest_run_folder("runs", config.name)
                            : new_run_folder("runs", config.name);
  }
  if (options.resume && fs::exists(folder.last())) return folder;
  if (fs::exists(folder.config()) && !options.resume && !options.force) {
    fail("{} holds a run already: --resume continues it, --force starts it over", options.out);
  }
  // What was prepared may be from another config.
  for (const fs::path& file : {folder.last(), folder.best(), folder.previous(), folder.log(),
                               folder.summary(), folder.report(), folder.path / "data.h5"}) {
    std::error_code ignored;
    fs::remove(file, ignored);
  }
  return folder;
}

std::string describe_run(const RunConfig& config, const Setup& setup) {
  std::string text = fmt::format("{}: ", config.name);
  for (const std::string& split : setup.data.dataset->split_names()) {
    text += fmt::format("{} {}, ", setup.data.dataset->rows(split), split);
  }
  return text + fmt::format("{} parameters, {} thread{}", setup.network->parameter_count(),
                            threads(), threads() == 1 ? "" : "s");
}

// A folder that was made for a run that can't begin goes again.
class FolderGuard {
 public:
  explicit FolderGuard(const RunFolder& folder)
      : folder_(folder), existed_(fs::exists(folder.path)) {}
  ~FolderGuard() {
    std::error_code ignored;
    if (!existed_ && !begun_) fs::remove_all(folder_.path, ignored);
  }
  void begin() { begun_ = true; }

 private:
  const RunFolder& folder_;
  bool existed_;
  bool begun_ = false;
};

int train(TrainOptions options, const std::string& command_line) {
  options.common.apply();
  find_run(options);
  if (!options.seed.empty()) options.common.set.push_back("seed=" + options.seed);
  const RunConfig config = load_config(options.config, options.common.set);
  const RunFolder folder = choose_folder(options, config);
  Progress progress(stderr, options.common.progress_mode());
  FolderGuard guard(folder);
  Setup setup = make_setup(config, folder.path / "data.h5", [&](const data::PrepareProgress& p) {
    progress.status(fmt::format("preparing: {} {}", p.stage, p.done));
  });
  const std::string description = describe_run(config, setup);
  const std::vector<std::string> warnings =
      run_warnings(config, *setup.data.dataset, *setup.network);
  const StopSignals signals;
  Trainer trainer(config, std::move(setup), folder, progress, signals);
  folder.create();
  for (const fs::path& file : {folder.last(), folder.config(), folder.info()}) {
    remove_stale_temporaries(file.string());
  }
  if (options.resume) {
    progress.line(trainer.resume()
                      ? fmt::format("resuming {} at step {} (epoch {})", folder.path.string(),
                                    trainer.state().step, trainer.state().epoch + 1)
                      : fmt::format("{} has no checkpoint yet, starting from the "
                                    "beginning",
                                    folder.path.string()));
  } else if (!options.init_from.empty()) {
    std::optional<WeightNames> names;
    if (!options.names.empty()) names = read_weight_names(options.names);
    trainer.init_from(options.init_from, names);
  }
  guard.begin();
  progress.log_to(folder.log());
  for (const std::string& warning : warnings) progress.line(warning);
  progress.line(description);
  progress.line(fmt::format("writing to {}", folder.path.string()));
  RunInfo info(folder.info(), command_line, config);
  info.write("running", trainer.state());
  try {
    const int code = trainer.run();
    info.write(code == 0 ? "done" : "stopped", trainer.state());
    if (code != 0) {
      progress.line(fmt::format(
          "stopped by {} at step {}, saved; go on with: mica train {} --resume",
          code == 130 ? "SIGINT" : "SIGTERM", trainer.state().step, folder.path.string()));
    }
    return code;
  } catch (const Error& error) {
    progress.clear();
    info.write(error.kind() == ErrorKind::kDiverged ? "diverged" : "failed", trainer.state());
    throw;
  }
}

}  // namespace

void add_train(CLI::App& app, Action& action, const std::string& command_line) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* verb = app.add_subcommand("train", "Train a model as a config file describes it");
  verb->add_option("config", options->config,
                   "Config file; with --resume, the folder of a run will do")
      ->required()
      ->type_name("CONFIG");
  verb->add_option("-o,--out", options->out,
                   "Folder for the run (default: runs/NAME, or the next "
                   "free NAME-2, NAME-3, ...)")
      ->type_name("DIR");
  options->common.add_set(*verb);
  verb->add_flag("--resume", options->resume, "Go on from the last checkpoint of the run");
  verb->add_option("--init-from", options->init_from,
                   "Start with the weights of a checkpoint, or of another program: .safetensors, "
                   ".npz, .keras")
      ->type_name("FILE")
      ->excludes("--resume");
  verb->add_option("--names", options->names,
                   "Names and layouts of the weights in --init-from (see mica import)")
      ->type_name("NAMES")
      ->needs("--init-from");
  verb->add_flag("--force", options->force, "Start over in a folder that holds a run");
  verb->add_option("--seed", options->seed, "The same as --set seed=N")->type_name("N");
  options->common.add_machine(*verb);
  verb->callback([&action, options, command_line] {
    action = [options, command_line] { return train(*options, command_line); };
  });
}

}  // namespace mica::trainers
