#include "nn/container.h"

#include "core/base/error.h"
#include "core/ops/view.h"

namespace mica::nn {
namespace {

// Adds the layer's place to what a layer says about its input.
template <class Call>
auto at_layer(size_t index, const Module& layer, Call call) {
  try {
    return call();
  } catch (const Error& error) {
    fail(error.kind(), "layer {} ({}): {}", index, layer.type_name(), error.what());
  }
}

}  // namespace

Array Sequential::forward(const Array& x) {
  Array y = x;
  for (size_t i = 0; i < layers_.size(); ++i) {
    y = at_layer(i, *layers_[i], [&] { return layers_[i]->forward(y); });
  }
  return y;
}

Shape Sequential::output_shape(const Shape& input) const {
  Shape shape = input;
  for (size_t i = 0; i < layers_.size(); ++i) {
    shape = at_layer(i, *layers_[i], [&] { return layers_[i]->output_shape(shape); });
  }
  return shape;
}

double Sequential::flops(const Shape& input) const {
  Shape shape = input;
  double total = 0;
  for (const ModulePointer& layer : layers_) {
    total += layer->flops(shape);
    shape = layer->output_shape(shape);
  }
  return total;
}

std::vector<Member> Sequential::members() {
  std::vector<Member> members;
  for (size_t i = 0; i < layers_.size(); ++i) {
    members.push_back({std::to_string(i), layers_[i].get()});
  }
  return members;
}

Array Flatten::forward(const Array& x) { return reshape(x, output_shape(x.shape())); }

Shape Flatten::output_shape(const Shape& input) const {
  if (input.empty()) fail("[flatten] got a scalar, want an array with a batch axis");
  int64_t features = 1;
  for (size_t i = 1; i < input.size(); ++i) features *= input[i];
  return {input[0], features};
}

}  // namespace mica::nn
