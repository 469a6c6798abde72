// Running sums and their like along one axis.
//
//   cumsum(array({1, 2, 3}), 0)                                    // {1, 3, 6}
//   cumsum(array({1, 2, 3}), 0, {.reverse = true})                 // {6, 5, 3}
//   cumsum(array({1, 2, 3}), 0, {.inclusive = false})              // {0, 1, 3}
#pragma once

#include "core/base/fields.h"
#include "core/graph/array.h"

namespace mica {

struct ScanOptions {
  bool reverse = false;
  bool inclusive = true;
  FIELDS(ScanOptions, reverse, inclusive)
};

/// cumsum, cumprod, cummax, cummin and logcumsumexp (see scan.def), each
///   Array cumsum(const Array& x, int axis, const ScanOptions& options = {});
/// Sums and products of bool and small integers are int32 (uint32). In cummax and cummin NaN wins,
/// and the gradient goes to the first of equal extremes. Exclusive scans start with the identity:
/// 0, 1, and the lowest or highest value of the type; logcumsumexp, whose result is floating, with
/// -infinity. Half types accumulate in float32.
#define SCAN(function, ...) \
  Array function(const Array& x, int axis, const ScanOptions& options = {});
#include "core/ops/scan.def"
#undef SCAN

/// y[k] = a[k] * y[k - 1] + b[k] along `axis`, with y[-1] = 0. a and b broadcast to each other.
/// `reverse` runs from the end: y[k] = a[k] * y[k + 1] + b[k].
Array linear_recurrence(const Array& a, const Array& b, int axis, bool reverse = false);

}  // namespace mica
