// Two-dimensional convolution (cross-correlation, as everywhere in machine learning).
//
//   Array y = conv2d(images, weight, {.stride = {2, 2}, .padding = {1, 1}});
//
// Images are NHWC: (batch, height, width, channels); weights OHWI: (out channels, kernel height,
// kernel width, in channels / groups). Operands are promoted to a common floating type. The set
// {conv2d, conv2d_input, conv2d_weight} is closed under differentiation.
#pragma once

#include <array>

#include "core/graph/op.h"

namespace mica {

struct Conv2dOptions {
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 2> padding = {0, 0};  // zeros on both sides of height and width
  std::array<int64_t, 2> dilation = {1, 1};
  int64_t groups = 1;
  FIELDS(Conv2dOptions, stride, padding, dilation, groups)
  friend bool operator==(const Conv2dOptions&, const Conv2dOptions&) = default;
};

/// (N, H, W, C) and (O, KH, KW, C / groups) -> (N, H', W', O) with
/// H' = (H + 2 padding - dilation (KH - 1) - 1) / stride + 1, rounded down.
Array conv2d(const Array& x, const Array& weight, const Conv2dOptions& options = {});
/// Gradient of conv2d by its input: cotangent (N, H', W', O), weight, and the input's shape.
Array conv2d_input(const Array& cotangent, const Array& weight, const Shape& input_shape,
                   const Conv2dOptions& options = {});
/// Gradient of conv2d by its weight: input (N, H, W, C), cotangent, and the weight's shape.
Array conv2d_weight(const Array& x, const Array& cotangent, const Shape& weight_shape,
                    const Conv2dOptions& options = {});

/// The shape of conv2d's result. Throws Error naming `op` and both shapes when they do not fit.
Shape conv2d_shape(const Shape& x, const Shape& weight, const Conv2dOptions& options,
                   const char* op = "conv2d");

/// The ops behind them, for kernels. Both inputs of each have the same floating dtype.
class Conv2d final : public OpWith<Conv2d> {
 public:
  static constexpr std::string_view kName = "conv2d";
  Conv2dOptions options;
  FIELDS(Conv2d, options)
  explicit Conv2d(const Conv2dOptions& options) : options(options) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

class Conv2dInput final : public OpWith<Conv2dInput> {
 public:
  static constexpr std::string_view kName = "conv2d_input";
  Conv2dOptions options;
  Shape input_shape;
  FIELDS(Conv2dInput, options, input_shape)
  Conv2dInput(const Conv2dOptions& options, const Shape& input_shape)
      : options(options), input_shape(input_shape) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

class Conv2dWeight final : public OpWith<Conv2dWeight> {
 public:
  static constexpr std::string_view kName = "conv2d_weight";
  Conv2dOptions options;
  Shape weight_shape;
  FIELDS(Conv2dWeight, options, weight_shape)
  Conv2dWeight(const Conv2dOptions& options, const Shape& weight_shape)
      : options(options), weight_shape(weight_shape) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
