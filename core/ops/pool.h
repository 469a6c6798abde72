// Two-dimensional pooling over NHWC images.
//
//   Array y = max_pool2d(x, {.kernel = {2, 2}, .stride = {2, 2}});
//
// No indices are kept for the gradient: it looks for the maxima again, which reads less memory.
#pragma once

#include <array>

#include "core/graph/op.h"

namespace mica {

struct Pool2dOptions {
  std::array<int64_t, 2> kernel = {2, 2};
  std::array<int64_t, 2> stride = {2, 2};
  std::array<int64_t, 2> padding = {0, 0};  // ignored by max, zeros that count for avg
  FIELDS(Pool2dOptions, kernel, stride, padding)
  friend bool operator==(const Pool2dOptions&, const Pool2dOptions&) = default;
};

/// (N, H, W, C) -> (N, H', W', C) with H' = (H + 2 padding - kernel) / stride + 1, rounded down.
/// The gradient goes to the first maximum of each window in row-major order; NaN is the maximum
/// wherever there is one. Floating types. Throws Error unless padding < kernel.
Array max_pool2d(const Array& x, const Pool2dOptions& options);
/// The mean over each window, padding included in the count. Floating types.
Array avg_pool2d(const Array& x, const Pool2dOptions& options);

/// The shape of both results. Throws Error naming `op` and the shape when the kernel does not fit.
Shape pool2d_shape(const Shape& x, const Pool2dOptions& options, const char* op = "pool2d");

/// The ops behind them, for kernels. x (N, H, W, C) -> (N, H', W', C).
class MaxPool2d final : public OpWith<MaxPool2d> {
 public:
  static constexpr std::string_view kName = "max_pool2d";
  Pool2dOptions options;
  FIELDS(MaxPool2d, options)
  explicit MaxPool2d(const Pool2dOptions& options) : options(options) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// x (N, H, W, C), cotangent (N, H', W', C) -> (N, H, W, C): each cotangent at its window's
/// maximum in x, zero elsewhere.
class MaxPool2dGradient final : public OpWith<MaxPool2dGradient> {
 public:
  static constexpr std::string_view kName = "max_pool2d_gradient";
  Pool2dOptions options;
  FIELDS(MaxPool2dGradient, options)
  explicit MaxPool2dGradient(const Pool2dOptions& options) : options(options) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// x, values (N, H, W, C) -> (N, H', W', C): the value that stands where x has its window's
/// maximum. The transpose of MaxPool2dGradient.
class MaxPool2dSelect final : public OpWith<MaxPool2dSelect> {
 public:
  static constexpr std::string_view kName = "max_pool2d_select";
  Pool2dOptions options;
  FIELDS(MaxPool2dSelect, options)
  explicit MaxPool2dSelect(const Pool2dOptions& options) : options(options) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

class AvgPool2d final : public OpWith<AvgPool2d> {
 public:
  static constexpr std::string_view kName = "avg_pool2d";
  Pool2dOptions options;
  FIELDS(AvgPool2d, options)
  explicit AvgPool2d(const Pool2dOptions& options) : options(options) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// cotangent (N, H', W', C) -> input_shape (N, H, W, C). The transpose of AvgPool2d.
class AvgPool2dGradient final : public OpWith<AvgPool2dGradient> {
 public:
  static constexpr std::string_view kName = "avg_pool2d_gradient";
  Pool2dOptions options;
  Shape input_shape;
  FIELDS(AvgPool2dGradient, options, input_shape)
  AvgPool2dGradient(const Pool2dOptions& options, const Shape& input_shape)
      : options(options), input_shape(input_shape) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
