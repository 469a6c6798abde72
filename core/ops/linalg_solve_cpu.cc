// Kernels of elimination: LAPACK's getrf, getri and potrf, and triangular solves of BLAS, one
// matrix a call.
#include <cblas.h>

#include <limits>

#include "core/cpu/install.h"
#include "core/cpu/lapack.h"
#include "core/ops/linalg_kernels.h"
#include "core/ops/linalg_op.h"

namespace mica {
namespace {

void trsm(CBLAS_UPLO uplo, CBLAS_TRANSPOSE op, CBLAS_DIAG diag, int n, int k, const float* a,
          float* b) {
  cblas_strsm(CblasRowMajor, CblasLeft, uplo, op, diag, n, k, 1, a, n, b, k);
}
void trsm(CBLAS_UPLO uplo, CBLAS_TRANSPOSE op, CBLAS_DIAG diag, int n, int k, const double* a,
          double* b) {
  cblas_dtrsm(CblasRowMajor, CblasLeft, uplo, op, diag, n, k, 1, a, n, b, k);
}

template <class T>
void swap_rows(T* x, int64_t columns, int64_t i, int64_t j) {
  if (i != j) std::swap_ranges(x + i * columns, x + (i + 1) * columns, x + j * columns);
}

template <class T>
bool zero_on_diagonal(const T* a, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (a[i * n + i] == 0) return true;
  }
  return false;
}

void run_lu(const LuFactor&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), lu(out[0]), pivots(out[1], 1), order(out[2], 1);
  const int m = a.rows(), n = a.columns(), k = std::min(m, n);
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    for_each_matrix(a.count(), double(m) * n * k, [&](int64_t begin, int64_t end) {
      const Scratch<T> work(a.size());
      for (int64_t i = begin; i < end; ++i) {
        int* swaps = pivots.at<int>(i);
        if (k > 0) {
          a.load_columns(i, work.data());
          lapack::getrf(m, n, work.data(), m, swaps);
          transpose_to(work.data(), n, m, lu.at<T>(i));
        }
        int* rows = order.at<int>(i);
        for (int row = 0; row < m; ++row) rows[row] = row;
        for (int step = 0; step < k; ++step) std::swap(rows[step], rows[--swaps[step]]);
      }
    });
  });
}

// b becomes a^-1 b or a^-T b, from a = P L U.
template <class T>
void solve_factored(const T* lu, const int* pivots, int n, int k, bool transposed, T* b) {
  if (!transposed) {
    for (int i = 0; i < n; ++i) swap_rows(b, k, i, pivots[i]);
    trsm(CblasLower, CblasNoTrans, CblasUnit, n, k, lu, b);
    return trsm(CblasUpper, CblasNoTrans, CblasNonUnit, n, k, lu, b);
  }
  trsm(CblasUpper, CblasTrans, CblasNonUnit, n, k, lu, b);
  trsm(CblasLower, CblasTrans, CblasUnit, n, k, lu, b);
  for (int i = n; i-- > 0;) swap_rows(b, k, i, pivots[i]);
}

void run_lu_solve(const LuSolve& op, Inputs in, Outputs out) {
  const MatrixBatch lu(in[1]), pivots(in[2], 1), b(in[3]), x(out[0]);
  const int n = b.rows(), k = b.columns();
  BadMatrix singular;
  dispatch_real(in[1].dtype, [&]<class T>(TypeTag<T>) {
    for_each_matrix(b.count(), double(n) * n * k, [&](int64_t begin, int64_t end) {
      const Scratch<T> factors(lu.size());
      const Scratch<int> swaps(n);
      for (int64_t i = begin; i < end; ++i) {
        lu.load(i, factors.data());
        if (zero_on_diagonal(factors.data(), n)) return singular.note(i);
        if (b.size() == 0) continue;
        pivots.load(i, swaps.data());
        b.load(i, x.at<T>(i));
        solve_factored(factors.data(), swaps.data(), n, k, op.transposed, x.at<T>(i));
      }
    });
  });
  singular.check(LuSolve::kName, in[1].shape, "is singular");
}

void run_triangular(const SolveTriangular& op, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), b(in[1]), x(out[0]);
  const int n = b.rows(), k = b.columns();
  const auto uplo = op.upper ? CblasUpper : CblasLower;
  const auto side = op.transposed ? CblasTrans : CblasNoTrans;
  const auto diagonal = op.unit_diagonal ? CblasUnit : CblasNonUnit;
  BadMatrix singular;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    for_each_matrix(b.count(), double(n) * n * k, [&](int64_t begin, int64_t end) {
      const Scratch<T> triangle(a.size());
      for (int64_t i = begin; i < end; ++i) {
        a.load(i, triangle.data());
        if (!op.unit_diagonal && zero_on_diagonal(triangle.data(), n)) return singular.note(i);
        if (b.size() == 0) continue;
        b.load(i, x.at<T>(i));
        trsm(uplo, side, diagonal, n, k, triangle.data(), x.at<T>(i));
      }
    });
  });
  singular.check(SolveTriangular::kName, in[0].shape, "is singular: its diagonal holds a zero");
}

void run_cholesky(const Cholesky&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), factor(out[0]);
  const int n = a.rows();
  if (n == 0) return;
  BadMatrix indefinite;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    for_each_matrix(a.count(), cubed(n), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        T* l = factor.at<T>(i);
        a.load(i, l);
        // The upper triangle by columns is the lower one by rows.
        bool bad = lapack::potrf('U', n, l, n) > 0;
        for (int row = 0; row < n; ++row) {
          bad = bad || !(l[row * int64_t{n} + row] > 0);
          std::fill(l + row * int64_t{n} + row + 1, l + (row + 1) * int64_t{n}, T(0));
        }
        if (bad) return indefinite.note(i);
      }
    });
  });
  indefinite.check(Cholesky::kName, in[0].shape, "is not positive definite");
}

void run_inv(const Inv& op, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), inverse(out[0]);
  const int n = a.rows();
  if (n == 0) return;
  BadMatrix singular;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    const int length = lapack::getri_work<T>(n);
    for_each_matrix(a.count(), 2 * cubed(n), [&](int64_t begin, int64_t end) {
      const Scratch<int> pivots(n);
      const Scratch<T> work(length);
      for (int64_t i = begin; i < end; ++i) {
        // The inverse of the transpose is the transpose of the inverse: rows may be columns.
        T* x = inverse.at<T>(i);
        a.load(i, x);
        if (lapack::getrf(n, n, x, n, pivots.data()) == 0) {
          lapack::getri(n, x, n, pivots.data(), work.data(), length);
        } else if (op.quiet) {
          std::fill(x, x + a.size(), std::numeric_limits<T>::quiet_NaN());
        } else {
          return singular.note(i);
        }
      }
    });
  });
  singular.check(Inv::kName, in[0].shape, "is singular");
}

// ---- Determinants. That of the transpose is the same: rows may be columns.

// Factors the matrix in place and returns the sign that its row swaps give.
template <class T>
T factor_for_det(T* a, int n, int* pivots) {
  T sign = 1;
  if (n > 0) lapack::getrf(n, n, a, n, pivots);
  for (int i = 0; i < n; ++i) sign = pivots[i] == i + 1 ? sign : -sign;
  return sign;
}

template <class T>
T det_in_place(T* a, int n, int* pivots) {
  T det = factor_for_det(a, n, pivots);
  for (int64_t i = 0; i < n; ++i) det *= a[i * n + i];
  return det;
}

void run_det(const Det&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]);
  const int n = a.rows();
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    for_each_matrix(a.count(), cubed(n), [&](int64_t begin, int64_t end) {
      const Scratch<T> work(a.size());
      const Scratch<int> pivots(n);
      for (int64_t i = begin; i < end; ++i) {
        a.load(i, work.data());
        out[0].as<T>()[i] = det_in_place(work.data(), n, pivots.data());
      }
    });
  });
}

void run_slogdet(const Slogdet&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]);
  const int n = a.rows();
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    for_each_matrix(a.count(), cubed(n), [&](int64_t begin, int64_t end) {
      const Scratch<T> work(a.size());
      const Scratch<int> pivots(n);
      for (int64_t i = begin; i < end; ++i) {
        a.load(i, work.data());
        T sign = factor_for_det(work.data(), n, pivots.data());
        T logarithm = 0;
        for (int64_t j = 0; j < n; ++j) {
          const T pivot = work[j * n + j];
          sign = pivot > 0 ? sign : pivot < 0 ? -sign : pivot;  // 0 and NaN stay
          logarithm += std::log(std::abs(pivot));
        }
        out[0].as<T>()[i] = sign == 0 ? T(0) : sign;
        out[1].as<T>()[i] = logarithm;
      }
    });
  });
}

// det(A) A^-T where the pivots of A are well apart from 0. Otherwise false; work is lost.
template <class T>
bool cofactor_by_inverse(T* work, int n, int* pivots, T* more, int length, T* c) {
  const T det = det_in_place(work, n, pivots);
  T least = std::numeric_limits<T>::infinity(), largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    least = std::min(least, std::abs(work[i * n + i]));
    largest = std::max(largest, std::abs(work[i * n + i]));
  }
  if (!(least > std::sqrt(std::numeric_limits<T>::epsilon()) * largest)) return false;
  lapack::getri(n, work, n, pivots, more, length);
  transpose_to(work, n, n, c);
  for (int64_t i = 0; i < int64_t{n} * n; ++i) c[i] *= det;
  return true;
}

// From A = U S V: det(U) det(V) U S' V, where S' holds the products of all other singular values.
// The rows of the first matrix are those of V, those of the second the rows of U.
template <class T>
void cofactor_by_svd(T* v, T* u, const T* s, int n, int* pivots, T* work, T* c) {
  const auto det_of = [&](const T* x) {
    std::copy(x, x + int64_t{n} * n, work);
    return det_in_place(work, n, pivots);
  };
  const T sign = det_of(u) * det_of(v) < 0 ? T(-1) : T(1);
  std::fill(c, c + int64_t{n} * n, T(0));
  for (int64_t j = 0; j < n; ++j) {
    T others = sign;
    for (int64_t l = 0; l < n; ++l) others *= l == j ? T(1) : s[l];
    for (int64_t row = 0; row < n; ++row) {
      const T scale = others * u[row * n + j];
      for (int64_t column = 0; column < n; ++column) {
        c[row * n + column] += scale * v[j * n + column];
      }
    }
  }
}

void run_cofactor(const Cofactor&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), c(out[0]);
  const int n = a.rows();
  const int64_t size = a.size();
  if (n == 0) return;
  BadMatrix unsolved;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    const int length = std::max(lapack::getri_work<T>(n), lapack::gesdd_work<T>('S', n, n));
    for_each_matrix(a.count(), 4 * cubed(n), [&](int64_t begin, int64_t end) {
      const Scratch<T> room(3 * size + n), more(length);
      const Scratch<int> pivots(8 * int64_t{n});
      T *work = room.data(), *u = work + size, *v = u + size, *s = v + size;
      for (int64_t i = begin; i < end; ++i) {
        T* result = c.at<T>(i);
        a.load(i, work);
        if (cofactor_by_inverse(work, n, pivots.data(), more.data(), length, result)) continue;
        a.load(i, work);
        if (!all_finite(work, size)) {
          std::fill(result, result + size, std::numeric_limits<T>::quiet_NaN());
          continue;
        }
        if (lapack::gesdd('S', n, n, work, n, s, v, n, u, n, more.data(), length, pivots.data()) !=
            0) {
          return unsolved.note(i);
        }
        cofactor_by_svd(v, u, s, n, pivots.data(), work, result);
      }
    });
  });
  unsolved.check("det", in[0].shape, "has no gradient: the iteration does not converge");
}

}  // namespace

void install_linalg_solve(KernelTable& table) {
  table.add<LuFactor>(run_lu, InputLayout::kAny);
  table.add<LuSolve>(run_lu_solve, InputLayout::kAny);
  table.add<SolveTriangular>(run_triangular, InputLayout::kAny);
  table.add<Cholesky>(run_cholesky, InputLayout::kAny);
  table.add<Inv>(run_inv, InputLayout::kAny);
  table.add<Det>(run_det, InputLayout::kAny);
  table.add<Slogdet>(run_slogdet, InputLayout::kAny);
  table.add<Cofactor>(run_cofactor, InputLayout::kAny);
}

}  // namespace mica
