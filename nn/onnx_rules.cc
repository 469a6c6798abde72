// What each layer is in ONNX: an overload of `rule` for its type. Without one, its row in
// modules.def does not compile here.
#include <algorithm>
#include <numbers>
#include <typeindex>

#include "core/base/error.h"
#include "core/ops/create.h"
#include "core/ops/view.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "nn/onnx_graph.h"
#include "nn/resize.h"

namespace mica::nn {
namespace {

using Graph = OnnxGraph;
using Value = OnnxValue;

Value write(Graph& graph, Module& module, const Value& x);

std::vector<int64_t> list(const Pair& pair) { return {pair[0], pair[1]}; }

// Before and after: top, left, bottom, right.
std::vector<int64_t> pads(const Pair& padding) {
  return {padding[0], padding[1], padding[0], padding[1]};
}

// Containers.

Value rule(Graph& graph, Sequential& module, const Value& x) {
  Value y = x;
  for (const Member& member : module.members()) {
    const Graph::Scope scope(graph, member.name);
    y = write(graph, *std::get<Module*>(member.value), y);
  }
  return y;
}

Value inside(Graph& graph, const std::string& name, Module& module, const Value& x) {
  const Graph::Scope scope(graph, name);
  return write(graph, module, x);
}

Value rule(Graph& graph, Residual& module, const Value& x) {
  const Value y = inside(graph, "body", *module.body, x);
  const Value other = module.shortcut ? inside(graph, "shortcut", *module.shortcut, x) : x;
  return graph.node("Add", {y.name, graph.as(y, other).name}, y);
}

Value rule(Graph& graph, Concatenation& module, const Value& x) {
  std::vector<Value> parts;
  for (size_t i = 0; i < module.branches.size(); ++i) {
    parts.push_back(inside(graph, fmt::format("branches.{}", i), *module.branches[i], x));
  }
  std::vector<std::string> names;
  for (const Value& part : parts) names.push_back(graph.as(parts[0], part).name);
  return graph.node("Concat", names, {{"axis", Graph::axis_of(parts[0], -1)}}, parts[0]);
}

Value rule(Graph& graph, Reshape& layer, const Value& input) {
  const Value x = graph.channels_last(input);
  const Shape shape = layer.output_shape(x.shape);
  std::vector<int64_t> lengths(shape.begin(), shape.end());
  lengths[0] = 0;  // as in the input
  return graph.node("Reshape", {x.name, graph.integers("shape", lengths)}, x);
}

Value rule(Graph& graph, Flatten&, const Value& x) {
  // A single pixel has the same order either way.
  const bool pixel = std::all_of(x.shape.begin() + 1, x.shape.end() - 1,
                                 [](int64_t length) { return length == 1; });
  Value y = pixel ? x : graph.channels_last(x);
  y = graph.node("Flatten", {y.name}, {{"axis", int64_t{1}}}, y);
  y.channels_first = false;
  return y;
}

// Products.

Value rule(Graph& graph, Linear& layer, const Value& input) {
  const Value x = graph.channels_last(input);
  if (x.shape.size() == 2) {
    std::vector<std::string> inputs = {x.name, graph.constant("weight", layer.weight)};
    if (layer.bias.defined()) inputs.push_back(graph.constant("bias", layer.bias));
    return graph.node("Gemm", inputs, {{"transB", int64_t{1}}}, x);
  }
  const Value y =
      graph.node("MatMul", {x.name, graph.constant("weight", transpose(layer.weight))}, x);
  if (!layer.bias.defined()) return y;
  return graph.node("Add", {y.name, graph.constant("bias", layer.bias)}, y);
}

Value rule(Graph& graph, Conv2d& layer, const Value& input) {
  const Value x = graph.channels_first(input);
  const Conv2dConfig& config = layer.config;
  // (out, height, width, in) -> (out, in, height, width)
  std::vector<std::string> inputs = {
      x.name, graph.constant("weight", transpose(layer.weight, {0, 3, 1, 2}))};
  if (layer.bias.defined()) inputs.push_back(graph.constant("bias", layer.bias));
  return graph.node("Conv", inputs,
                    {{"kernel_shape", list(config.kernel)},
                     {"strides", list(config.stride)},
                     {"pads", pads(config.padding)},
                     {"dilations", list(config.dilation)},
                     {"group", config.groups}},
                    x);
}

Value rule(Graph& graph, ConvTranspose2d& layer, const Value& input) {
  const Value x = graph.channels_first(input);
  const ConvTranspose2dConfig& config = layer.config;
  // (in, height, width, out) -> (in, out, height, width)
  std::vector<std::string> inputs = {
      x.name, graph.constant("weight", transpose(layer.weight, {0, 3, 1, 2}))};
  if (layer.bias.defined()) inputs.push_back(graph.constant("bias", layer.bias));
  return graph.node("ConvTranspose", inputs,
                    {{"kernel_shape", list(config.kernel)},
                     {"strides", list(config.stride)},
                     {"pads", pads(config.padding)},
                     {"output_padding", list(config.output_padding)},
                     {"group", config.groups}},
                    x);
}

Value rule(Graph& graph, Embedding& layer, const Value& x) {
  std::string indices = x.name;
  if (!x.integer) indices = graph.node("Cast", {indices}, {{"to", int64_t{7}}}, x).name;
  return graph.node("Gather", {graph.constant("weight", layer.weight), indices},
                    {{"axis", int64_t{0}}}, x);
}

// Pools.

std::vector<OnnxAttribute> window(const Pool2dOptions& options) {
  return {{"kernel_shape", list(options.kernel)},
          {"strides", list(options.stride)},
          {"pads", pads(options.padding)}};
}

Value rule(Graph& graph, MaxPool2d& layer, const Value& input) {
  const Value x = graph.channels_first(input);
  return graph.node("MaxPool", {x.name}, window(layer.options), x);
}

Value rule(Graph& graph, AvgPool2d& layer, const Value& input) {
  const Value x = graph.channels_first(input);
  std::vector<OnnxAttribute> attributes = window(layer.options);
  attributes.push_back({"count_include_pad", int64_t{1}});
  return graph.node("AveragePool", {x.name}, attributes, x);
}

// Row i is the mean over the i-th of `windows` windows of an axis.
Array window_means(int64_t length, int64_t windows) {
  std::vector<float> weights(static_cast<size_t>(windows * length), 0);
  for (int64_t i = 0; i < windows; ++i) {
    const int64_t begin = i * length / windows;
    const int64_t end = ((i + 1) * length + windows - 1) / windows;
    for (int64_t j = begin; j < end; ++j) {
      weights[static_cast<size_t>(i * length + j)] = 1.0f / static_cast<float>(end - begin);
    }
  }
  return Array::from(weights, {windows, length});
}

// ONNX has means over all of an image and over windows of one size only; others are products.
Value rule(Graph& graph, AdaptiveAvgPool2d& layer, const Value& input) {
  const Value x = graph.channels_first(input);
  const Pair size = layer.config.size;
  if (size == Pair{1, 1}) return graph.node("GlobalAveragePool", {x.name}, x);
  const std::string rows = graph.constant("rows", window_means(x.shape[1], size[0]));
  const std::string columns =
      graph.constant("columns", transpose(window_means(x.shape[2], size[1])));
  const Value y = graph.node("MatMul", {rows, x.name}, x);
  return graph.node("MatMul", {y.name, columns}, x);
}

Value rule(Graph& graph, Upsample& layer, const Value& input) {
  const Value x = graph.channels_first(input);
  const auto [height, width] = layer.config.scale;
  const Array scales =
      array<float>({1.0, 1.0, static_cast<double>(height), static_cast<double>(width)});
  const bool linear = layer.config.mode == "linear";
  const std::string cells = linear ? "half_pixel" : "asymmetric";
  return graph.node("Resize", {x.name, "", graph.constant("scales", scales)},
                    {{"mode", std::string(linear ? "linear" : "nearest")},
                     {"coordinate_transformation_mode", cells},
                     {"nearest_mode", std::string("floor")}},
                    x);
}

// Normalisation.

Value rule(Graph& graph, BatchNorm& layer, const Value& input) {
  const Value x = graph.channels_first(input);
  const Shape shape = layer.running_mean.value.shape();
  const bool affine = layer.weight.defined();
  return graph.node("BatchNormalization",
                    {x.name, graph.constant("weight", affine ? layer.weight : ones(shape)),
                     graph.constant("bias", affine ? layer.bias : zeros(shape)),
                     graph.constant("running_mean", layer.running_mean.value),
                     graph.constant("running_var", layer.running_var.value)},
                    {{"epsilon", layer.config.eps}}, x);
}

Value rule(Graph& graph, LayerNorm& layer, const Value& input) {
  const Value x = graph.channels_last(input);
  const bool affine = layer.weight.defined();
  std::vector<std::string> inputs = {
      x.name, graph.constant("weight", affine ? layer.weight : ones({layer.features}))};
  if (affine) inputs.push_back(graph.constant("bias", layer.bias));
  return graph.node("LayerNormalization", inputs,
                    {{"axis", int64_t{-1}}, {"epsilon", layer.config.eps}}, x);
}

// As instances whose channels are the groups; ONNX has groups of channels from opset 21 on.
Value rule(Graph& graph, GroupNorm& layer, const Value& input) {
  const Value x = graph.channels_first(input);
  const int64_t groups = layer.config.groups;
  const std::string split = graph.integers("groups", {0, groups, -1});
  const Value grouped = graph.node("Reshape", {x.name, split}, x);
  const Value normal = graph.node("InstanceNormalization",
                                  {grouped.name, graph.constant("one", ones({groups})),
                                   graph.constant("zero", zeros({groups}))},
                                  {{"epsilon", layer.config.eps}}, x);
  std::vector<int64_t> lengths = {0, x.shape.back()};
  lengths.insert(lengths.end(), x.shape.begin() + 1, x.shape.end() - 1);
  const Value y = graph.node("Reshape", {normal.name, graph.integers("shape", lengths)}, x);
  if (!layer.weight.defined()) return y;
  const Value scaled = graph.node("Mul", {y.name, graph.per_channel("weight", layer.weight, y)}, y);
  return graph.node("Add", {scaled.name, graph.per_channel("bias", layer.bias, y)}, y);
}

// ONNX has it from opset 23 on only.
Value rule(Graph& graph, RmsNorm& layer, const Value& input) {
  const Value x = graph.channels_last(input);
  const Value squares = graph.node("Mul", {x.name, x.name}, x);
  const Value mean = graph.node("ReduceMean", {squares.name},
                                {{"axes", std::vector<int64_t>{-1}}, {"keepdims", int64_t{1}}}, x);
  const Value sum = graph.node("Add", {mean.name, graph.number("eps", layer.config.eps)}, x);
  const Value root = graph.node("Sqrt", {sum.name}, x);
  const Value y = graph.node("Div", {x.name, root.name}, x);
  if (!layer.weight.defined()) return y;
  return graph.node("Mul", {y.name, graph.constant("weight", layer.weight)}, y);
}

Value rule(Graph&, Dropout&, const Value& x) { return x; }

// Activations. Elementwise ones take values as they lie.

Value rule(Graph& graph, Relu&, const Value& x) { return graph.node("Relu", {x.name}, x); }
Value rule(Graph& graph, Tanh&, const Value& x) { return graph.node("Tanh", {x.name}, x); }
Value rule(Graph& graph, Sigmoid&, const Value& x) { return graph.node("Sigmoid", {x.name}, x); }
Value rule(Graph& graph, Softplus&, const Value& x) { return graph.node("Softplus", {x.name}, x); }

// 0.5 x (1 + erf(x / sqrt(2))); ONNX has Gelu from opset 20 on.
Value rule(Graph& graph, Gelu&, const Value& x) {
  const std::string root = graph.number("sqrt2", std::numbers::sqrt2);
  const Value scaled = graph.node("Div", {x.name, root}, x);
  const Value erf = graph.node("Erf", {scaled.name}, x);
  const Value sum = graph.node("Add", {erf.name, graph.number("one", 1)}, x);
  const Value product = graph.node("Mul", {x.name, sum.name}, x);
  return graph.node("Mul", {product.name, graph.number("half", 0.5)}, x);
}

Value rule(Graph& graph, Silu&, const Value& x) {
  const Value gate = graph.node("Sigmoid", {x.name}, x);
  return graph.node("Mul", {x.name, gate.name}, x);
}

// ONNX has it from opset 18 on.
Value rule(Graph& graph, Mish&, const Value& x) {
  const Value softplus = graph.node("Softplus", {x.name}, x);
  const Value gate = graph.node("Tanh", {softplus.name}, x);
  return graph.node("Mul", {x.name, gate.name}, x);
}

Value rule(Graph& graph, LeakyRelu& layer, const Value& x) {
  return graph.node("LeakyRelu", {x.name}, {{"alpha", layer.config.slope}}, x);
}

Value rule(Graph& graph, Elu& layer, const Value& x) {
  return graph.node("Elu", {x.name}, {{"alpha", layer.config.alpha}}, x);
}

Value rule(Graph& graph, Softmax& layer, const Value& x) {
  return graph.node("Softmax", {x.name}, {{"axis", Graph::axis_of(x, layer.config.axis)}}, x);
}

Value rule(Graph& graph, LogSoftmax& layer, const Value& x) {
  return graph.node("LogSoftmax", {x.name}, {{"axis", Graph::axis_of(x, layer.config.axis)}}, x);
}

struct Row {
  std::type_index type;
  Value (*write)(Graph&, Module&, const Value&);
};

template <class Layer>
Row row() {
  return {typeid(Layer), [](Graph& graph, Module& module, const Value& x) {
            return rule(graph, static_cast<Layer&>(module), x);
          }};
}

const Row* find_row(const Module& module) {
  static const std::vector<Row> rows = {
      row<Sequential>(),
      row<Residual>(),
      row<Concatenation>(),
#define LAYER(name, Type, Config, doc) row<Type>(),
#include "nn/modules.def"
#undef LAYER
#define ACTIVATION(name, Type, doc) row<Type>(),
#define ACTIVATION_WITH(name, Type, FieldType, field, initial, value, doc) row<Type>(),
#include "nn/activations.def"
#undef ACTIVATION_WITH
#undef ACTIVATION
  };
  const std::type_index type = typeid(module);
  const auto found = std::ranges::find(rows, type, &Row::type);
  return found == rows.end() ? nullptr : &*found;
}

Value write(Graph& graph, Module& module, const Value& x) {
  const Row* known = find_row(module);
  if (!known) {
    fail("[to_onnx] layer {} ({}) has no rule for ONNX (nn/onnx_rules.cc)", graph.place(),
         module.type_name());
  }
  Value y = known->write(graph, module, x);
  y.shape = module.output_shape(x.shape);
  return y;
}

Array numbers(const std::vector<double>& values) {
  return Array::from(values, {static_cast<int64_t>(values.size())});
}

Value standardized(Graph& graph, const Value& x, const OnnxOptions& options) {
  if (options.mean.empty()) return x;
  const Value centred =
      graph.node("Sub", {x.name, graph.per_channel("mean", numbers(options.mean), x)}, x);
  return graph.node("Div", {centred.name, graph.per_channel("std", numbers(options.std), x)}, x);
}

Value restored(Graph& graph, const Value& y, const OnnxOptions& options) {
  if (options.target_mean.empty()) return y;
  const Value scaled = graph.node(
      "Mul", {y.name, graph.per_channel("target_std", numbers(options.target_std), y)}, y);
  return graph.node(
      "Add", {scaled.name, graph.per_channel("target_mean", numbers(options.target_mean), y)}, y);
}

}  // namespace

std::string to_onnx(Module& model, const Shape& example, const OnnxOptions& options) {
  Shape shape = {1};
  shape.append(example.begin(), example.end());
  model.output_shape(shape);  // checks
  Graph graph;
  const Value input = graph.input("input", shape, options.channels_first, options.integer_input);
  Value y = write(graph, model, standardized(graph, input, options));
  y = restored(graph, y, options);
  return graph.finish(graph.channels_last(y), options);
}

}  // namespace mica::nn
