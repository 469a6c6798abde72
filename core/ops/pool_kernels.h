// What the CPU kernels of pooling share: geometry, and a table of functions for one SIMD target.
#pragma once

#include "core/ops/pool.h"

namespace mica {

struct PoolGeometry {
  int64_t batch, height, width, channels, out_height, out_width;
  Pool2dOptions options;

  static PoolGeometry of(const Shape& x, const Pool2dOptions& options) {
    const Shape y = pool2d_shape(x, options);
    return {x[0], x[1], x[2], x[3], y[1], y[2], options};
  }
  /// Two by two pixels to one, side by side: most pooling in the wild.
  bool is_halving() const {
    constexpr std::array<int64_t, 2> two = {2, 2}, none = {0, 0};
    return options.kernel == two && options.stride == two && options.padding == none;
  }
};

/// `begin` and `end` count output lines (image, row) in max, select, halving_gradient and avg, and
/// input lines in the two general gradients, where windows may overlap.
template <class T>
using PoolFunction = void (*)(const PoolGeometry&, const T* x, const T* other, T* out,
                              int64_t begin, int64_t end);

template <class T>
struct PoolFunctions {
  using Function = PoolFunction<T>;
  Function max;               // other is not used
  Function max_halving;       // the same for is_halving()
  Function select;            // other: values like x
  Function gradient;          // other: cotangent
  Function gradient_halving;  // the same for is_halving()
  Function avg;               // other is not used
  Function avg_gradient;      // x is not used, other: cotangent
};

/// max and gradient for is_halving() on bfloat16 as it is stored.
struct HalvingFunctions {
  PoolFunction<uint16_t> max;
  PoolFunction<uint16_t> gradient;
};

}  // namespace mica
