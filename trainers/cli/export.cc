// mica export: a trained model handed on to other programs.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/array_io.h"
#include "core/io/file.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/ops/view.h"
#include "nn/linear.h"
#include "nn/onnx.h"
#include "trainers/cli/cli.h"
#include "trainers/trained.h"
#include "trainers/weights.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kExamples = 8;  // of --example

struct ExportOptions {
  std::string target, out, names, example;
  bool raw = false;
  bool channels_first = false;
  bool json = false;
};

bool is_onnx(const ExportOptions& options) { return options.out.ends_with(".onnx"); }

void check(const ExportOptions& options) {
  const bool weights = options.out.ends_with(".safetensors") || options.out.ends_with(".npz") ||
                       options.out.ends_with(".h5");
  if (!weights && !is_onnx(options)) {
    fail("--out {}: the name must end in .onnx, .safetensors, .npz or .h5", options.out);
  }
  const auto refuse = [&](bool given, const char* option, const char* formats) {
    if (given) fail("{} is for {}, not for {}", option, formats, options.out);
  };
  refuse(weights && options.raw, "--raw", ".onnx files");
  refuse(weights && options.channels_first, "--channels-first", ".onnx files");
  refuse(weights && !options.example.empty(), "--example", ".onnx files");
  refuse(!weights && !options.names.empty(), "--names", "files of weights");
}

// Whether the model begins with a table that integers look up.
nn::Embedding* first_table(nn::Module& module) {
  if (auto* sequential = dynamic_cast<nn::Sequential*>(&module)) {
    return sequential->layers().empty() ? nullptr : first_table(*sequential->layers()[0]);
  }
  return dynamic_cast<nn::Embedding*>(&module);
}

std::string json_list(const auto& values) { return nlohmann::json(values).dump(); }

// What is needed beside the weights to use them.
std::map<std::string, std::string> metadata_of(const Checkpoint& checkpoint) {
  std::map<std::string, std::string> metadata;
  metadata["mica_config"] = checkpoint.config;
  metadata["task"] = checkpoint.task;
  metadata["example_shape"] = json_list(
      std::vector<int64_t>(checkpoint.example_shape.begin(), checkpoint.example_shape.end()));
  if (!checkpoint.class_names.empty()) {
    metadata["class_names"] = json_list(checkpoint.class_names);
  }
  for_each_field(checkpoint.normalization, [&](std::string_view name, const auto& values) {
    if (!values.empty()) metadata[std::string(name)] = json_list(values);
  });
  return metadata;
}

std::string shape_text(const Shape& shape, bool channels_first) {
  std::vector<int64_t> lengths(shape.begin(), shape.end());
  if (channels_first && lengths.size() > 1)
    std::rotate(lengths.begin(), lengths.end() - 1, lengths.end());
  std::string text = "(batch";
  for (const int64_t length : lengths) text += fmt::format(", {}", length);
  return text + ")";
}

// How the numbers of an input come about.
std::string input_doc(const ExportOptions& options, const Checkpoint& checkpoint) {
  const bool normalized = !checkpoint.normalization.mean.empty();
  if (!normalized) return "values as in the data set";
  const std::string raw =
      checkpoint.example_dtype == "uint8" ? "values from 0 to 255" : "values as in the data set";
  if (options.raw) return raw;
  return fmt::format("(value - mean) / std of {}, with mean and std from the metadata", raw);
}

// Whether the outputs are in the targets' units of training, and not the scores of yes or no.
bool gives_values(const TrainedModel& model) {
  return model.config.loss->target_kind() == nn::TargetKind::kValues;
}

nn::OnnxOptions onnx_options(const ExportOptions& options, const TrainedModel& model) {
  nn::OnnxOptions onnx;
  onnx.name = model.config.name;
  onnx.channels_first = options.channels_first;
  onnx.integer_input = first_table(*model.network) != nullptr;
  onnx.metadata = metadata_of(model.checkpoint);
  onnx.metadata["raw"] = options.raw ? "true" : "false";
  onnx.doc = fmt::format("input: {}", input_doc(options, model.checkpoint));
  if (options.raw) {
    const data::Normalization& norm = model.checkpoint.normalization;
    onnx.mean = norm.mean;
    onnx.std = norm.std;
    if (gives_values(model)) {
      onnx.target_mean = norm.target_mean;
      onnx.target_std = norm.target_std;
    }
  }
  return onnx;
}

Array row(const std::vector<double>& values) {
  return astype(Array::from(values, {static_cast<int64_t>(values.size())}), float32);
}

// What the file should give, computed here: "input" and "output" of a few made-up examples.
void write_example(const ExportOptions& options, TrainedModel& model) {
  const data::Normalization& norm = model.checkpoint.normalization;
  Shape shape = {kExamples};
  shape.append(model.checkpoint.example_shape.begin(), model.checkpoint.example_shape.end());
  Array x = random::normal(shape, random::key(0));
  if (const nn::Embedding* table = first_table(*model.network)) {
    x = random::randint(0, table->weight.dim(0), shape, random::key(0), int64);
  }
  Array y = model.network->forward(x);
  if (options.raw && !norm.mean.empty()) x = x * row(norm.std) + row(norm.mean);
  if (options.raw && !norm.target_mean.empty() && gives_values(model))
    y = y * row(norm.target_std) + row(norm.target_mean);
  if (options.channels_first && shape.size() > 2) {
    Axes axes = {0, static_cast<int>(shape.size()) - 1};
    for (int axis = 1; axis + 1 < static_cast<int>(shape.size()); ++axis) axes.push_back(axis);
    x = transpose(x, axes);
  }
  save_npz(options.example, {{"input", x}, {"output", y}});
}

nlohmann::ordered_json export_onnx(const ExportOptions& options, TrainedModel& model) {
  const Shape& example = model.checkpoint.example_shape;
  write_file(options.out, nn::to_onnx(*model.network, example, onnx_options(options, model)));
  if (!options.example.empty()) write_example(options, model);
  Shape shape = {1};
  shape.append(example.begin(), example.end());
  Shape output = model.network->output_shape(shape);
  output.erase(output.begin());
  return {{"input", shape_text(example, options.channels_first)},
          {"input_values", input_doc(options, model.checkpoint)},
          {"output", shape_text(output, false)}};
}

nlohmann::ordered_json export_weights(const ExportOptions& options, const TrainedModel& model) {
  std::string asked = options.names;
  if (asked.empty()) asked = options.out.ends_with(".weights.h5") ? "keras" : "mica";
  save_weights(*model.network, model.checkpoint.example_shape, options.out,
               read_weight_names(asked), metadata_of(model.checkpoint));
  return {{"names", asked}};
}

int export_model(const ExportOptions& options) {
  check(options);
  TrainedModel model = open_trained(options.target);
  const nlohmann::ordered_json more =
      is_onnx(options) ? export_onnx(options, model) : export_weights(options, model);
  nlohmann::ordered_json json = {{"file", options.out},
                                 {"checkpoint", model.path.string()},
                                 {"parameters", model.network->parameter_count()}};
  json.update(more);
  if (options.json) {
    fmt::print("{}\n", json.dump());
    return 0;
  }
  fmt::print("{}: {} parameters of {}\n", options.out, model.network->parameter_count(),
             model.path.string());
  if (!is_onnx(options)) {
    fmt::print("names and layouts of {}\n", json["names"].get<std::string>());
    return 0;
  }
  fmt::print("input   {}, {}\noutput  {}\n", json["input"].get<std::string>(),
             json["input_values"].get<std::string>(), json["output"].get<std::string>());
  return 0;
}

}  // namespace

void add_export(CLI::App& app, Action& action) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* verb = app.add_subcommand(
      "export", "Write a trained model as ONNX, or its weights, for other programs");
  verb->add_option("run", options->target, "Folder of a run or a checkpoint file")
      ->required()
      ->type_name("DIR|CHECKPOINT");
  verb->add_option("-o,--out", options->out,
                   "File to write: .onnx, or weights as .safetensors, .npz or .h5")
      ->required()
      ->type_name("FILE");
  verb->add_option("--names", options->names,
                   "Whose names and layouts the weights get: mica, torch, mlx, keras, or a file "
                   "that maps names (docs/handing_on.md)")
      ->type_name("NAMES");
  verb->add_flag("--raw", options->raw,
                 "ONNX: normalise inputs in the model, so that it takes them as in the data set");
  verb->add_flag("--channels-first", options->channels_first,
                 "ONNX: take images as (batch, channels, height, width)");
  verb->add_option("--example", options->example,
                   "ONNX: also write inputs and the outputs that Mica computes for them, as .npz")
      ->type_name("FILE");
  verb->add_flag("--json", options->json, "Say what was written as one JSON object");
  verb->callback([&action, options] { action = [options] { return export_model(*options); }; });
}

}  // namespace mica::trainers
