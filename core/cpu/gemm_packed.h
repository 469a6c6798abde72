// Matrix products of float32 by kernels of our own.
//
//   if (!gemm_packed(rows, columns, inner, a, b, c, columns)) ...   // then by a library
//
// Cut into tiles by the sizes alone, like gemm (core/cpu/gemm.h). Safe to call from any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/cpu/gemm.h"

namespace mica {

/// c = a * b, row-major with c_line elements from row to row; c overlaps neither operand. False,
/// with nothing done, where the machine has no such kernels and where a library is as fast.
bool gemm_packed(int64_t rows, int64_t columns, int64_t inner, MatrixView<float> a,
                 MatrixView<float> b, float* c, int64_t c_line);

/// A product, or a tile of one; inner > 0.
struct PackedProduct {
  int64_t rows, columns, inner;
  MatrixView<float> a, b;
  float* c;
  int64_t c_line;
};

/// What a product is packed into when all its tiles share that: blocks of rows, strips of columns,
/// each in pieces of the inner axis, and the floats of it all.
struct PackedSizes {
  int64_t blocks, strips, pieces;
  size_t floats;
};

/// A tile.
struct PackedRange {
  int64_t first_block, end_block, first_strip, end_strip;
};

/// On one thread.
struct PackedKernels {
  /// What `multiply` needs at `scratch`, aligned to 64 bytes.
  size_t (*scratch_floats)(const PackedProduct& product);
  void (*multiply)(const PackedProduct& product, float* scratch);
  /// Element (i, j) of `from` goes to to[j * to_line + i]. Lines of `from` are whole vectors of 16.
  void (*store_transposed)(const float* from, int64_t line, int64_t rows, int64_t columns,
                           float* to, int64_t to_line);

  PackedSizes (*shared_sizes)(const PackedProduct& product);
  void (*pack_shared_a)(const PackedProduct& product, int64_t piece, int64_t block, float* shared);
  void (*pack_shared_b)(const PackedProduct& product, int64_t piece, int64_t strip, float* shared);
  /// `shared`, aligned to 64 bytes, holds all blocks and strips of the tile.
  void (*multiply_shared)(const PackedProduct& product, const PackedRange& tile,
                          const float* shared);
};

/// Those for this machine's SIMD target, or null.
const PackedKernels* packed_kernels();

}  // namespace mica
