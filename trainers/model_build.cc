#include <fmt/format.h>

#include "core/base/error.h"
#include "core/ops/random.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "trainers/model.h"

namespace mica::trainers {
namespace {

[[noreturn]] void fail_at(const Layer& layer, const std::string& name, const std::string& problem) {
  Diagnostics errors;
  errors.add(layer.typed.at, fmt::format("layer {} ({}): {}", name, layer.typed.type, problem));
  errors.throw_if_any();
  std::abort();  // not reached
}

// Runs a call that may find that shapes do not fit, and places what it says.
template <class Call>
auto at(const Layer& layer, const std::string& name, Call call) {
  try {
    return call();
  } catch (const Error& error) {
    fail_at(layer, name, error.what());
  }
}

std::vector<BuiltLayer> build_model(const Model& model, const std::string& prefix, Shape shape,
                                    const Array& key);

const Shape& output_of(const std::vector<BuiltLayer>& layers, const Shape& input) {
  return layers.empty() ? input : layers.back().output;
}

// He et al. 2016, option B: what brings x to the shape of layers(x), or nothing where it has it.
nn::ModulePointer projection(const Layer& layer, const std::string& name, const Shape& from,
                             const Shape& to, const Array& key) {
  if (from == to) return nullptr;
  auto shortcut = std::make_shared<nn::Sequential>();
  if (from.size() == 4 && to.size() == 4 && to[1] > 0 && to[2] > 0) {
    // The stride with which a window of one element gives so many.
    const Pair stride = {(from[1] + to[1] - 1) / to[1], (from[2] + to[2] - 1) / to[2]};
    shortcut->add(std::make_shared<nn::Conv2d>(
        from[3], nn::Conv2dConfig{.out = to[3], .kernel = {1, 1}, .stride = stride, .bias = false},
        key));
  } else if (from.size() == 2 && to.size() == 2) {
    shortcut->add(
        std::make_shared<nn::Linear>(nn::LinearConfig{.out = to[1], .bias = false}, from, key));
  }
  shortcut->add(std::make_shared<nn::BatchNorm>(to.back()));
  const bool fits = shortcut->layers().size() == 2 && shortcut->output_shape(from) == to;
  if (!fits) {
    fail_at(layer, name,
            fmt::format("no projection leads from {} to {}; give 'shortcut' as a list of layers",
                        to_string(from), to_string(to)));
  }
  return shortcut;
}

BuiltLayer build_residual(const Layer& layer, const std::string& name, const Shape& input,
                          const Array& key) {
  BuiltLayer built{nullptr, layer.typed.type, name, input, {}, {}};
  built.children = build_model(layer.parts[0], name + ".body", input, random::fold_in(key, 0));
  const nn::ModulePointer body = join_layers(built.children);
  const Shape output = output_of(built.children, input);
  nn::ModulePointer shortcut;
  if (layer.projection) {
    shortcut = projection(layer, name, input, output, random::fold_in(key, 1));
    if (shortcut) {
      built.children.push_back(
          {shortcut, std::string("projection"), name + ".shortcut", input, output, {}});
    }
  } else if (layer.parts.size() == 2) {
    std::vector<BuiltLayer> layers =
        build_model(layer.parts[1], name + ".shortcut", input, random::fold_in(key, 1));
    shortcut = join_layers(layers);
    for (BuiltLayer& each : layers) built.children.push_back(std::move(each));
  } else if (output != input) {
    fail_at(layer, name,
            fmt::format("the layers make {} of {}, so that the two can't be added; 'residual: "
                        "{{layers: [...], shortcut: projection}}' brings them together",
                        to_string(output), to_string(input)));
  }
  built.module = std::make_shared<nn::Residual>(body, shortcut);
  return built;
}

BuiltLayer build_concat(const Layer& layer, const std::string& name, const Shape& input,
                        const Array& key) {
  BuiltLayer built{nullptr, layer.typed.type, name, input, {}, {}};
  std::vector<nn::ModulePointer> branches;
  for (size_t i = 0; i < layer.parts.size(); ++i) {
    std::vector<BuiltLayer> branch = build_model(
        layer.parts[i], fmt::format("{}.branches.{}", name, i), input, random::fold_in(key, i));
    branches.push_back(join_layers(branch));
    for (BuiltLayer& each : branch) built.children.push_back(std::move(each));
  }
  built.module = std::make_shared<nn::Concatenation>(std::move(branches));
  return built;
}

BuiltLayer build_layer(const Layer& layer, const std::string& name, const Shape& input,
                       const Array& key) {
  BuiltLayer built{nullptr, layer.typed.type, name, input, {}, {}};
  switch (layer.kind) {
    case Layer::Kind::kLayer:
      built.module = at(layer, name, [&] { return layer.config->build(input, key); });
      break;
    case Layer::Kind::kGroup:
      built.children = build_model(layer.parts[0], name, input, key);
      built.module = join_layers(built.children);
      break;
    case Layer::Kind::kResidual: built = build_residual(layer, name, input, key); break;
    case Layer::Kind::kConcat: built = build_concat(layer, name, input, key); break;
  }
  built.output = at(layer, name, [&] { return built.module->output_shape(input); });
  return built;
}

std::vector<BuiltLayer> build_model(const Model& model, const std::string& prefix, Shape shape,
                                    const Array& key) {
  std::vector<BuiltLayer> layers;
  for (size_t i = 0; i < model.size(); ++i) {
    const std::string own = model[i].name.empty() ? std::to_string(i) : model[i].name;
    const std::string name = prefix.empty() ? own : prefix + "." + own;
    layers.push_back(build_layer(model[i], name, shape, random::fold_in(key, i)));
    shape = layers.back().output;
  }
  return layers;
}

// What to change where the model ends with another shape than the data wants.
std::string outputs_hint(const Model& model, const Shape& result, const Shape& wanted) {
  if (wanted.size() > 2) {
    const Shape example(wanted.begin() + 1, wanted.end());
    if (size_of(result) != size_of(wanted)) return "";
    return fmt::format("; end it with 'reshape: [{}]'", fmt::join(example, ", "));
  }
  const int64_t outputs = wanted.back();
  if (result.size() > 2) return "; put 'flatten' before the first 'linear'";
  if (model.back().typed.type == "linear") return fmt::format("; write 'linear: {}'", outputs);
  return fmt::format("; end it with 'linear: {}'", outputs);
}

}  // namespace

std::vector<BuiltLayer> build_layers(const Model& model, const Shape& example, const Shape& output,
                                     int64_t seed) {
  // Any batch size shows whether shapes fit.
  Shape shape = {1};
  shape.append(example.begin(), example.end());
  std::vector<BuiltLayer> layers =
      build_model(model, "", shape, random::key(static_cast<uint64_t>(seed)));
  const Shape& result = output_of(layers, shape);
  Shape wanted = {1};
  wanted.append(output.begin(), output.end());
  if (!output.empty() && result != wanted) {
    Diagnostics errors;
    errors.add(model.back().typed.at,
               fmt::format("the model ends with shape {}, but the data wants {} outputs for each "
                           "example: {}{}",
                           to_string(result), size_of(output), to_string(wanted),
                           outputs_hint(model, result, wanted)));
    errors.throw_if_any();
  }
  return layers;
}

std::shared_ptr<nn::Sequential> join_layers(const std::vector<BuiltLayer>& layers) {
  auto network = std::make_shared<nn::Sequential>();
  for (const BuiltLayer& layer : layers) {
    const size_t dot = layer.name.rfind('.');
    network->add(layer.module, dot == std::string::npos ? layer.name : layer.name.substr(dot + 1));
  }
  return network;
}

}  // namespace mica::trainers
