// The parts that reductions are made of (reduce_cpu.cc), for programs that reduce what they have
// just computed. Both take the same parts in the same order and give the same bits:
//
//   (outer, length):  blocks of kLineBlock elements of each line, then the blocks' results
//   (length, inner):  blocks of row_block(inner) rows, then the blocks' results
//
// where "the blocks' results" are reduced by `finish` if there is more than one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/graph/dtype.h"
#include "core/ops/reduce_op.h"

namespace mica {

constexpr int64_t kLineBlock = 1024;
inline int64_t row_block(int64_t inner) { return std::clamp<int64_t>(65536 / inner, 16, 64); }

struct ReduceKernels {
  /// `length` elements into one.
  void (*line)(const void* x, int64_t length, void* out) = nullptr;
  /// into[i] = combine(into[i], x[row * width + i]) for i < width, row by row.
  void (*fold)(const void* x, int64_t rows, int64_t width, void* into) = nullptr;
  /// (outer, length, inner) into (outer, inner).
  void (*finish)(const void* x, int64_t outer, int64_t length, int64_t inner, void* out) = nullptr;
};

/// Sums, products and extremes of float32 and float64.
ReduceKernels reduce_kernels(Reduction reduction, Dtype dtype);

}  // namespace mica
