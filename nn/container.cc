#include "nn/container.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/ops/elementwise.h"
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

void Sequential::add(ModulePointer layer, std::string name) {
  names_.resize(layers_.size());
  names_.push_back(std::move(name));
  layers_.push_back(std::move(layer));
}

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
    const bool named = i < names_.size() && !names_[i].empty();
    members.push_back({named ? names_[i] : std::to_string(i), layers_[i].get()});
  }
  return members;
}

Array Residual::forward(const Array& x) {
  output_shape(x.shape());  // checks
  return body->forward(x) + (shortcut ? shortcut->forward(x) : x);
}

Shape Residual::output_shape(const Shape& input) const {
  Shape shape = body->output_shape(input);
  const Shape other = shortcut ? shortcut->output_shape(input) : input;
  if (shape != other) {
    fail("[residual] the layers make {} of {}, the shortcut {}: they must agree to be added",
         mica::to_string(shape), mica::to_string(input), mica::to_string(other));
  }
  return shape;
}

double Residual::flops(const Shape& input) const {
  return body->flops(input) + (shortcut ? shortcut->flops(input) : 0) +
         static_cast<double>(size_of(output_shape(input)));
}

Concatenation::Concatenation(std::vector<ModulePointer> branches) : branches(std::move(branches)) {
  if (this->branches.empty()) fail("[concat] got no branches, want at least one");
}

Array Concatenation::forward(const Array& x) {
  output_shape(x.shape());  // checks
  Arrays parts;
  for (const ModulePointer& branch : branches) parts.push_back(branch->forward(x));
  return concatenate(parts, -1);
}

Shape Concatenation::output_shape(const Shape& input) const {
  Shape shape = branches[0]->output_shape(input);
  for (size_t i = 1; i < branches.size(); ++i) {
    const Shape other = branches[i]->output_shape(input);
    const bool fits = !shape.empty() && other.size() == shape.size() &&
                      std::equal(shape.begin(), shape.end() - 1, other.begin());
    if (!fits) {
      fail("[concat] branch 0 gives shape {}, branch {} {}: all axes but the last must agree",
           mica::to_string(shape), i, mica::to_string(other));
    }
    shape.back() += other.back();
  }
  return shape;
}

double Concatenation::flops(const Shape& input) const {
  double total = 0;
  for (const ModulePointer& branch : branches) total += branch->flops(input);
  return total;
}

Reshape::Reshape(const ReshapeConfig& config) : config(config) {
  if (std::count(config.shape.begin(), config.shape.end(), -1) > 1) {
    fail("[reshape] got shape {}, want at most one -1", fmt::join(config.shape, ", "));
  }
}

Array Reshape::forward(const Array& x) { return reshape(x, output_shape(x.shape())); }

Shape Reshape::output_shape(const Shape& input) const {
  if (input.empty()) fail("[reshape] got a scalar, want an array with a batch axis");
  const int64_t elements = size_of(Shape(input.begin() + 1, input.end()));
  int64_t known = 1;
  for (const int64_t length : config.shape) known *= length < 0 ? 1 : length;
  Shape shape = {input[0]};
  for (const int64_t length : config.shape) {
    shape.push_back(length < 0 && known > 0 ? elements / known : length);
  }
  if (size_of(Shape(shape.begin() + 1, shape.end())) != elements) {
    fail("[reshape] examples of shape {} have {} elements and can't become ({})",
         mica::to_string(Shape(input.begin() + 1, input.end())), elements,
         fmt::join(config.shape, ", "));
  }
  return shape;
}

Array Flatten::forward(const Array& x) { return reshape(x, output_shape(x.shape())); }

Shape Flatten::output_shape(const Shape& input) const {
  if (input.empty()) fail("[flatten] got a scalar, want an array with a batch axis");
  int64_t features = 1;
  for (size_t i = 1; i < input.size(); ++i) features *= input[i];
  return {input[0], features};
}

}  // namespace mica::nn
