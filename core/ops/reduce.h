// Reductions over axes.
//
//   sum(x)                       // a scalar
//   mean(x, {0}, true)           // over axis 0, which stays with length 1
//
// No axes means all axes. The order of additions is fixed by the shape alone, and sums are taken
// in tree order, so that float32 sums of millions of elements keep full accuracy.
#pragma once

#include "core/graph/array.h"

namespace mica {

/// Small integers and bool are summed and multiplied in int32 (uint32), as NumPy widens them.
Array sum(Array x, const Axes& axes = {}, bool keepdims = false);
Array prod(Array x, const Axes& axes = {}, bool keepdims = false);
/// NaN wins. The gradient is shared equally between equal extremes. Throws for an empty axis.
Array max(Array x, const Axes& axes = {}, bool keepdims = false);
Array min(Array x, const Axes& axes = {}, bool keepdims = false);
Array all(Array x, const Axes& axes = {}, bool keepdims = false);
Array any(Array x, const Axes& axes = {}, bool keepdims = false);
Array mean(Array x, const Axes& axes = {}, bool keepdims = false);
/// Divided by (count - ddof).
Array var(const Array& x, const Axes& axes = {}, bool keepdims = false, int ddof = 0);
/// int32 position of the first extreme along one axis; NaN wins.
Array argmax(Array x, int axis = -1, bool keepdims = false);
Array argmin(Array x, int axis = -1, bool keepdims = false);

}  // namespace mica
