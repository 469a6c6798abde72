// Rules of factors by elimination, and what they solve. The derivatives are those of Giles,
// "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
// (2008), unless another source is named.
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/linalg.h"
#include "core/ops/linalg_op.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"

namespace mica {

using linalg::matrix_transpose;

const Spec& check_matrix(const Spec& x, std::string_view op) {
  if (x.dtype != float32 && x.dtype != float64) {
    fail("[{}] dtype {} has no kernel; wanted float32 or float64", op, x.dtype);
  }
  if (x.shape.size() < 2) {
    fail("[{}] shape {} is no matrix: needs two axes or more", op, to_string(x.shape));
  }
  const size_t rank = x.shape.size();
  if (std::max(x.shape[rank - 1], x.shape[rank - 2]) > INT32_MAX) {
    fail("[{}] shape {} is too long for LAPACK", op, to_string(x.shape));
  }
  return x;
}

const Spec& check_square(const Spec& x, std::string_view op) {
  check_matrix(x, op);
  const size_t rank = x.shape.size();
  if (x.shape[rank - 1] == x.shape[rank - 2]) return x;
  fail("[{}] shape {}: the last two axes are not equally long", op, to_string(x.shape));
}

Shape batch_and(const Shape& shape, size_t own, std::initializer_list<int64_t> others) {
  Shape result(shape.begin(), shape.end() - static_cast<std::ptrdiff_t>(own));
  result.append(others.begin(), others.end());
  return result;
}

namespace {

// a (..., n, n) and b (..., n, k) in equal batches.
Specs solved(const Spec& a, const Spec& b, std::string_view op) {
  check_square(a, op);
  const bool fits = a.dtype == b.dtype && a.shape.size() == b.shape.size() &&
                    batch_and(a.shape, 1, {}) == batch_and(b.shape, 1, {});
  if (fits) return {b};
  fail("[{}] a {} of shape {} does not go with b {} of shape {}", op, a.dtype, to_string(a.shape),
       b.dtype, to_string(b.shape));
}

// The lower triangle with half of the diagonal.
Array half_lower(const Array& x) { return 0.5 * (tril(x) + tril(x, -1)); }

Array triangular(const Array& a, const Array& b, bool upper, bool transposed, bool unit = false) {
  return mica::apply(SolveTriangular(upper, transposed, unit), {a, b});
}

// b times the inverse of a triangle of a, or of its transpose.
Array triangular_right(const Array& b, const Array& a, bool upper, bool transposed,
                       bool unit = false) {
  return matrix_transpose(triangular(a, matrix_transpose(b), upper, !transposed, unit));
}

Array columns(const Array& x, int64_t start, int64_t stop) {
  return slice_axis(x, -1, start, stop);
}
Array rows(const Array& x, int64_t start, int64_t stop) { return slice_axis(x, -2, start, stop); }

}  // namespace

// ---- LU.

Specs LuFactor::infer(std::span<const Spec> in) const {
  const Shape& shape = check_matrix(in[0], kName).shape;
  const int64_t m = shape.end()[-2], n = shape.back();
  return {in[0], {batch_and(shape, 2, {std::min(m, n)}), int32}, {batch_and(shape, 2, {m}), int32}};
}

// Of the square part with rows in their new order, dA = L^-T (tril(L^T dL, -1) + triu(dU U^T))
// U^-T. What is beyond it, U2 = L^-1 A2 on the right or L2 = A2 U^-1 below, gives its share to the
// derivatives of A2 and of L or U.
Arrays LuFactor::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const int64_t m = in[0].dim(-2), n = in[0].dim(-1), k = std::min(m, n);
  const Array factors = rows(columns(out[0], 0, k), 0, k);
  const Array square = rows(columns(g[0], 0, k), 0, k);
  const Array lower = tril(factors, -1) + eye(k, k, in[0].dtype()), upper = triu(factors);
  Array dl = tril(square, -1), du = triu(square), beyond;
  if (n > k) {
    beyond = triangular(factors, columns(g[0], k, n), false, true, true);
    dl = dl - tril(matmul(beyond, matrix_transpose(columns(out[0], k, n))), -1);
  } else if (m > k) {
    beyond = triangular_right(rows(g[0], k, m), factors, true, true);
    du = du - triu(matmul(matrix_transpose(rows(out[0], k, m)), beyond));
  }
  const Array inner =
      tril(matmul(matrix_transpose(lower), dl), -1) + triu(matmul(du, matrix_transpose(upper)));
  Array da = triangular(factors, triangular_right(inner, factors, true, true), false, true, true);
  if (beyond.defined()) da = concatenate({da, beyond}, n > k ? -1 : -2);
  // Row i of the ordered matrix came from row order[i].
  return {take_along_axis(da, expand_dims(argsort(out[2], -1), {-1}), -2)};
}

Specs LuSolve::infer(std::span<const Spec> in) const {
  MICA_ASSERT(in[0] == in[1] && in[2].dtype == int32);
  return solved(in[0], in[3], kName);
}

Arrays LuSolve::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const Array db = mica::apply(LuSolve(!transposed), {in[0], in[1], in[2], g[0]});
  const Array product =
      transposed ? matmul(out[0], matrix_transpose(db)) : matmul(db, matrix_transpose(out[0]));
  return {-product, Array(), Array(), db};
}

// ---- Triangles.

Specs SolveTriangular::infer(std::span<const Spec> in) const { return solved(in[0], in[1], kName); }

Arrays SolveTriangular::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const Array db = triangular(in[0], g[0], upper, !transposed, unit_diagonal);
  const Array product =
      transposed ? matmul(out[0], matrix_transpose(db)) : matmul(db, matrix_transpose(out[0]));
  const int first = unit_diagonal ? 1 : 0;
  return {upper ? -triu(product, first) : -tril(product, -first), db};
}

Specs Cholesky::infer(std::span<const Spec> in) const { return {check_square(in[0], kName)}; }

// Murray, "Differentiation of the Cholesky decomposition" (2016), equation 9: the symmetric part of
// L^-T P L^-1 with P the lower half of L^T dL.
Arrays Cholesky::vjp(const Arrays&, const Arrays& out, const Arrays& g) const {
  const Array half = half_lower(matmul(matrix_transpose(out[0]), tril(g[0])));
  const Array s = triangular_right(triangular(out[0], half, false, true), out[0], false, false);
  return {0.5 * (s + matrix_transpose(s))};
}

// ---- Inverses and determinants.

Specs Inv::infer(std::span<const Spec> in) const { return {check_square(in[0], kName)}; }

Arrays Inv::vjp(const Arrays&, const Arrays& out, const Arrays& g) const {
  const Array back = matrix_transpose(out[0]);
  return {-matmul(matmul(back, g[0]), back)};
}

Specs Det::infer(std::span<const Spec> in) const {
  return {{batch_and(check_square(in[0], kName).shape, 2, {}), in[0].dtype}};
}

Arrays Det::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {expand_dims(g[0], {-1, -2}) * mica::apply(Cofactor(), {in[0]})};
}

Specs Cofactor::infer(std::span<const Spec> in) const { return {check_square(in[0], kName)}; }

// From C = det(A) A^-T: dC = (<C, dA> C - C dA^T C) / det(A), whose transpose has the same form.
// Where det(A) = 0 it counts as 0, although second derivatives of the determinant may not.
Arrays Cofactor::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const Array& c = out[0];
  const Array det = expand_dims(mica::apply(Det(), {in[0]}), {-1, -2});
  const Array change =
      sum(c * g[0], {-1, -2}, true) * c - matmul(matmul(c, matrix_transpose(g[0])), c);
  return {where(det == 0, 0, change / where(det == 0, 1, det))};
}

Specs Slogdet::infer(std::span<const Spec> in) const {
  const Spec number{batch_and(check_square(in[0], kName).shape, 2, {}), in[0].dtype};
  return {number, number};
}

Arrays Slogdet::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  const Array back = matrix_transpose(mica::apply(Inv(false), {in[0]}));
  return {expand_dims(g[1], {-1, -2}) * back};
}

}  // namespace mica
