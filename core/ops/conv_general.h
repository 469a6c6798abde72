// Convolution with everything that may vary, for one, two or three spatial axes.
//
//   // Causal: all padding in front.
//   Array y = conv_general(x, weight, {.padding_low = {2}, .padding_high = {0}});
//   // A transposed convolution of stride 2.
//   Array up = conv_general(x, w, {.padding_low = {2}, .input_dilation = {2}, .flip = true});
#pragma once

#include "core/graph/array.h"

namespace mica {

/// A number for each spatial axis; one counts for all, none is the default.
struct ConvGeneralOptions {
  Shape stride = {};           // 1
  Shape padding_low = {};      // zeros in front, 0; a negative number cuts
  Shape padding_high = {};     // behind; as in front where it is not given
  Shape kernel_dilation = {};  // distance of the kernel's taps, 1
  Shape input_dilation = {};   // distance of the input's elements, with zeros between them, 1
  int64_t groups = 1;
  bool flip = false;  // turn the kernel round: convolution as in mathematics
};

/// (N, spatial..., C) and (O, kernel..., C / groups) -> (N, spatial'..., O), with lengths
/// ((n - 1) input_dilation + 1 + low + high - kernel_dilation (k - 1) - 1) / stride + 1, rounded
/// down. Floating types, gradients of any order. Throws Error for shapes that do not fit.
Array conv_general(const Array& x, const Array& weight, const ConvGeneralOptions& options = {});

}  // namespace mica
