// Matrix products on raw memory, for kernels.
//
//   gemm<float>(rows, columns, inner, {a, inner}, {b, inner, true}, c, columns);   // c = a * b^T
//
// gemm_serial is one call of a single-threaded library; gemm cuts the product into tiles and runs
// those on TBB. How it cuts depends on the sizes alone, so the bits do not depend on the number of
// threads. T is float, double or a complex of them. Safe to call from any thread, nested as well.
#pragma once

#include <cstdint>

namespace mica {

/// A matrix operand: `line` elements lie between the starts of two stored lines, which are rows,
/// or columns where `transposed`.
template <class T>
struct MatrixView {
  const T* data = nullptr;
  int64_t line = 0;
  bool transposed = false;

  /// The part that starts at this row and column.
  MatrixView at(int64_t row, int64_t column) const {
    return {data + (transposed ? column * line + row : row * line + column), line, transposed};
  }
};

/// c (rows x columns, row-major, c_line elements from row to row) = a (rows x inner) *
/// b (inner x columns), or += where `accumulate`. c overlaps neither operand.
template <class T>
void gemm_serial(int64_t rows, int64_t columns, int64_t inner, MatrixView<T> a, MatrixView<T> b,
                 T* c, int64_t c_line, bool accumulate = false);

/// The same, c = a * b only, in parallel.
template <class T>
void gemm(int64_t rows, int64_t columns, int64_t inner, MatrixView<T> a, MatrixView<T> b, T* c,
          int64_t c_line);

/// How many rows and columns a tile of a product has, chosen for `parts` tiles or a few less.
struct GemmTile {
  int64_t rows;
  int64_t columns;
};
GemmTile gemm_tile(int64_t rows, int64_t columns, int64_t parts);

/// Floating-point operations that are worth a task of their own.
inline constexpr double kTaskFlops = 2e6;

}  // namespace mica
