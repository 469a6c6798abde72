// Layers one after another, side by side, and around a shortcut.
//
//   nn::Sequential model(nn::Flatten(), nn::Linear(784, 256), nn::Relu(), nn::Linear(256, 10));
//   model.add(std::make_shared<nn::LogSoftmax>());
//   model.named_parameters();               // "1.weight", "1.bias", "3.weight", ...
//   model.add(std::make_shared<nn::Residual>(body));                  // x + body(x)
//   model.add(std::make_shared<nn::Concatenation>(branches), "mixed");   // "mixed.0.weight", ...
//
// Copies of a container share its layers.
#pragma once

#include <concepts>

#include "core/base/settings.h"
#include "nn/module.h"

namespace mica::nn {

class Sequential : public Module {
 public:
  Sequential() = default;
  explicit Sequential(std::vector<ModulePointer> layers) : layers_(std::move(layers)) {}
  template <std::derived_from<Module>... Layers>
    requires(sizeof...(Layers) > 0)
  explicit Sequential(Layers... layers) : layers_{std::make_shared<Layers>(std::move(layers))...} {}

  /// `name` is the layer's part of its parameters' names; by default its position.
  void add(ModulePointer layer, std::string name = "");
  const std::vector<ModulePointer>& layers() const { return layers_; }

  Array forward(const Array& x) override;
  /// Errors name the layer by its place and type: "layer 3 (Linear): ...".
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
  std::string_view type_name() const override { return "Sequential"; }
  std::vector<Member> members() override;

 private:
  std::vector<ModulePointer> layers_;
  std::vector<std::string> names_;  // shorter than layers_, or empty where the position is the name
};

/// He et al. 2016: body(x) + shortcut(x), or body(x) + x without a shortcut. Both must give the
/// same shape.
class Residual : public ModuleWith<Residual> {
 public:
  explicit Residual(ModulePointer body, ModulePointer shortcut = nullptr)
      : body(std::move(body)), shortcut(std::move(shortcut)) {}
  ModulePointer body, shortcut;
  FIELDS(Residual, body, shortcut)
  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

/// The results of all branches for the same input, joined along the last axis (channels). Their
/// other axes must agree.
class Concatenation : public ModuleWith<Concatenation> {
 public:
  explicit Concatenation(std::vector<ModulePointer> branches);
  std::vector<ModulePointer> branches;
  FIELDS(Concatenation, branches)
  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

struct ReshapeConfig {
  std::vector<int64_t> shape;
  FIELDS(ReshapeConfig, shape)
  static constexpr FieldInfo kFieldInfo[] = {
      {"of an example, as [7, 7, 32]; one -1 stands for what is left", -1}};
};

/// (batch, ...) -> (batch, shape...), in row-major order.
class Reshape : public ModuleWith<Reshape> {
 public:
  explicit Reshape(const ReshapeConfig& config);
  ReshapeConfig config;
  FIELDS(Reshape, config)
  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
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
