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

Array cumsum(const Array& x, int axis, const ScanOptions& options = {});
Array cumprod(const Array& x, int axis, const ScanOptions& options = {});
Array cummax(const Array& x, int axis, const ScanOptions& options = {});
Array cummin(const Array& x, int axis, const ScanOptions& options = {});

}  // namespace mica
