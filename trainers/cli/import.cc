// mica import: weights of other programs as a checkpoint.
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "trainers/checkpoint.h"
#include "trainers/cli/cli.h"
#include "trainers/cli/prepared_file.h"
#include "trainers/setup.h"
#include "trainers/weights.h"

namespace mica::trainers {
namespace {

struct ImportOptions {
  std::string file, config, out, names;
  std::vector<int64_t> input;
  bool json = false;
  CommonOptions common;
};

// With the data, the checkpoint has its normalisation and names; with --input, neither.
Checkpoint describe(const ImportOptions& options, const RunConfig& config,
                    std::shared_ptr<nn::Sequential>& network) {
  Checkpoint checkpoint;
  checkpoint.config = config.to_yaml();
  if (!options.input.empty()) {
    checkpoint.example_shape = Shape(options.input.begin(), options.input.end());
    const bool labels = config.loss->target_kind() == nn::TargetKind::kLabels;
    checkpoint.task = data::name_of(labels ? data::Task::kClassification : data::Task::kRegression);
    network = build_network(config, checkpoint.example_shape, {});
    return checkpoint;
  }
  const PreparedFile prepared;
  const Setup setup = make_setup(config, prepared.path);
  const data::Dataset& dataset = *setup.data.dataset;
  checkpoint.example_shape = dataset.sample_shape();
  checkpoint.normalization = setup.normalization;
  checkpoint.task = data::name_of(dataset.info().task);
  checkpoint.class_names = dataset.info().class_names;
  checkpoint.data_fingerprint = dataset.fingerprint();
  checkpoint.feature_names = dataset.info().feature_names;
  checkpoint.target_names = dataset.info().target_names;
  checkpoint.fill = dataset.info().fill;
  checkpoint.example_dtype = name_of(dataset.sample_dtype());
  network = setup.network;
  return checkpoint;
}

int import_weights(const ImportOptions& options) {
  std::optional<WeightNames> names;
  if (!options.names.empty()) names = read_weight_names(options.names);
  const RunConfig config = load_config(options.config, options.common.set);
  std::shared_ptr<nn::Sequential> network;
  Checkpoint checkpoint = describe(options, config, network);
  load_weights(*network, checkpoint.example_shape, options.file, names);
  checkpoint.model = network->state();
  save_checkpoint(checkpoint, options.out);
  if (options.json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"file", options.out},
                                              {"arrays", checkpoint.model.size()},
                                              {"parameters", network->parameter_count()}}
                           .dump());
    return 0;
  }
  fmt::print("{}: {} arrays, {} parameters of {}\n", options.out, checkpoint.model.size(),
             network->parameter_count(), options.file);
  return 0;
}

}  // namespace

void add_import(CLI::App& app, Action& action) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* verb =
      app.add_subcommand("import", "Make a checkpoint of weights that another program trained");
  verb->add_option("file", options->file, "Weights: .safetensors, .npz, .keras or .h5")
      ->required()
      ->type_name("FILE");
  verb->add_option("--config", options->config,
                   "Config with the model; its data gives the normalisation of inputs")
      ->required()
      ->type_name("CONFIG");
  verb->add_option("-o,--out", options->out, "Checkpoint to write")->required()->type_name("FILE");
  verb->add_option("--names", options->names,
                   "Whose names and layouts the weights have: mica, torch, mlx, keras, or a file "
                   "that maps names (docs/handing_on.md); default: what the file says")
      ->type_name("NAMES");
  verb->add_option("--input", options->input,
                   "Shape of an example, as 28,28,1, where there is no data; inputs are then taken "
                   "as they are")
      ->delimiter(',')
      ->type_name("SHAPE");
  verb->add_flag("--json", options->json, "Say what was written as one JSON object");
  options->common.add_set(*verb);
  verb->callback([&action, options] { action = [options] { return import_weights(*options); }; });
}

}  // namespace mica::trainers
