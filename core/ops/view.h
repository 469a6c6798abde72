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
/// One axis becomes several; one of their lengths may be -1.
Array unflatten(Array x, int axis, const Shape& shape);
/// Reverses the axes.
Array transpose(Array x);
/// out axis i is x's axis axes[i].
Array transpose(Array x, const Axes& axes);
Array permute_dims(Array x, const Axes& axes);
Array swapaxes(Array x, int a, int b);
Array moveaxis(Array x, int from, int to);
Array broadcast_to(Array x, const Shape& shape);
/// All arrays in their common shape.
Arrays broadcast_arrays(const Arrays& arrays);
Array expand_dims(Array x, const Axes& axes);
/// At least so many axes: missing ones are put where NumPy puts them.
Array atleast_1d(Array x);
Array atleast_2d(Array x);
Array atleast_3d(Array x);
/// Drops the given axes of length 1 (none given: all of them).
Array squeeze(Array x, const Axes& axes = {});
/// NumPy's basic slicing, one (start, stop, step) an axis. Steps may be negative; negative starts
/// and stops count from the end; values past the end are cut as in NumPy.
Array slice(Array x, const Shape& start, const Shape& stop, const Shape& step = {});
/// Rows [start, stop) of one axis.
Array slice_axis(Array x, int axis, int64_t start, int64_t stop, int64_t step = 1);
/// Reverses the order along the axes (none given: all).
Array flip(Array x, const Axes& axes = {});

/// Moves elements `shift` places along an axis; those that leave come in again at the other end.
Array roll(const Array& x, int64_t shift, int axis);
/// The same in row-major order of all elements.
Array roll(const Array& x, int64_t shift);
/// Every element (or row of `axis`) `times` times in a row.
Array repeat(const Array& x, int64_t times, int axis);
Array repeat(const Array& x, int64_t times);
/// The whole array, times[i] times along axis i. Missing leading numbers and axes count as 1.
Array tile(const Array& x, const Shape& times);

/// Element (i, j, ...) is number offset + i strides[0] + j strides[1] + ... of x in row-major
/// order. Throws for places outside x. Elements that show up several times add up their gradients.
Array as_strided(const Array& x, const Shape& shape, const Strides& strides, int64_t offset = 0);
/// The same bytes in another type, in the last axis more or fewer elements where sizes differ.
/// Throws where they do not come out even, and for bool from other types. No gradient.
Array view(const Array& x, Dtype dtype);
/// The inputs, which are computed after the others, as are results computed from them.
Arrays depends(const Arrays& inputs, const Arrays& others);

Array concatenate(const Arrays& arrays, int axis = 0);
/// Joins along a new axis.
Array stack(const Arrays& arrays, int axis = 0);
/// `parts` equal pieces along `axis`. Throws when the length does not divide.
Arrays split(const Array& x, int64_t parts, int axis = 0);
/// The pieces between `positions` along `axis`: [0, positions[0]), [positions[0], positions[1]) and
/// so on to the end, as NumPy's array_split cuts.
Arrays array_split(const Array& x, const Shape& positions, int axis = 0);
/// The rows of an axis, which they lose.
Arrays unstack(const Array& x, int axis = 0);
/// Adds `low[i]` and `high[i]` copies of `value` around axis i.
Array pad(const Array& x, const Shape& low, const Shape& high, const Array& value = 0);
/// The same with values of x: of its edge, mirrored at it (reflect leaves the edge itself out,
/// symmetric repeats it), or from the other end (wrap). Throws for axes of length 0.
enum class PadMode { kEdge, kReflect, kSymmetric, kWrap };
Array pad(const Array& x, const Shape& low, const Shape& high, PadMode mode);
/// x with slice(x, start, stop, step) replaced by `update`, which broadcasts to that shape.
Array slice_update(const Array& x, const Array& update, const Shape& start, const Shape& stop,
                   const Shape& step = {});

}  // namespace mica
