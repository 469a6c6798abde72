// Layers one after another, and the layer that makes rows of images.
//
//   nn::Sequential model(nn::Flatten(), nn::Linear(784, 256), nn::Relu(), nn::Linear(256, 10));
//   model.add(std::make_shared<nn::LogSoftmax>());
//   model.named_parameters();               // "1.weight", "1.bias", "3.weight", ...
//
// Copies of a Sequential share its layers.
#pragma once

#include <concepts>

#include "nn/module.h"

namespace mica::nn {

class Sequential : public Module {
 public:
  Sequential() = default;
  explicit Sequential(std::vector<ModulePointer> layers) : layers_(std::move(layers)) {}
  template <std::derived_from<Module>... Layers>
    requires(sizeof...(Layers) > 0)
  explicit Sequential(Layers... layers) : layers_{std::make_shared<Layers>(std::move(layers))...} {}

  void add(ModulePointer layer) { layers_.push_back(std::move(layer)); }
  const std::vector<ModulePointer>& layers() const { return layers_; }

  Array forward(const Array& x) override;
  /// Errors name the layer by its place and type: "layer 3 (Linear): ...".
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
  std::string_view type_name() const override { return "Sequential"; }
  std::vector<Member> members() override;

 private:
  std::vector<ModulePointer> layers_;
};

struct FlattenConfig {
  NO_FIELDS(FlattenConfig)
};

/// (batch, ...) -> (batch, everything else), in row-major order: NHWC images by pixel, then
/// channel.
class Flatten : public ModuleWith<Flatten> {
 public:
  Flatten() = default;
  explicit Flatten(const FlattenConfig&) {}
  NO_FIELDS(Flatten)
  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
};

}  // namespace mica::nn
