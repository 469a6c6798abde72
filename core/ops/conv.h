// Two-dimensional convolution (cross-correlation, as everywhere in machine learning).
//
//   Array y = conv2d(images, weight, {.stride = {2, 2}, .padding = {1, 1}});
//
// Images are NHWC: (batch, height, width, channels); weights OHWI: (out channels, kernel height,
// kernel width, in channels / groups). The set {conv2d, conv2d_input, conv2d_weight} is closed
// under differentiation.
#pragma once

#include <array>

#include "core/base/fields.h"
#include "core/graph/array.h"

namespace mica {

struct Conv2dOptions {
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 2> padding = {0, 0};  // zeros on both sides of height and width
  std::array<int64_t, 2> dilation = {1, 1};
  int64_t groups = 1;
  FIELDS(Conv2dOptions, stride, padding, dilation, groups)
};

/// (N, H, W, C) and (O, KH, KW, C / groups) -> (N, H', W', O).
Array conv2d(const Array& x, const Array& weight, const Conv2dOptions& options = {});
/// Gradient of conv2d by its input: cotangent (N, H', W', O), weight, and the input's shape.
Array conv2d_input(const Array& cotangent, const Array& weight, const Shape& input_shape,
                   const Conv2dOptions& options = {});
/// Gradient of conv2d by its weight: input (N, H, W, C), cotangent, and the weight's shape.
Array conv2d_weight(const Array& x, const Array& cotangent, const Shape& weight_shape,
                    const Conv2dOptions& options = {});

}  // namespace mica
