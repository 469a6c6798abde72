// Convolution and pooling layers over NHWC images: (batch, height, width, channels).
//
//   nn::Conv2d conv(3, {.out = 16, .kernel = {5, 5}, .padding = {2, 2}});
//   nn::MaxPool2d pool({.kernel = {2, 2}});
//   Array y = pool(conv(images));
//
// Initial weights are PyTorch's: U(-k, k) with k = 1 / sqrt(kernel area * in / groups). Inputs of
// another shape throw Error naming got and wanted.
#pragma once

#include "core/base/settings.h"
#include "core/ops/conv.h"
#include "core/ops/pool.h"
#include "nn/module.h"

namespace mica::nn {

/// Throws Error, in the name of `layer`, unless the shape is (batch, height, width, channels).
void check_image(const Shape& input, const char* layer);

struct Conv2dConfig {
  int64_t out = 0;
  Pair kernel = {3, 3};
  Pair stride = {1, 1};
  Pair padding = {0, 0};
  Pair dilation = {1, 1};
  int64_t groups = 1;
  bool bias = true;
  FIELDS(Conv2dConfig, out, kernel, stride, padding, dilation, groups, bias)
  static constexpr FieldInfo kFieldInfo[] = {
      {"channels out", 1},
      {"height and width of the window", 1},
      {"steps of the window", 1},
      {"zeros on both sides of height and width", 0},
      {"distance of the window's elements", 1},
      {"channels are split into so many independent convolutions", 1},
      {"add a trained bias"}};
};

/// (N, H, W, C) -> (N, H', W', out), H' = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1.
class Conv2d : public ModuleWith<Conv2d> {
 public:
  Conv2d(int64_t in, const Conv2dConfig& config, const Array& key = {});
  Conv2d(const Conv2dConfig& config, const Shape& input, const Array& key);

  int64_t in;
  Conv2dConfig config;
  Array weight;  // (out, kernel height, kernel width, in / groups)
  Array bias;    // (out,), undefined without bias
  FIELDS(Conv2d, in, config, weight, bias)

  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

struct ConvTranspose2dConfig {
  int64_t out = 0;
  Pair kernel = {2, 2};
  Pair stride = {2, 2};
  Pair padding = {0, 0};
  Pair output_padding = {0, 0};
  int64_t groups = 1;
  bool bias = true;
  FIELDS(ConvTranspose2dConfig, out, kernel, stride, padding, output_padding, groups, bias)
  static constexpr FieldInfo kFieldInfo[] = {
      {"channels out", 1},
      {"height and width of the window", 1},
      {"how many times as high and wide the result becomes", 1},
      {"cut off on both sides of height and width", 0},
      {"added at the ends of height and width; less than the stride", 0},
      {"channels are split into so many independent convolutions", 1},
      {"add a trained bias"}};
};

/// The transpose of a convolution (Dumoulin & Visin 2016): (N, H, W, C) -> (N, H', W', out),
/// H' = (H - 1) stride - 2 padding + kernel + output_padding.
class ConvTranspose2d : public ModuleWith<ConvTranspose2d> {
 public:
  ConvTranspose2d(int64_t in, const ConvTranspose2dConfig& config, const Array& key = {});
  ConvTranspose2d(const ConvTranspose2dConfig& config, const Shape& input, const Array& key);

  int64_t in;
  ConvTranspose2dConfig config;
  Array weight;  // (in, kernel height, kernel width, out / groups)
  Array bias;    // (out,), undefined without bias
  FIELDS(ConvTranspose2d, in, config, weight, bias)

  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

struct Pool2dConfig {
  Pair kernel = {2, 2};
  Pair stride = {0, 0};
  Pair padding = {0, 0};
  FIELDS(Pool2dConfig, kernel, stride, padding)
  static constexpr FieldInfo kFieldInfo[] = {{"height and width of the window", 1},
                                             {"steps of the window (0: as the kernel)", 0},
                                             {"padding on both sides of height and width", 0}};
};

/// (N, H, W, C) -> (N, H', W', C), H' = (H + 2 padding - kernel) / stride + 1.
class MaxPool2d : public ModuleWith<MaxPool2d> {
 public:
  explicit MaxPool2d(const Pool2dConfig& config = {});
  Pool2dOptions options;
  FIELDS(MaxPool2d, options)
  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

/// The mean over each window; padding counts as zeros.
class AvgPool2d : public ModuleWith<AvgPool2d> {
 public:
  explicit AvgPool2d(const Pool2dConfig& config = {});
  Pool2dOptions options;
  FIELDS(AvgPool2d, options)
  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

}  // namespace mica::nn
