// Kernels of orthogonal factors and eigenvalues: LAPACK, one matrix a call.
//
// A row-major matrix is the transpose of a column-major one. Where that only swaps two results
// (the singular vectors) or changes nothing (symmetric matrices), nothing is copied for it.
#include <cblas.h>

#include <limits>

#include "core/cpu/gemm.h"
#include "core/cpu/install.h"
#include "core/cpu/lapack.h"
#include "core/ops/linalg_kernels.h"
#include "core/ops/linalg_op.h"

namespace mica {
namespace {

constexpr std::string_view kNotConverged =
    "has no answer: it holds NaN or infinities, or the iteration does not converge";

template <class T>
void fill_eye(T* x, int64_t rows, int64_t columns) {
  std::fill(x, x + rows * columns, T(0));
  for (int64_t i = 0; i < std::min(rows, columns); ++i) x[i * columns + i] = 1;
}

void run_qr(const Qr&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), q(out[0]), r(out[1]);
  const int m = a.rows(), n = a.columns(), k = std::min(m, n), width = q.columns();
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    if (k == 0) {
      for (int64_t i = 0; i < a.count(); ++i) fill_eye(q.at<T>(i), m, width);
      return;
    }
    const int length = lapack::qr_work<T>(m, n, width, k);
    for_each_matrix(a.count(), 4.0 * m * n * k, [&](int64_t begin, int64_t end) {
      const Scratch<T> factors(int64_t{m} * std::max(n, width)), tau(k), work(length);
      for (int64_t i = begin; i < end; ++i) {
        a.load_columns(i, factors.data());
        lapack::geqrf(m, n, factors.data(), m, tau.data(), work.data(), length);
        T* upper = r.at<T>(i);
        for (int64_t row = 0; row < r.rows(); ++row) {
          for (int64_t column = 0; column < n; ++column) {
            upper[row * n + column] = row <= column ? factors[column * m + row] : T(0);
          }
        }
        lapack::orgqr(m, width, k, factors.data(), m, tau.data(), work.data(), length);
        transpose_to(factors.data(), width, m, q.at<T>(i));
      }
    });
  });
}

// ---- Singular values.

// Calls LAPACK with room of its own. Column-major A^T = V S U^T: what LAPACK calls u holds the rows
// of V^T one after the other, what it calls vt the rows of U.
template <class T>
class SvdSolver {
 public:
  SvdSolver(char job, int m, int n, int length)
      : job_(job),
        m_(m),
        n_(n),
        length_(length),
        a_(int64_t{m} * n),
        work_(length),
        iwork_(8 * int64_t{std::min(m, n)}) {}

  static int work_length(char job, int m, int n) { return lapack::gesdd_work<T>(job, n, m); }

  /// u, s and vh in row-major order. False where there is no answer.
  bool solve(const MatrixBatch& a, int64_t i, T* u, T* s, T* vh) const {
    a.load(i, a_.data());
    if (!all_finite(a_.data(), a.size())) return false;
    const int row = job_ == 'A' ? m_ : std::min(m_, n_);
    return lapack::gesdd(job_, n_, m_, a_.data(), n_, s, vh, n_, u, std::max(row, 1), work_.data(),
                         length_, iwork_.data()) == 0;
  }

 private:
  char job_;
  int m_, n_, length_;
  Scratch<T> a_, work_;
  Scratch<int> iwork_;
};

void run_svd(const Svd& op, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), u(out[0]), s(out[1], 1), vh(out[2]);
  const int m = a.rows(), n = a.columns();
  const char job = op.full ? 'A' : 'S';
  BadMatrix unsolved;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    if (a.size() == 0) {
      for (int64_t i = 0; i < a.count(); ++i) {
        fill_eye(u.at<T>(i), u.rows(), u.columns());
        fill_eye(vh.at<T>(i), vh.rows(), vh.columns());
      }
      return;
    }
    const int length = SvdSolver<T>::work_length(job, m, n);
    for_each_matrix(a.count(), 10.0 * m * n * std::min(m, n), [&](int64_t begin, int64_t end) {
      const SvdSolver<T> solver(job, m, n, length);
      for (int64_t i = begin; i < end; ++i) {
        if (!solver.solve(a, i, u.at<T>(i), s.at<T>(i), vh.at<T>(i))) return unsolved.note(i);
      }
    });
  });
  unsolved.check(Svd::kName, in[0].shape, kNotConverged);
}

void run_svdvals(const SvdVals&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), s(out[0], 1);
  const int m = a.rows(), n = a.columns();
  if (a.size() == 0) return;
  BadMatrix unsolved;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    const int length = SvdSolver<T>::work_length('N', m, n);
    for_each_matrix(a.count(), 3.0 * m * n * std::min(m, n), [&](int64_t begin, int64_t end) {
      const SvdSolver<T> solver('N', m, n, length);
      T none;
      for (int64_t i = begin; i < end; ++i) {
        if (!solver.solve(a, i, &none, s.at<T>(i), &none)) return unsolved.note(i);
      }
    });
  });
  unsolved.check(SvdVals::kName, in[0].shape, kNotConverged);
}

void run_pinv(const Pinv& op, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), inverse(out[0]);
  const int64_t m = a.rows(), n = a.columns(), k = std::min(m, n);
  if (a.size() == 0) return;
  BadMatrix unsolved;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    const int length = SvdSolver<T>::work_length('S', a.rows(), a.columns());
    for_each_matrix(a.count(), 12.0 * double(m * n * k), [&](int64_t begin, int64_t end) {
      const SvdSolver<T> solver('S', a.rows(), a.columns(), length);
      const Scratch<T> u(m * k), s(k), vh(k * n);
      for (int64_t i = begin; i < end; ++i) {
        if (!solver.solve(a, i, u.data(), s.data(), vh.data())) return unsolved.note(i);
        for (int64_t j = 0; j < k; ++j) {
          const bool counts = s[j] > static_cast<T>(op.rcond) * s[0];
          for (int64_t l = 0; l < n; ++l) vh[j * n + l] = counts ? vh[j * n + l] / s[j] : T(0);
        }
        gemm_serial<T>(n, m, k, {vh.data(), n, true}, {u.data(), k, true}, inverse.at<T>(i), m);
      }
    });
  });
  unsolved.check(Pinv::kName, in[0].shape, kNotConverged);
}

// ---- Eigenvalues.

// Calls write(i, eigenvalues, vectors one after the other) for each symmetric matrix.
template <class T, class Write>
void solve_symmetric(const MatrixBatch& a, char job, BadMatrix& unsolved, Write write) {
  const int n = a.rows();
  if (n == 0) return;
  const lapack::SyevdWork lengths = lapack::syevd_work<T>(job, n);
  for_each_matrix(a.count(), 9 * cubed(n), [&](int64_t begin, int64_t end) {
    const Scratch<T> vectors(a.size()), values(n), work(lengths.floats);
    const Scratch<int> iwork(lengths.ints);
    for (int64_t i = begin; i < end; ++i) {
      a.load(i, vectors.data());
      if (!all_finite(vectors.data(), a.size())) return unsolved.note(i);
      // The upper triangle by columns is the lower one by rows.
      if (lapack::syevd(job, 'U', n, vectors.data(), n, values.data(), work.data(), lengths.floats,
                        iwork.data(), lengths.ints) != 0) {
        return unsolved.note(i);
      }
      write(i, values.data(), vectors.data());
    }
  });
}

void run_eigh(const Eigh&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), w(out[0], 1), v(out[1]);
  BadMatrix unsolved;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    solve_symmetric<T>(a, 'V', unsolved, [&](int64_t i, const T* values, const T* vectors) {
      std::copy(values, values + a.rows(), w.at<T>(i));
      transpose_to(vectors, a.rows(), a.rows(), v.at<T>(i));
    });
  });
  unsolved.check(Eigh::kName, in[0].shape, kNotConverged);
}

void run_eigvalsh(const Eigvalsh&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), w(out[0], 1);
  BadMatrix unsolved;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    solve_symmetric<T>(a, 'N', unsolved, [&](int64_t i, const T* values, const T*) {
      std::copy(values, values + a.rows(), w.at<T>(i));
    });
  });
  unsolved.check(Eigvalsh::kName, in[0].shape, kNotConverged);
}

// Calls write(i, real parts, imaginary parts, vectors one after the other) for each matrix.
template <class T, class Write>
void solve_any(const MatrixBatch& a, char job, BadMatrix& unsolved, Write write) {
  const int n = a.rows();
  if (n == 0) return;
  const int length = lapack::geev_work<T>(job, n);
  for_each_matrix(a.count(), 25 * cubed(n), [&](int64_t begin, int64_t end) {
    const Scratch<T> matrix(a.size()), vectors(a.size()), re(n), im(n), work(length);
    T none;
    for (int64_t i = begin; i < end; ++i) {
      a.load_columns(i, matrix.data());
      if (!all_finite(matrix.data(), a.size())) return unsolved.note(i);
      if (lapack::geev('N', job, n, matrix.data(), n, re.data(), im.data(), &none, 1,
                       vectors.data(), n, work.data(), length) != 0) {
        return unsolved.note(i);
      }
      write(i, re.data(), im.data(), vectors.data());
    }
  });
}

// A pair of conjugate eigenvalues has the real part of its first vector in one column and the
// imaginary part in the next.
template <class T>
void unpack_vectors(const T* packed, const T* im, int64_t n, T* v_re, T* v_im) {
  for (int64_t j = 0; j < n; ++j) {
    const bool second = im[j] < 0;
    const T* re_column = packed + (second ? j - 1 : j) * n;
    const T* im_column = packed + (second ? j : j + 1) * n;
    const T sign = im[j] == 0 ? T(0) : second ? T(-1) : T(1);
    for (int64_t row = 0; row < n; ++row) {
      v_re[row * n + j] = re_column[row];
      v_im[row * n + j] = sign == 0 ? T(0) : sign * im_column[row];
    }
  }
}

void run_eig(const Eig&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), re(out[0], 1), im(out[1], 1), v_re(out[2]), v_im(out[3]);
  const int64_t n = a.rows();
  BadMatrix unsolved;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    solve_any<T>(a, 'V', unsolved, [&](int64_t i, const T* wr, const T* wi, const T* vectors) {
      std::copy(wr, wr + n, re.at<T>(i));
      std::copy(wi, wi + n, im.at<T>(i));
      unpack_vectors(vectors, wi, n, v_re.at<T>(i), v_im.at<T>(i));
    });
  });
  unsolved.check(Eig::kName, in[0].shape, kNotConverged);
}

void run_eigvals(const Eigvals&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), re(out[0], 1), im(out[1], 1);
  const int64_t n = a.rows();
  BadMatrix unsolved;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    solve_any<T>(a, 'N', unsolved, [&](int64_t i, const T* wr, const T* wi, const T*) {
      std::copy(wr, wr + n, re.at<T>(i));
      std::copy(wi, wi + n, im.at<T>(i));
    });
  });
  unsolved.check(Eigvals::kName, in[0].shape, kNotConverged);
}

}  // namespace

void install_linalg_factor(KernelTable& table) {
  table.add<Qr>(run_qr, InputLayout::kAny);
  table.add<Svd>(run_svd, InputLayout::kAny);
  table.add<SvdVals>(run_svdvals, InputLayout::kAny);
  table.add<Pinv>(run_pinv, InputLayout::kAny);
  table.add<Eigh>(run_eigh, InputLayout::kAny);
  table.add<Eigvalsh>(run_eigvalsh, InputLayout::kAny);
  table.add<Eig>(run_eig, InputLayout::kAny);
  table.add<Eigvals>(run_eigvals, InputLayout::kAny);
}

}  // namespace mica
