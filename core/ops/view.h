// The same elements seen in another shape or order, and joining and padding arrays.
//
//   Array t = transpose(x);                 // no copy
//   Array s = slice(x, {0, 2}, {10, 8}, {1, 2});
//   Array j = concatenate({a, b}, 0);
//
// reshape, transpose, broadcast_to, slice, squeeze and expand_dims cost nothing: they are other
// layouts over the same bytes (reshape copies where the strides leave no other way).
#pragma once

#include "core/graph/array.h"

namespace mica {

/// One length may be -1: it follows from the others. Throws when the sizes differ.
Array reshape(Array x, const Shape& shape);
/// Axes from `start` to `end` become one.
Array flatten(Array x, int start = 0, int end = -1);
/// Reverses the axes.
Array transpose(Array x);
/// out axis i is x's axis axes[i].
Array transpose(Array x, const Axes& axes);
Array swapaxes(Array x, int a, int b);
Array moveaxis(Array x, int from, int to);
Array broadcast_to(Array x, const Shape& shape);
Array expand_dims(Array x, const Axes& axes);
/// Drops the given axes of length 1 (none given: all of them).
Array squeeze(Array x, const Axes& axes = {});
/// NumPy's basic slicing, one (start, stop, step) an axis. Steps may be negative; negative starts
/// and stops count from the end; values past the end are cut as in NumPy.
Array slice(Array x, const Shape& start, const Shape& stop, const Shape& step = {});
/// Rows [start, stop) of one axis.
Array slice_axis(Array x, int axis, int64_t start, int64_t stop, int64_t step = 1);
/// Reverses the order along the axes (none given: all).
Array flip(Array x, const Axes& axes = {});

Array concatenate(const Arrays& arrays, int axis = 0);
/// Joins along a new axis.
Array stack(const Arrays& arrays, int axis = 0);
/// `parts` equal pieces along `axis`. Throws when the length does not divide.
Arrays split(const Array& x, int64_t parts, int axis = 0);
/// Adds `low[i]` and `high[i]` copies of `value` around axis i.
Array pad(const Array& x, const Shape& low, const Shape& high, const Array& value = 0);

}  // namespace mica
