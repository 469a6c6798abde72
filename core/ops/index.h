// Reading and writing by index arrays.
//
//   Array rows = take(table, indices, 0);                 // rows of an embedding table
//   Array picked = take_along_axis(log_probs, labels, -1);
//
// Indices are integer arrays. Negative indices count from the end; an index out of range throws
// when the value is computed, naming the index and the axis length.
#pragma once

#include "core/graph/array.h"

namespace mica {

/// x with `axis` replaced by the axes of `indices`: out[.., i.., ..] = x[.., indices[i..], ..].
Array take(const Array& x, const Array& indices, int axis);
/// NumPy's take_along_axis: `indices` has x's rank; other axes broadcast.
Array take_along_axis(const Array& x, const Array& indices, int axis);
/// `x` with `updates` added at `indices` along `axis` (repeated indices add up, in order).
/// updates has the shape take(x, indices, axis) has.
Array scatter_add(const Array& x, const Array& indices, const Array& updates, int axis);
/// The same with the layout of take_along_axis.
Array scatter_add_along_axis(const Array& x, const Array& indices, const Array& updates, int axis);
/// (...) integers -> (..., classes) with 1 at the index and 0 elsewhere; indices outside
/// [0, classes) give a row of zeros.
Array one_hot(const Array& indices, int64_t classes, Dtype dtype = float32);

// Of the following, the shape of the result follows from values: they evaluate their argument.

/// int32 positions of the elements that are not 0, in row-major order, an array for each axis.
Arrays nonzero(const Array& x);
/// NumPy's x[mask]: the elements, or rows, where `mask` (bool, the shape of x's first axes) holds.
Array masked_select(const Array& x, const Array& mask);
/// The different values, sorted. NaN counts once.
Array unique(const Array& x);

}  // namespace mica
