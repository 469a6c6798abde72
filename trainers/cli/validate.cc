// mica validate: would this config train? In about a second, without writing anything.
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/error.h"
#include "trainers/cli/cli.h"
#include "trainers/cli/prepared_file.h"
#include "trainers/validate.h"

namespace mica::trainers {
namespace {

using Json = nlohmann::ordered_json;

struct ValidateOptions {
  std::string config;
  bool json = false;
  CommonOptions common;
};

std::string megabytes(int64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) * 1e-6);
}

// "(28, 28, 1)" without the batch.
std::string example_text(const Shape& shape) {
  return to_string(Shape(shape.begin() + 1, shape.end()));
}

Json data_json(const data::Dataset& dataset) {
  Json json;
  for (const std::string& split : dataset.split_names()) json["rows"][split] = dataset.rows(split);
  const Shape& example = dataset.sample_shape();
  json["example"] = std::vector<int64_t>(example.begin(), example.end());
  json["task"] = name_of(dataset.info().task);
  json["outputs"] = size_of(wanted_output(dataset));
  return json;
}

void print_data(const data::Dataset& dataset) {
  fmt::print("data       ");
  for (const std::string& split : dataset.split_names()) {
    fmt::print("{} {}, ", dataset.rows(split), split);
  }
  const bool classes = dataset.info().task == data::Task::kClassification;
  const int64_t outputs = size_of(wanted_output(dataset));
  fmt::print("each {}, {}\n", to_string(dataset.sample_shape()),
             dataset.reconstructs()
                 ? "to be reconstructed"
                 : fmt::format("{} {}", outputs, classes ? "classes" : "targets"));
}

void print_layers(const std::vector<BuiltLayer>& layers) {
  for (size_t i = 0; i < layers.size(); ++i) {
    fmt::print("{:<10} {:<8} {:<14} {:<18} {:>12}\n", i == 0 ? "model" : "", layers[i].name,
               layers[i].type, example_text(layers[i].output), layers[i].module->parameter_count());
  }
}

void print_step(const Validation& found) {
  fmt::print("loss       {:.4f} at the initial weights{}\n", found.loss,
             found.guessing_loss ? fmt::format(", guessing is {:.4f}", *found.guessing_loss) : "");
  fmt::print("step       {:.1f} ms for a batch of {}\n", found.step_seconds * 1e3,
             found.batch_size);
  fmt::print(
      "memory     {} at the peak of a step: parameters {}, optimizer {}, batch {}, the rest "
      "activations and gradients\n",
      megabytes(found.step_peak_bytes), megabytes(found.parameter_bytes),
      megabytes(found.optimizer_bytes), megabytes(found.batch_bytes));
  for (const std::string& warning : found.warnings) fmt::print("{}\n", warning);
}

Json step_json(const Validation& found) {
  Json json = {{"loss", found.loss}};
  if (found.guessing_loss) json["guessing_loss"] = *found.guessing_loss;
  json["step_seconds"] = found.step_seconds;
  json["memory"] = {{"step_peak_bytes", found.step_peak_bytes},
                    {"parameter_bytes", found.parameter_bytes},
                    {"optimizer_bytes", found.optimizer_bytes},
                    {"batch_bytes", found.batch_bytes}};
  json["warnings"] = found.warnings;
  return json;
}

Json check(const ValidateOptions& options) {
  const RunConfig config = load_config(options.config, options.common.set);
  const PreparedFile prepared;
  Setup setup = make_setup(config, prepared.path);
  const data::Dataset& dataset = *setup.data.dataset;
  const std::vector<BuiltLayer> layers =
      build_layers(config.model, dataset.sample_shape(), wanted_output(dataset), config.seed);
  if (!options.json) {
    print_data(dataset);
    print_layers(layers);
    // A large network takes its time for the step.
    std::fflush(stdout);
  }
  const Validation found = validate(config, setup);
  if (!options.json) {
    print_step(found);
    fmt::print("{}: ok\n", options.config);
  }
  Json json = {{"ok", true}, {"data", data_json(dataset)}};
  json["parameters"] = setup.network->parameter_count();
  json.update(step_json(found));
  return json;
}

int run_validate(const ValidateOptions& options) {
  options.common.apply();
  if (!options.json) {
    check(options);
    return 0;
  }
  try {
    fmt::print("{}\n", check(options).dump());
    return 0;
  } catch (const Error& error) {
    Json errors = Json::array();
    std::stringstream text(error.what());
    for (std::string line; std::getline(text, line);) {
      if (!line.ends_with(" errors") || line.find(':') != std::string::npos) errors.push_back(line);
    }
    fmt::print("{}\n", Json{{"ok", false}, {"errors", errors}}.dump());
    return static_cast<int>(error.kind());
  }
}

}  // namespace

void add_validate(CLI::App& app, Action& action) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* verb = app.add_subcommand(
      "validate", "Check a config, its data and its model, with one step on real examples");
  verb->add_option("config", options->config, "Config file")->required()->type_name("CONFIG");
  verb->add_flag("--json", options->json, "One JSON object, which holds the errors too");
  options->common.add_set(*verb);
  options->common.add_machine(*verb);
  verb->callback([&action, options] { action = [options] { return run_validate(*options); }; });
}

}  // namespace mica::trainers
