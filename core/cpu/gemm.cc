#include "core/cpu/gemm.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <mutex>

#include "core/base/error.h"
#include "core/cpu/gemm_micro.h"
#include "core/cpu/gemm_packed.h"
#include "core/cpu/library_threads.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

#ifdef MICA_WITH_DNNL
#include <oneapi/dnnl/dnnl.h>
#endif

namespace mica {
namespace {

using complex64_t = std::complex<float>;
using complex128_t = std::complex<double>;

CBLAS_TRANSPOSE blas_flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

int blas_int(int64_t value) {
  if (value > INT32_MAX) fail("[matmul] a side of {} is longer than BLAS can take", value);
  return static_cast<int>(value);
}

// c = a * b for one column b or, with the roles swapped, one row a: y = op(matrix) * x.
template <class T>
void gemv(MatrixView<T> matrix, int64_t rows, int64_t columns, const T* x, int64_t x_step, T* y,
          int64_t y_step, bool accumulate) {
  if constexpr (std::is_same_v<T, float>) {
    // A third faster than OpenBLAS on rows that L2 holds, which are most of what is multiplied so.
    if (!matrix.transposed && x_step == 1 && !accumulate && micro_gemv() != nullptr) {
      return micro_gemv()(matrix.data, matrix.line, rows, columns, x, y, y_step);
    }
  }
  // As stored, line by line.
  const int lines = blas_int(matrix.transposed ? columns : rows);
  const int length = blas_int(matrix.transposed ? rows : columns);
  const CBLAS_TRANSPOSE flag = blas_flag(matrix.transposed);
  const int line = blas_int(matrix.line), dx = blas_int(x_step), dy = blas_int(y_step);
  const T one = 1, beta = accumulate ? 1 : 0;
  if constexpr (std::is_same_v<T, float>) {
    cblas_sgemv(CblasRowMajor, flag, lines, length, one, matrix.data, line, x, dx, beta, y, dy);
  } else if constexpr (std::is_same_v<T, double>) {
    cblas_dgemv(CblasRowMajor, flag, lines, length, one, matrix.data, line, x, dx, beta, y, dy);
  } else if constexpr (std::is_same_v<T, complex64_t>) {
    cblas_cgemv(CblasRowMajor, flag, lines, length, &one, matrix.data, line, x, dx, &beta, y, dy);
  } else {
    cblas_zgemv(CblasRowMajor, flag, lines, length, &one, matrix.data, line, x, dx, &beta, y, dy);
  }
}

template <class T>
void blas_gemm(int m, int n, int k, MatrixView<T> a, MatrixView<T> b, T* c, int c_line,
               bool accumulate) {
  const CBLAS_TRANSPOSE ta = blas_flag(a.transposed), tb = blas_flag(b.transposed);
  const int la = blas_int(a.line), lb = blas_int(b.line);
  const T one = 1, beta = accumulate ? 1 : 0;
  if constexpr (std::is_same_v<T, float>) {
#ifdef MICA_WITH_DNNL
    // 5 to 10% faster than OpenBLAS, except where packing is the larger part of the work.
    if (double(m) * n * k > 1e5) {
      dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, one, a.data, la,
                 b.data, lb, beta, c, c_line);
      return;
    }
#endif
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, one, a.data, la, b.data, lb, beta, c, c_line);
  } else if constexpr (std::is_same_v<T, double>) {
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, one, a.data, la, b.data, lb, beta, c, c_line);
  } else if constexpr (std::is_same_v<T, complex64_t>) {
    cblas_cgemm(CblasRowMajor, ta, tb, m, n, k, &one, a.data, la, b.data, lb, &beta, c, c_line);
  } else {
    cblas_zgemm(CblasRowMajor, ta, tb, m, n, k, &one, a.data, la, b.data, lb, &beta, c, c_line);
  }
}

// Long sums of small products: partial sums over pieces of the inner axis, added in order.
template <class T>
void gemm_split_inner(int64_t rows, int64_t columns, int64_t inner, MatrixView<T> a,
                      MatrixView<T> b, T* c, int64_t c_line, int64_t pieces) {
  const int64_t step = (inner + pieces - 1) / pieces;
  const int64_t size = rows * columns;
  const Buffer scratch = Buffer::allocate(static_cast<size_t>(pieces * size) * sizeof(T));
  T* partial = reinterpret_cast<T*>(scratch.data());
  parallel_for(inner, step, [&](int64_t begin, int64_t end) {
    gemm_serial(rows, columns, end - begin, a.at(0, begin), b.at(begin, 0),
                partial + begin / step * size, columns);
  });
  const int64_t count = (inner + step - 1) / step;
  parallel_for(
      rows, std::max<int64_t>(1, 32768 / (columns * count)), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          T* out = c + row * c_line;
          std::memcpy(out, partial + row * columns, static_cast<size_t>(columns) * sizeof(T));
          for (int64_t piece = 1; piece < count; ++piece) {
            const T* in = partial + piece * size + row * columns;
            for (int64_t j = 0; j < columns; ++j) out[j] += in[j];
          }
        }
      });
}

// Into how many pieces the inner axis is cut; 1 where the tiles of c alone keep the cores busy.
int64_t inner_pieces(int64_t rows, int64_t columns, int64_t inner, double flops) {
  constexpr int64_t kShortest = 512;
  if (inner < 4 * kShortest || inner < 4 * std::max(rows, columns)) return 1;
  if (rows * columns > 256 * 256) return 1;
  return std::clamp<int64_t>(static_cast<int64_t>(flops / kTaskFlops), 1,
                             std::min<int64_t>(16, inner / kShortest));
}

}  // namespace

template <class T>
void gemm_serial(int64_t rows, int64_t columns, int64_t inner, MatrixView<T> a, MatrixView<T> b,
                 T* c, int64_t c_line, bool accumulate) {
  if (rows == 0 || columns == 0) return;
  if (inner == 0) {
    for (int64_t i = 0; i < rows && !accumulate; ++i) std::fill_n(c + i * c_line, columns, T(0));
    return;
  }
  use_one_library_thread();
  if (columns == 1) {
    gemv(a, rows, inner, b.data, b.transposed ? 1 : b.line, c, c_line, accumulate);
  } else if (rows == 1) {
    b.transposed = !b.transposed;
    gemv(b, columns, inner, a.data, a.transposed ? a.line : 1, c, int64_t{1}, accumulate);
  } else {
    blas_gemm(blas_int(rows), blas_int(columns), blas_int(inner), a, b, c, blas_int(c_line),
              accumulate);
  }
}

GemmTile gemm_tile(int64_t rows, int64_t columns, int64_t parts) {
  // Halves the longer side until there are enough tiles; both sides stay multiples of the
  // libraries' register blocks.
  constexpr int64_t kSmallest = 32;
  GemmTile tile = {rows, columns};
  for (int64_t count = 1; count < parts; count *= 2) {
    int64_t& side = tile.rows >= tile.columns ? tile.rows : tile.columns;
    if (side < 2 * kSmallest) break;
    side = ((side + 1) / 2 + 15) / 16 * 16;
  }
  return tile;
}

template <class T>
void gemm(int64_t rows, int64_t columns, int64_t inner, MatrixView<T> a, MatrixView<T> b, T* c,
          int64_t c_line) {
  if (rows == 0 || columns == 0) return;
  const double flops = 2.0 * double(rows) * double(columns) * double(inner);
  const int64_t pieces = inner_pieces(rows, columns, inner, flops);
  if (pieces > 1) return gemm_split_inner(rows, columns, inner, a, b, c, c_line, pieces);
  if constexpr (std::is_same_v<T, float>) {
    if (gemm_packed(rows, columns, inner, a, b, c, c_line)) return;
  }

  // Few tiles: each packs its operands anew, which is a third of the work of 64 x 64 of them.
  // A vector product is bound by memory: an element of the matrix is worth more than its flops.
  const double work = rows == 1 || columns == 1 ? 8 * flops : flops;
  const double parts = work < 2e9 ? std::min(work / (2 * kTaskFlops), 8.0) : work / 1.28e8;
  const GemmTile tile = gemm_tile(rows, columns, static_cast<int64_t>(std::min(parts, 256.0)));
  const int64_t across = (columns + tile.columns - 1) / tile.columns;
  const int64_t down = (rows + tile.rows - 1) / tile.rows;
  parallel_for(down * across, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / across * tile.rows, column = i % across * tile.columns;
      gemm_serial(std::min(tile.rows, rows - row), std::min(tile.columns, columns - column), inner,
                  a.at(row, 0), b.at(0, column), c + row * c_line + column, c_line);
    }
  });
}

#define MICA_GEMM(T)                                                                        \
  template void gemm_serial<T>(int64_t, int64_t, int64_t, MatrixView<T>, MatrixView<T>, T*, \
                               int64_t, bool);                                              \
  template void gemm<T>(int64_t, int64_t, int64_t, MatrixView<T>, MatrixView<T>, T*, int64_t);
MICA_GEMM(float)
MICA_GEMM(double)
MICA_GEMM(complex64_t)
MICA_GEMM(complex128_t)
#undef MICA_GEMM

}  // namespace mica
