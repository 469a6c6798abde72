#include "nn/onnx_graph.h"

#include <algorithm>
#include <protozero/pbf_writer.hpp>

#include "core/base/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/view.h"

namespace mica::nn {
namespace {

using protozero::pbf_writer;

// Field numbers of onnx.proto (https://github.com/onnx/onnx), which is Apache-2.0.
constexpr int64_t kIrVersion = 8;
constexpr int64_t kOpset = 17;
enum { kModelIr = 1, kModelProducer = 2, kModelDoc = 6, kModelGraph = 7, kModelOpset = 8 };
enum { kModelMetadata = 14 };
enum { kGraphNode = 1, kGraphName = 2, kGraphConstant = 5, kGraphInput = 11, kGraphOutput = 12 };
enum { kNodeInput = 1, kNodeOutput = 2, kNodeName = 3, kNodeOp = 4, kNodeAttribute = 5 };
enum { kAttributeName = 1, kAttributeFloat = 2, kAttributeInt = 3, kAttributeText = 4 };
enum { kAttributeInts = 8, kAttributeType = 20 };
enum { kTypeFloat = 1, kTypeInt = 2, kTypeText = 3, kTypeInts = 7 };  // of attributes
enum { kTensorDims = 1, kTensorType = 2, kTensorName = 8, kTensorBytes = 9 };
enum { kFloat32 = 1, kInt64 = 7 };  // of tensors

// Files of protocol buffers can't be larger.
constexpr size_t kMostBytes = 2'147'483'647;

void write_attribute(pbf_writer& node, const OnnxAttribute& attribute) {
  pbf_writer out(node, kNodeAttribute);
  out.add_string(kAttributeName, attribute.name);
  if (const auto* integer = std::get_if<int64_t>(&attribute.value)) {
    out.add_int64(kAttributeInt, *integer);
    out.add_int32(kAttributeType, kTypeInt);
  } else if (const auto* number = std::get_if<double>(&attribute.value)) {
    out.add_float(kAttributeFloat, static_cast<float>(*number));
    out.add_int32(kAttributeType, kTypeFloat);
  } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    out.add_bytes(kAttributeText, *text);
    out.add_int32(kAttributeType, kTypeText);
  } else {
    for (const int64_t item : std::get<std::vector<int64_t>>(attribute.value)) {
      out.add_int64(kAttributeInts, item);
    }
    out.add_int32(kAttributeType, kTypeInts);
  }
}

// ValueInfoProto: a name and the type of a tensor, whose first axis is the batch.
std::string value_info(const OnnxValue& value) {
  Shape shape = value.shape;
  if (value.channels_first) std::rotate(shape.begin() + 1, shape.end() - 1, shape.end());
  std::string bytes;
  pbf_writer info(bytes);
  info.add_string(1, value.name);
  pbf_writer type(info, 2);
  pbf_writer tensor(type, 1);
  tensor.add_int32(1, value.integer ? kInt64 : kFloat32);
  pbf_writer dims(tensor, 2);
  for (size_t i = 0; i < shape.size(); ++i) {
    pbf_writer dim(dims, 1);
    if (i == 0)
      dim.add_string(2, "batch");
    else
      dim.add_int64(1, shape[i]);
  }
  return bytes;
}

}  // namespace

OnnxValue OnnxGraph::input(const std::string& name, const Shape& shape, bool channels_first,
                           bool integer) {
  OnnxValue value{unique(name), shape, channels_first && shape.size() > 2, integer};
  input_ = value_info(value);
  return value;
}

std::string OnnxGraph::unique(const std::string& name) {
  const int number = names_[name]++;
  return number == 0 ? name : fmt::format("{}_{}", name, number);
}

OnnxValue OnnxGraph::node(std::string_view op, const std::vector<std::string>& inputs,
                          const std::vector<OnnxAttribute>& attributes, const OnnxValue& like) {
  OnnxValue result = like;
  result.name = unique(fmt::format("{}{}", path_, op));
  result.integer = false;
  add_node(op, inputs, attributes, result.name);
  return result;
}

void OnnxGraph::add_node(std::string_view op, const std::vector<std::string>& inputs,
                         const std::vector<OnnxAttribute>& attributes, const std::string& name) {
  std::string bytes;
  pbf_writer out(bytes);
  for (const std::string& input : inputs) out.add_string(kNodeInput, input);
  out.add_string(kNodeOutput, name);
  out.add_string(kNodeName, name);
  out.add_string(kNodeOp, op.data(), op.size());
  for (const OnnxAttribute& attribute : attributes) write_attribute(out, attribute);
  nodes_.push_back(std::move(bytes));
}

void OnnxGraph::add_tensor(const std::string& name, int type, const Shape& shape,
                           std::span<const std::byte> data) {
  std::string bytes;
  pbf_writer out(bytes);
  for (const int64_t length : shape) out.add_int64(kTensorDims, length);
  out.add_int32(kTensorType, type);
  out.add_string(kTensorName, name);
  out.add_bytes(kTensorBytes, reinterpret_cast<const char*>(data.data()), data.size());
  constants_.push_back(std::move(bytes));
}

std::string OnnxGraph::constant(const std::string& name, const Array& array) {
  const bool integer = is_integer(array.dtype());
  const std::string full = unique(path_ + name);
  add_tensor(full, integer ? kInt64 : kFloat32, array.shape(),
             astype(array, integer ? int64 : float32).to_bytes());
  return full;
}

std::string OnnxGraph::number(const std::string& name, double value) {
  return constant(name, Array::scalar(value, float32));
}

std::string OnnxGraph::integers(const std::string& name, const std::vector<int64_t>& values) {
  const std::string full = unique(path_ + name);
  add_tensor(full, kInt64, {static_cast<int64_t>(values.size())}, std::as_bytes(std::span(values)));
  return full;
}

std::string OnnxGraph::per_channel(const std::string& name, const Array& array,
                                   const OnnxValue& like) {
  if (!like.channels_first) return constant(name, array);
  Shape shape(like.shape.size() - 1, 1);
  shape[0] = array.size();
  return constant(name, reshape(array, shape));
}

OnnxValue OnnxGraph::moved(const OnnxValue& value, bool channels_first) {
  if (value.channels_first == channels_first) return value;
  const auto found = moved_.find(value.name);
  if (found != moved_.end()) return found->second;
  std::vector<int64_t> order;
  for (size_t i = 0; i < value.shape.size(); ++i) order.push_back(static_cast<int64_t>(i));
  if (channels_first)
    std::rotate(order.begin() + 1, order.end() - 1, order.end());
  else
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  OnnxValue result = node("Transpose", {value.name}, {{"perm", order}}, value);
  result.integer = value.integer;
  result.channels_first = channels_first;
  moved_[value.name] = result;
  moved_[result.name] = value;
  return result;
}

OnnxValue OnnxGraph::channels_first(const OnnxValue& value) {
  return value.shape.size() > 2 ? moved(value, true) : value;
}

OnnxValue OnnxGraph::channels_last(const OnnxValue& value) { return moved(value, false); }

int64_t OnnxGraph::axis_of(const OnnxValue& value, int64_t axis) {
  const int64_t rank = static_cast<int64_t>(value.shape.size());
  if (axis < 0) axis += rank;
  if (!value.channels_first || axis == 0) return axis;
  return axis == rank - 1 ? 1 : axis + 1;
}

std::string OnnxGraph::finish(const OnnxValue& result, const OnnxOptions& options) {
  OnnxValue output = result;
  output.name = "output";
  add_node("Identity", {result.name}, {}, output.name);
  size_t size = 0;
  for (const std::string& constant : constants_) size += constant.size() + 16;
  if (size > kMostBytes) {
    fail("[to_onnx] {} bytes of weights: an ONNX file holds less than 2 GiB", size);
  }
  std::string bytes;
  bytes.reserve(size + 4096);
  pbf_writer model(bytes);
  model.add_int64(kModelIr, kIrVersion);
  model.add_string(kModelProducer, "mica");
  if (!options.doc.empty()) model.add_string(kModelDoc, options.doc);
  {
    pbf_writer graph(model, kModelGraph);
    for (const std::string& node : nodes_) graph.add_message(kGraphNode, node);
    graph.add_string(kGraphName, options.name);
    for (const std::string& constant : constants_) graph.add_message(kGraphConstant, constant);
    graph.add_message(kGraphInput, input_);
    graph.add_message(kGraphOutput, value_info(output));
  }
  {
    pbf_writer opset(model, kModelOpset);
    opset.add_string(1, "");
    opset.add_int64(2, kOpset);
  }
  for (const auto& [key, value] : options.metadata) {
    pbf_writer entry(model, kModelMetadata);
    entry.add_string(1, key);
    entry.add_string(2, value);
  }
  return bytes;
}

}  // namespace mica::nn
