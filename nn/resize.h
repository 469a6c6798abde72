// Layers that change the size of NHWC images, (batch, height, width, channels), and learn nothing.
//
//   nn::AdaptiveAvgPool2d mean;                         // (N, H, W, C) -> (N, 1, 1, C)
//   nn::Upsample twice({.scale = {2, 2}});              // (N, H, W, C) -> (N, 2 H, 2 W, C)
//   Array y = twice(images);
//
// Inputs of another rank throw Error naming got and wanted.
#pragma once

#include "core/base/settings.h"
#include "nn/module.h"

namespace mica::nn {

struct AdaptiveAvgPool2dConfig {
  Pair size = {1, 1};
  FIELDS(AdaptiveAvgPool2dConfig, size)
  static constexpr FieldInfo kFieldInfo[] = {{"height and width of the result", 1}};
};

/// (N, H, W, C) -> (N, size..., C): means over as many windows as `size` says, which follow from
/// the size of the input. {1, 1} is the mean over the whole image.
class AdaptiveAvgPool2d : public ModuleWith<AdaptiveAvgPool2d> {
 public:
  explicit AdaptiveAvgPool2d(const AdaptiveAvgPool2dConfig& config = {});
  AdaptiveAvgPool2dConfig config;
  FIELDS(AdaptiveAvgPool2d, config)
  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override { return static_cast<double>(size_of(input)); }
};

struct UpsampleConfig {
  Pair scale = {2, 2};
  std::string mode = "nearest";
  FIELDS(UpsampleConfig, scale, mode)
  static constexpr FieldInfo kFieldInfo[] = {
      {"how many times as high and wide", 1},
      {.doc = "repeat the nearest pixel, or interpolate between four",
       .choices = "nearest|linear"}};
};

/// (N, H, W, C) -> (N, H scale, W scale, C).
class Upsample : public ModuleWith<Upsample> {
 public:
  explicit Upsample(const UpsampleConfig& config = {});
  UpsampleConfig config;
  FIELDS(Upsample, config)
  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

}  // namespace mica::nn
