// Depthwise convolution for the machine's SIMD target: every channel has a kernel of its own.
//
// Which input lines meet which taps is a table per axis, so that forward and by-input, strides,
// padding and dilation are one loop. Weights are (tap, channel).
#pragma once

#include <cstdint>
#include <vector>

namespace mica {

/// What one output position of an axis sums: source position `first_source + k * source_step`
/// times tap `first_tap + k * tap_step`, k < count.
struct DepthwiseTaps {
  int64_t first_source, source_step, first_tap, tap_step, count;
};

struct DepthwiseLine {
  int64_t channels, kernel_width;
  int64_t width;         // positions of the line
  int64_t phases;        // positions p, p + phases, ... have equal taps where none is outside
  int64_t source_shift;  // and sources that lie this far apart
  const DepthwiseTaps* columns;
  DepthwiseTaps rows;
  int64_t source_line;  // elements from line to line of the source
};

template <class T>
struct Depthwise {
  /// out (width, channels) from the image at `source`.
  void (*convolve)(const DepthwiseLine& line, const T* source, const T* weight, T* out);
  /// sums (tap, channel) += what one line of the cotangent adds to the weights.
  void (*correlate)(const DepthwiseLine& line, const T* source, const T* cotangent, T* sums);
};

template <class T>
const Depthwise<T>& depthwise();

}  // namespace mica
