// What the CPU kernels of convolution share: the geometry, and the three ways to compute.
//
// The im2col path works everywhere and in float32 and float64; the others are for float32 and
// some machines. All compute the three products of a convolution: forward, by input, by weight.
// All arrays are contiguous, images NHWC and weights OHWI. None of it depends on the number of
// threads.
#pragma once

#include <algorithm>

#include "core/ops/conv.h"
#include "core/runtime/parallel.h"

namespace mica {

struct ConvGeometry {
  int64_t batch, height, width, channels;
  int64_t out_height, out_width, out_channels;
  int64_t kernel_height, kernel_width;
  Conv2dOptions options;
  FIELDS(ConvGeometry, batch, height, width, channels, out_height, out_width, out_channels,
         kernel_height, kernel_width, options)
  friend bool operator==(const ConvGeometry&, const ConvGeometry&) = default;

  static ConvGeometry of(const Shape& x, const Shape& weight, const Conv2dOptions& options) {
    const Shape y = conv2d_shape(x, weight, options);
    return {x[0], x[1], x[2], x[3], y[1], y[2], y[3], weight[1], weight[2], options};
  }
  int64_t input_size() const { return batch * height * width * channels; }
  int64_t output_size() const { return batch * out_height * out_width * out_channels; }
  int64_t weight_size() const { return out_channels * taps(); }
  /// Weights that make one output value.
  int64_t taps() const { return kernel_height * kernel_width * channels / options.groups; }
  double flops() const { return 2.0 * double(output_size()) * double(taps()); }
};

template <class T>
void conv_im2col(const ConvGeometry& geometry, const T* x, const T* weight, T* y);
template <class T>
void conv_input_im2col(const ConvGeometry& geometry, const T* cotangent, const T* weight, T* dx);
template <class T>
void conv_weight_im2col(const ConvGeometry& geometry, const T* x, const T* cotangent, T* dweight);

/// The same for one kernel a channel; false, with nothing done, for any other convolution.
template <class T>
bool conv_depthwise(const ConvGeometry& geometry, const T* x, const T* weight, T* y);
template <class T>
bool conv_input_depthwise(const ConvGeometry& geometry, const T* cotangent, const T* weight, T* dx);
template <class T>
bool conv_weight_depthwise(const ConvGeometry& geometry, const T* x, const T* cotangent,
                           T* dweight);

/// False, with nothing done, where oneDNN is not built in, has no code for this geometry or the
/// machine no instructions for T, which is float or bfloat16_t. Sums are of float32.
template <class T>
bool conv_dnnl(const ConvGeometry& geometry, const T* x, const T* weight, T* y);
template <class T>
bool conv_input_dnnl(const ConvGeometry& geometry, const T* cotangent, const T* weight, T* dx);
template <class T>
bool conv_weight_dnnl(const ConvGeometry& geometry, const T* x, const T* cotangent, T* dweight);

/// The same with an image per SIMD lane; false where that is not possible.
bool conv_lanes(const ConvGeometry& geometry, const float* x, const float* weight, float* y);
bool conv_input_lanes(const ConvGeometry& geometry, const float* cotangent, const float* weight,
                      float* dx);
bool conv_weight_lanes(const ConvGeometry& geometry, const float* x, const float* cotangent,
                       float* dweight);

/// The same for groups of many channels, as small matrix products; false where that is not possible
/// or does not pay.
bool conv_grouped(const ConvGeometry& geometry, const float* x, const float* weight, float* y);
bool conv_input_grouped(const ConvGeometry& geometry, const float* cotangent, const float* weight,
                        float* dx);
bool conv_weight_grouped(const ConvGeometry& geometry, const float* x, const float* cotangent,
                         float* dweight);

/// Whether the gradient by input is the convolution of the cotangent with the kernel turned around,
/// and the geometry of that.
bool turns(const ConvGeometry& geometry);
ConvGeometry turned(const ConvGeometry& geometry);

/// The same by Winograd's algorithm; false where the kernel is not 3x3 or 5x5 with stride 1. Errors
/// are about 2e-6 of the result's root mean square, 1e-4 of it at most: some ten times those of a
/// plain sum. T is float or bfloat16_t, which is converted on the way in and out.
template <class T>
bool conv_winograd(const ConvGeometry& geometry, const T* x, const T* weight, T* y);
template <class T>
bool conv_input_winograd(const ConvGeometry& geometry, const T* cotangent, const T* weight, T* dx);
template <class T>
bool conv_weight_winograd(const ConvGeometry& geometry, const T* x, const T* cotangent, T* dweight);

/// What conv_winograd takes on one core, infinity where it returns false.
double conv_winograd_seconds(const ConvGeometry& geometry);

/// out = parts[0] + parts[1] + ..., each of `size` elements, added in this order.
template <class T>
void sum_parts(const T* parts, int64_t count, int64_t size, T* out) {
  parallel_for(size, std::max<int64_t>(1024, 65536 / count), [&](int64_t begin, int64_t end) {
    std::copy(parts + begin, parts + end, out + begin);
    for (int64_t part = 1; part < count; ++part) {
      const T* from = parts + part * size;
      for (int64_t i = begin; i < end; ++i) out[i] += from[i];
    }
  });
}

}  // namespace mica
