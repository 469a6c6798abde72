// mica summary: the layers of a config's model, what goes through them and what they cost.
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "trainers/cli/cli.h"
#include "trainers/cli/prepared_file.h"
#include "trainers/setup.h"

namespace mica::trainers {
namespace {

struct SummaryOptions {
  std::string config;
  std::vector<int64_t> input;
  bool json = false;
  CommonOptions common;
};

struct Line {
  std::string name;
  std::string type;
  Shape output;
  int64_t parameters = 0;
  double flops = 0;
};

// The shape of an example and of its output, from --input or from the data.
std::pair<Shape, Shape> example_of(const RunConfig& config, const SummaryOptions& options) {
  if (!options.input.empty()) return {Shape(options.input.begin(), options.input.end()), {}};
  const PreparedFile prepared;
  const OpenedData data = open_data(config, prepared.path);
  return {data.dataset->sample_shape(), wanted_output(*data.dataset)};
}

// The layers that hold no others, each by the name that its parameters have.
void add_lines(const std::vector<BuiltLayer>& layers, std::vector<Line>& lines) {
  for (const BuiltLayer& layer : layers) {
    add_lines(layer.children, lines);
    if (!layer.children.empty() && layer.type != "residual" && layer.type != "concat") continue;
    Line line{layer.name, layer.type, layer.output, 0, 0};
    // What comes together here has been counted in its parts.
    if (layer.children.empty()) {
      line.parameters = layer.module->parameter_count();
      line.flops = layer.module->flops(layer.input);
    } else if (layer.type == "residual") {
      line.flops = static_cast<double>(size_of(layer.output));
    }
    lines.push_back(std::move(line));
  }
}

std::vector<Line> lines_of(const RunConfig& config, const Shape& example, const Shape& output) {
  Shape shape = {1};
  shape.append(example.begin(), example.end());
  std::vector<Line> lines = {{"", "input", shape, 0, 0}};
  add_lines(build_layers(config.model, example, output, config.seed), lines);
  return lines;
}

// "(batch, 28, 28, 20)"
std::string shape_text(const Shape& shape) {
  std::string text = "(batch";
  for (size_t i = 1; i < shape.size(); ++i) text += fmt::format(", {}", shape[i]);
  return text + ")";
}

std::string flops_text(double flops) {
  if (flops >= 1e9) return fmt::format("{:.2f} G", flops / 1e9);
  if (flops >= 1e6) return fmt::format("{:.2f} M", flops / 1e6);
  if (flops >= 1e3) return fmt::format("{:.1f} k", flops / 1e3);
  return fmt::format("{:.0f}", flops);
}

void print_json(const std::vector<Line>& lines, int64_t parameters, double flops) {
  nlohmann::ordered_json json;
  for (const Line& line : lines) {
    json["layers"].push_back(
        {{"name", line.name},
         {"type", line.type},
         {"output", std::vector<int64_t>(line.output.begin() + 1, line.output.end())},
         {"parameters", line.parameters},
         {"flops", line.flops}});
  }
  json["parameters"] = parameters;
  json["flops"] = flops;
  fmt::print("{}\n", json.dump());
}

int summarize(const SummaryOptions& options) {
  const RunConfig config = load_config(options.config, options.common.set);
  const auto [example, outputs] = example_of(config, options);
  const std::vector<Line> lines = lines_of(config, example, outputs);
  int64_t parameters = 0;
  double flops = 0;
  for (const Line& line : lines) {
    parameters += line.parameters;
    flops += line.flops;
  }
  if (options.json) {
    print_json(lines, parameters, flops);
    return 0;
  }
  size_t width = 3;
  for (const Line& line : lines) width = std::max(width, line.name.size());
  constexpr const char* kRow = "{:<{}}  {:<14} {:<24} {:>12} {:>12}\n";
  fmt::print(kRow, "", width, "layer", "output", "parameters", "FLOPs");
  for (const Line& line : lines) {
    fmt::print(kRow, line.name, width, line.type, shape_text(line.output), line.parameters,
               flops_text(line.flops));
  }
  fmt::print("{} parameters ({:.1f} MB as float32), {}FLOPs forward for an example\n", parameters,
             4e-6 * static_cast<double>(parameters), flops_text(flops));
  return 0;
}

}  // namespace

void add_summary(CLI::App& app, Action& action) {
  auto options = std::make_shared<SummaryOptions>();
  CLI::App* verb = app.add_subcommand(
      "summary", "List a model's layers, their output shapes, parameters and FLOPs");
  verb->add_option("config", options->config, "Config file")->required()->type_name("CONFIG");
  verb->add_option("--input", options->input,
                   "Shape of an example, as 28,28,1 (default: that of the data)")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  verb->add_flag("--json", options->json, "One JSON object");
  options->common.add_set(*verb);
  verb->callback([&action, options] { action = [options] { return summarize(*options); }; });
}

}  // namespace mica::trainers
