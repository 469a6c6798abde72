// Shapes, strides and layouts. All sizes are int64 and all strides count elements, not bytes.
//
//   Shape s = {2, 3};
//   size_of(s)                                 // 6
//   broadcast_shapes({2, 1, 4}, {3, 1})        // {2, 3, 4}
//   row_major(s)                               // {3, 1}
#pragma once

#include <cstdint>
#include <string>

#include "core/base/small_vector.h"

namespace mica {

using Shape = SmallVector<int64_t, 5>;
using Strides = SmallVector<int64_t, 5>;
using Axes = SmallVector<int, 5>;

/// Number of elements; 1 for a scalar's empty shape.
int64_t size_of(const Shape& shape);
/// "(2, 3)", "(4,)", "()" as NumPy prints them.
std::string to_string(const Shape& shape);
/// Strides of a contiguous array in row-major order.
Strides row_major(const Shape& shape);
/// The common shape by NumPy's rule. Throws naming both shapes and `op` if there is none.
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op = "broadcast");
/// `axis` in [-rank, rank) to [0, rank). Throws naming `op` otherwise.
int normalize_axis(int axis, size_t rank, const char* op);
/// Every axis normalised, in increasing order and without repeats; no axes means all axes.
Axes normalize_axes(const Axes& axes, size_t rank, const char* op);

/// How the elements of an array lie in its buffer, counted in elements from the buffer's start.
struct Layout {
  Shape shape;
  Strides strides;
  int64_t offset = 0;

  static Layout contiguous(const Shape& shape) { return {shape, row_major(shape), 0}; }
  /// Elements follow each other in row-major order (axes of length 1 do not count).
  bool is_contiguous() const;
  friend bool operator==(const Layout&, const Layout&) = default;
};

}  // namespace mica
