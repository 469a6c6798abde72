// Two-dimensional pooling over NHWC images.
//
//   Array y = max_pool2d(x, {.kernel = {2, 2}, .stride = {2, 2}});
#pragma once

#include <array>

#include "core/base/fields.h"
#include "core/graph/array.h"

namespace mica {

struct Pool2dOptions {
  std::array<int64_t, 2> kernel = {2, 2};
  std::array<int64_t, 2> stride = {2, 2};
  std::array<int64_t, 2> padding = {0, 0};  // ignored by max, zeros that count for avg
  FIELDS(Pool2dOptions, kernel, stride, padding)
};

/// (N, H, W, C) -> (N, H', W', C) with H' = (H + 2 padding - kernel) / stride + 1, rounded down.
/// The gradient goes to the first maximum of each window in row-major order.
Array max_pool2d(const Array& x, const Pool2dOptions& options);
/// The mean over each window, padding included in the count.
Array avg_pool2d(const Array& x, const Pool2dOptions& options);

}  // namespace mica
