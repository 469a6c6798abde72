// Convolution of sequences and volumes, and transposed convolution, as compositions of conv2d.
//
//   Array y = conv1d(sequence, weight, {.padding = 1});
//   Array up = conv_transpose2d(images, weight, {.stride = {2, 2}});   // twice as high and wide
//
// Channels come last: (batch, spatial..., channels), weights (out channels, kernel...,
// in channels / groups). A transposed convolution is the gradient by input of the convolution with
// the same weight and options, so its weight is (in channels, kernel..., out channels / groups).
// All of it differentiates any number of times. Shapes that do not fit throw Error.
#pragma once

#include <array>

#include "core/ops/conv.h"

namespace mica {

struct Conv1dOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
};

struct Conv3dOptions {
  std::array<int64_t, 3> stride = {1, 1, 1};
  std::array<int64_t, 3> padding = {0, 0, 0};
  std::array<int64_t, 3> dilation = {1, 1, 1};
  int64_t groups = 1;
};

/// (N, L, C) and (O, K, C / groups) -> (N, L', O), L' = (L + 2 padding - dilation (K - 1) - 1) /
/// stride + 1, rounded down.
Array conv1d(const Array& x, const Array& weight, const Conv1dOptions& options = {});
/// (N, D, H, W, C) and (O, KD, KH, KW, C / groups) -> (N, D', H', W', O).
Array conv3d(const Array& x, const Array& weight, const Conv3dOptions& options = {});

/// (N, L', C) and (C, K, O / groups) -> (N, L, O),
/// L = (L' - 1) stride - 2 padding + dilation (K - 1) + 1 + output_padding; the last is less than
/// the stride and chooses among the lengths that a convolution takes to L'.
Array conv_transpose1d(const Array& x, const Array& weight, const Conv1dOptions& options = {},
                       int64_t output_padding = 0);
Array conv_transpose2d(const Array& x, const Array& weight, const Conv2dOptions& options = {},
                       const std::array<int64_t, 2>& output_padding = {0, 0});
Array conv_transpose3d(const Array& x, const Array& weight, const Conv3dOptions& options = {},
                       const std::array<int64_t, 3>& output_padding = {0, 0, 0});

enum class ConvolveMode { kFull, kSame, kValid };
/// NumPy's convolve of two vectors of lengths M and N: M + N - 1 sums (kFull), the middle max(M, N)
/// of them (kSame), or those in which the shorter lies wholly within the longer (kValid). Throws
/// Error for empty ones and other ranks.
Array convolve(const Array& a, const Array& v, ConvolveMode mode = ConvolveMode::kFull);

}  // namespace mica
