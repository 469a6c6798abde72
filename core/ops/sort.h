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

}  // namespace mica
