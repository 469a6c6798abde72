#include "nn/resize.h"

#include "core/base/error.h"
#include "core/ops/interpolate.h"
#include "nn/conv.h"

namespace mica::nn {

AdaptiveAvgPool2d::AdaptiveAvgPool2d(const AdaptiveAvgPool2dConfig& config) : config(config) {
  check_settings(config, "adaptive_avg_pool2d");
}

Array AdaptiveAvgPool2d::forward(const Array& x) {
  output_shape(x.shape());  // checks
  return adaptive_avg_pool2d(x, config.size);
}

Shape AdaptiveAvgPool2d::output_shape(const Shape& input) const {
  check_image(input, "adaptive_avg_pool2d");
  return {input[0], config.size[0], config.size[1], input[3]};
}

Upsample::Upsample(const UpsampleConfig& config) : config(config) {
  check_settings(config, "upsample");
}

Array Upsample::forward(const Array& x) {
  const Shape shape = output_shape(x.shape());
  const bool linear = config.mode == "linear";
  return interpolate(x, {.size = {shape[1], shape[2]},
                         .mode = linear ? Interpolation::kLinear : Interpolation::kNearest});
}

Shape Upsample::output_shape(const Shape& input) const {
  check_image(input, "upsample");
  return {input[0], input[1] * config.scale[0], input[2] * config.scale[1], input[3]};
}

double Upsample::flops(const Shape& input) const {
  return static_cast<double>(size_of(output_shape(input)));
}

}  // namespace mica::nn
