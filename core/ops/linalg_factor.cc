// Rules of orthogonal factors: QR, singular values, and the pseudo-inverse.
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/linalg.h"
#include "core/ops/linalg_op.h"
#include "core/ops/matmul.h"
#include "core/ops/view.h"

namespace mica {

using linalg::matrix_transpose;

namespace {

struct Lengths {
  int64_t m, n, k;
};
Lengths lengths_of(const Shape& shape) {
  const int64_t m = shape.end()[-2], n = shape.back();
  return {m, n, std::min(m, n)};
}

Array as_row(const Array& x) { return expand_dims(x, {-2}); }
Array as_column(const Array& x) { return expand_dims(x, {-1}); }

// 1 / x, and 0 where x = 0.
Array reciprocal_or_zero(const Array& x) { return where(x == 0, 0, 1 / where(x == 0, 1, x)); }

Array minus_transpose(const Array& x) { return x - matrix_transpose(x); }

// x without its part in the space that the orthonormal columns of q span.
Array outside(const Array& q, const Array& x) {
  return x - matmul(q, matmul(matrix_transpose(q), x));
}

}  // namespace

Specs Qr::infer(std::span<const Spec> in) const {
  const Shape& shape = check_matrix(in[0], kName).shape;
  const auto [m, n, k] = lengths_of(shape);
  const int64_t columns = complete ? m : k;
  return {{batch_and(shape, 2, {m, columns}), in[0].dtype},
          {batch_and(shape, 2, {columns, n}), in[0].dtype}};
}

// Walter and Lehmann, "Walter Gander's QR ... algorithmic differentiation" (2010), for at least as
// many rows as columns: (dQ + Q S) R^-T with S the symmetric matrix that has the lower triangle of
// R dR^T - dQ^T Q. Columns beyond the square part of R are Q^T times those of A.
Arrays Qr::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const auto [m, n, k] = lengths_of(in[0].shape());
  if (complete && m > n) {
    fail("[qr] has no gradient for shape {} with QrMode::kComplete: the last columns of q are free",
         to_string(in[0].shape()));
  }
  const Array& q = out[0];
  const Array r = slice_axis(out[1], -1, 0, k);
  Array dq = g[0], beyond;
  if (n > k) {
    const Array dv = slice_axis(g[1], -1, k, n);
    dq = dq + matmul(slice_axis(in[0], -1, k, n), matrix_transpose(dv));
    beyond = matmul(q, dv);
  }
  const Array dr = triu(slice_axis(g[1], -1, 0, k));
  const Array s = matmul(r, matrix_transpose(dr)) - matmul(matrix_transpose(dq), q);
  const Array inner = dq + matmul(q, tril(s) + matrix_transpose(tril(s, -1)));
  const Array solved =
      mica::apply(SolveTriangular(true, false, false), {r, matrix_transpose(inner)});
  const Array da = matrix_transpose(solved);
  return {beyond.defined() ? concatenate({da, beyond}, -1) : da};
}

// ---- Singular values.

Specs Svd::infer(std::span<const Spec> in) const {
  const Shape& shape = check_matrix(in[0], kName).shape;
  const auto [m, n, k] = lengths_of(shape);
  const Dtype dtype = in[0].dtype;
  return {{batch_and(shape, 2, {m, full ? m : k}), dtype},
          {batch_and(shape, 2, {k}), dtype},
          {batch_and(shape, 2, {full ? n : k, n}), dtype}};
}

// Townsend, "Differentiating the singular value decomposition" (2016).
Arrays Svd::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const auto [m, n, k] = lengths_of(in[0].shape());
  if (full && m != n) {
    fail(
        "[svd] has no gradient for shape {} with full_matrices: the last columns of u or rows of "
        "vh are free",
        to_string(in[0].shape()));
  }
  const Array &u = out[0], &s = out[1], &vh = out[2];
  const Array ut = matrix_transpose(u), v = matrix_transpose(vh), dv = matrix_transpose(g[2]);
  const Array squares = square(s);
  const Array gaps = reciprocal_or_zero(as_row(squares) - as_column(squares));
  const Array by_u = minus_transpose(matmul(ut, g[0])) * gaps;
  const Array by_v = minus_transpose(matmul(vh, dv)) * gaps;
  const Array by_s = eye(k, k, s.dtype()) * as_column(g[1]);
  Array da = matmul(matmul(u, by_u * as_row(s) + as_column(s) * by_v + by_s), vh);
  const Array inverse = reciprocal_or_zero(s);
  if (m > k) da = da + matmul(outside(u, g[0]) * as_row(inverse), vh);
  if (n > k) da = da + matmul(u, as_column(inverse) * matrix_transpose(outside(v, dv)));
  return {da};
}

Specs SvdVals::infer(std::span<const Spec> in) const {
  const Shape& shape = check_matrix(in[0], kName).shape;
  return {{batch_and(shape, 2, {lengths_of(shape).k}), in[0].dtype}};
}

Arrays SvdVals::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  const Arrays factors = mica::apply_all(Svd(false), {in[0]});
  return {matmul(factors[0] * as_row(g[0]), factors[2])};
}

Specs Pinv::infer(std::span<const Spec> in) const {
  const Shape& shape = check_matrix(in[0], kName).shape;
  const auto [m, n, k] = lengths_of(shape);
  return {{batch_and(shape, 2, {n, m}), in[0].dtype}};
}

// Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems
// whose variables separate" (1973), for a rank that stays: dP = -P dA P + P P^T dA^T (1 - A P) +
// (1 - P A) dA^T P^T P.
Arrays Pinv::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const Array &a = in[0], &p = out[0];
  const Array pt = matrix_transpose(p), gt = matrix_transpose(g[0]);
  const Array left = matmul(matmul(gt - matmul(a, matmul(p, gt)), p), pt);
  const Array right = matmul(pt, matmul(p, gt - matmul(matmul(gt, p), a)));
  return {left + right - matmul(matmul(pt, g[0]), pt)};
}

}  // namespace mica
