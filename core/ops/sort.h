// Sorting along an axis. Sorts are stable and put NaN last, as NumPy's.
//
//   Array order = argsort(x, -1);
//   auto [values, indices] = topk(scores, 5);
#pragma once

#include <utility>

#include "core/graph/array.h"

namespace mica {

/// Ascending order. The gradient goes where the values came from.
Array sort(const Array& x, int axis = -1);
/// int32 positions that sort x.
Array argsort(const Array& x, int axis = -1);
/// The k largest values along `axis`, largest first, and their int32 positions. NaN counts as
/// largest, and of equal values the first comes first. Throws unless 0 <= k <= length.
std::pair<Array, Array> topk(const Array& x, int64_t k, int axis = -1);

/// An order in which the element that sorting puts at place `kth` is there, no larger one before it
/// and no smaller one behind. (It is the sorted one.) Throws unless -length <= kth < length.
Array partition(const Array& x, int64_t kth, int axis = -1);
/// int32 positions that bring x into that order.
Array argpartition(const Array& x, int64_t kth, int axis = -1);

/// int32 places in the sorted vector `sorted` where `values` (of any shape) would be inserted to
/// keep it sorted: before equal elements, with `right` behind them. NaN counts as largest. Throws
/// unless sorted has one axis.
Array searchsorted(const Array& sorted, const Array& values, bool right = false);

}  // namespace mica
