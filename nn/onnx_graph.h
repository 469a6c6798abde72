// An ONNX graph under construction. For the exporter's rules (onnx_rules.cc) only.
//
//   OnnxValue rule(OnnxGraph& graph, Linear& layer, const OnnxValue& x) {
//     return graph.node("Gemm", {graph.channels_last(x).name, graph.constant("weight",
//     layer.weight)},
//                       {{"transB", int64_t{1}}}, x);
//   }
//
// Layers here see channels last, convolutions in ONNX want them first. A value therefore says how
// it lies; a rule asks for what it needs, and elementwise rules take either. A value is transposed
// once in each direction, however many layers read it, and never forth and back.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/graph/array.h"
#include "nn/onnx.h"

namespace mica::nn {

struct OnnxValue {
  std::string name;
  Shape shape;                  // channels last, the batch first
  bool channels_first = false;  // how it lies in the file
  bool integer = false;         // int64, not float32
};

struct OnnxAttribute {
  std::string name;
  std::variant<int64_t, double, std::string, std::vector<int64_t>> value;
};

class OnnxGraph {
 public:
  /// Names of nodes and constants begin with the place of the layer in the model: "0.weight".
  class Scope {
   public:
    Scope(OnnxGraph& graph, const std::string& name) : graph_(graph), outer_(graph.path_) {
      graph.path_ += name + ".";
    }
    ~Scope() { graph_.path_ = outer_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    OnnxGraph& graph_;
    std::string outer_;
  };

  /// Where the rules are: "3.body.0".
  std::string place() const { return path_.substr(0, path_.empty() ? 0 : path_.size() - 1); }
  OnnxValue input(const std::string& name, const Shape& shape, bool channels_first, bool integer);
  /// Adds a node. Its result lies as `like` does and has its shape.
  OnnxValue node(std::string_view op, const std::vector<std::string>& inputs,
                 const std::vector<OnnxAttribute>& attributes, const OnnxValue& like);
  OnnxValue node(std::string_view op, const std::vector<std::string>& inputs,
                 const OnnxValue& like) {
    return node(op, inputs, {}, like);
  }
  /// Adds an array as it is, floating ones in float32, integers in int64; its name.
  std::string constant(const std::string& name, const Array& array);
  std::string number(const std::string& name, double value);
  std::string integers(const std::string& name, const std::vector<int64_t>& values);
  /// An array over the last axis of `like`, of a shape that broadcasts against it as it lies.
  std::string per_channel(const std::string& name, const Array& array, const OnnxValue& like);

  /// The value with its channels where they are wanted. Values of two axes are both.
  OnnxValue channels_first(const OnnxValue& value);
  OnnxValue channels_last(const OnnxValue& value);
  /// The value lying as `like` does.
  OnnxValue as(const OnnxValue& like, const OnnxValue& value) {
    return moved(value, like.channels_first);
  }
  /// An axis as the layers count it, where it lies in the file.
  static int64_t axis_of(const OnnxValue& value, int64_t axis);

  /// The bytes of a model with this result, by the name "output".
  std::string finish(const OnnxValue& result, const OnnxOptions& options);

 private:
  OnnxValue moved(const OnnxValue& value, bool channels_first);
  std::string unique(const std::string& name);
  void add_node(std::string_view op, const std::vector<std::string>& inputs,
                const std::vector<OnnxAttribute>& attributes, const std::string& name);
  void add_tensor(const std::string& name, int type, const Shape& shape,
                  std::span<const std::byte> bytes);

  std::string path_;
  std::map<std::string, int> names_;            // how often each was wanted
  std::map<std::string, OnnxValue> moved_;      // by the name of the original
  std::vector<std::string> nodes_, constants_;  // encoded
  std::string input_;                           // encoded
};

}  // namespace mica::nn
