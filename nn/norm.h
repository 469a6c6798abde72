// Normalisation layers over the last axis, and dropout.
//
//   nn::BatchNorm norm(64);         // images (N, H, W, 64) or features (N, 64)
//   nn::LayerNorm layer_norm(128);
//   nn::RmsNorm rms_norm(128);
//   nn::Dropout dropout(0.3);
//
// BatchNorm updates its running statistics in forward while is_training(): they are lazy arrays
// until they are evaluated, so evaluate named_buffers() with each step.
#pragma once

#include "core/base/settings.h"
#include "nn/module.h"

namespace mica::nn {

struct BatchNormConfig {
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = true;
  FIELDS(BatchNormConfig, eps, momentum, affine)
  static constexpr FieldInfo kFieldInfo[] = {{"added to the variance", 0},
                                             {"share of the batch in the running statistics", 0, 1},
                                             {"train a scale and a shift for each channel"}};
};

/// Ioffe & Szegedy 2015. y = (x - mean) / sqrt(var + eps) * weight + bias with mean and (biased)
/// variance over all axes but the last; in evaluation with the running ones, to which each
/// training batch adds its mean and its unbiased variance, as in PyTorch.
class BatchNorm : public ModuleWith<BatchNorm> {
 public:
  explicit BatchNorm(int64_t channels, const BatchNormConfig& config = {});
  BatchNorm(const BatchNormConfig& config, const Shape& input, const Array& key);

  BatchNormConfig config;
  Array weight, bias;                // (channels,), undefined unless affine
  Buffer running_mean, running_var;  // (channels,)
  FIELDS(BatchNorm, config, weight, bias, running_mean, running_var)

  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

struct LayerNormConfig {
  double eps = 1e-5;
  bool affine = true;
  FIELDS(LayerNormConfig, eps, affine)
  static constexpr FieldInfo kFieldInfo[] = {{"added to the variance", 0},
                                             {"train a scale and a shift for each feature"}};
};

/// Ba et al. 2016: the same with mean and variance over the last axis, for every row by itself.
class LayerNorm : public ModuleWith<LayerNorm> {
 public:
  explicit LayerNorm(int64_t features, const LayerNormConfig& config = {});
  LayerNorm(const LayerNormConfig& config, const Shape& input, const Array& key);

  int64_t features;
  LayerNormConfig config;
  Array weight, bias;  // (features,), undefined unless affine
  FIELDS(LayerNorm, features, config, weight, bias)

  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

struct RmsNormConfig {
  double eps = 1e-6;
  bool affine = true;
  FIELDS(RmsNormConfig, eps, affine)
  static constexpr FieldInfo kFieldInfo[] = {{"added to the mean square", 0},
                                             {"train a scale for each feature"}};
};

/// Zhang & Sennrich 2019: each row divided by its root mean square, x / sqrt(mean(x^2) + eps).
class RmsNorm : public ModuleWith<RmsNorm> {
 public:
  explicit RmsNorm(int64_t features, const RmsNormConfig& config = {});
  RmsNorm(const RmsNormConfig& config, const Shape& input, const Array& key);

  int64_t features;
  RmsNormConfig config;
  Array weight;  // (features,), undefined unless affine
  FIELDS(RmsNorm, features, config, weight)

  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

struct GroupNormConfig {
  int64_t groups = 0;
  double eps = 1e-5;
  bool affine = true;
  FIELDS(GroupNormConfig, groups, eps, affine)
  static constexpr FieldInfo kFieldInfo[] = {{"into which the channels are cut", 1},
                                             {"added to the variance", 0},
                                             {"train a scale and a shift for each channel"}};
};

/// Wu & He 2018: each example and group of channels by its own mean and variance. The input is
/// (batch, ..., channels).
class GroupNorm : public ModuleWith<GroupNorm> {
 public:
  GroupNorm(int64_t channels, const GroupNormConfig& config);
  GroupNorm(const GroupNormConfig& config, const Shape& input, const Array& key);

  int64_t channels;
  GroupNormConfig config;
  Array weight, bias;  // (channels,), undefined unless affine
  FIELDS(GroupNorm, channels, config, weight, bias)

  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

struct DropoutConfig {
  double p = 0.5;
  FIELDS(DropoutConfig, p)
  static constexpr FieldInfo kFieldInfo[] = {{"share of the elements dropped", 0, 1}};
};

/// Zeroes each element with probability p and divides the others by 1 - p.
Array dropout(const Array& x, double p, const Array& key);

/// dropout while training, the identity otherwise. Draws random::next_key() for each call, unless
/// a key is given.
class Dropout : public ModuleWith<Dropout> {
 public:
  explicit Dropout(double p = 0.5) : Dropout(DropoutConfig{p}) {}
  explicit Dropout(const DropoutConfig& config);
  DropoutConfig config;
  FIELDS(Dropout, config)
  Array forward(const Array& x) override;
  Array forward(const Array& x, const Array& key);
  Shape output_shape(const Shape& input) const override { return input; }
  double flops(const Shape& input) const override { return static_cast<double>(size_of(input)); }
};

}  // namespace mica::nn
