// One axis of a contiguous array, with everything before and after it flattened.
//
//   const AxisSplit s = split_at({2, 3, 4}, 1);     // outer 2, length 3, inner 4
//   element (o, i, n) lies at (o * s.length + i) * s.inner + n
//
// For kernels and rules that work along one axis.
#pragma once

#include "core/graph/shape.h"

namespace mica {

struct AxisSplit {
  int64_t outer = 1;
  int64_t length = 1;
  int64_t inner = 1;
};

/// REQUIRES: 0 <= axis < rank.
inline AxisSplit split_at(const Shape& shape, int axis) {
  AxisSplit split;
  for (int i = 0; i < axis; ++i) split.outer *= shape[i];
  split.length = shape[axis];
  for (size_t i = axis + 1; i < shape.size(); ++i) split.inner *= shape[i];
  return split;
}

}  // namespace mica
