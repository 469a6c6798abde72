// Linear algebra on matrices, as numpy.linalg and mlx.linalg name it.
//
//   Array x = linalg::solve(a, b);                   // a x = b
//   auto [u, s, vh] = linalg::svd(a);
//   Array g = grad([](const Array& a) { return linalg::slogdet(a).second; })(a);   // inv(a)^T
//
// Matrices lie in the last two axes, (..., m, n); axes before them are batches, computed side by
// side. float32 and float64 are computed as they are, integers and bool in float32; other types
// throw Error, as do shapes that do not fit. A matrix for which there is no answer (singular for
// solve and inv, not positive definite for cholesky, NaN for svd, eigh and eig) throws when the
// result is computed, naming the function and the matrix.
//
// All functions have gradients of every order but qr and svd of whole bases (kComplete,
// full_matrices) of matrices that are not square. Where singular values or eigenvalues coincide,
// derivatives of single vectors do not exist; such terms count as 0.
#pragma once

#include <concepts>
#include <optional>
#include <string_view>
#include <utility>

#include "core/graph/array.h"
#include "core/ops/products.h"

namespace mica::linalg {

using mica::cross;

// ---- Norms.

/// The square root of the sum of squares over `axes` (none given: all). Its gradient at 0 is 0.
Array norm(const Array& x, const Axes& axes = {}, bool keepdims = false);
/// Over one axis (or all of a vector) the norm of vectors: of order infinity the largest absolute
/// value, -infinity the smallest, 0 the number of elements that are not 0, p the p-th root of the
/// sum of p-th powers. Over two axes (or all of a matrix) that of matrices: 1 and -1 the largest
/// and smallest column sum, infinity and -infinity of rows, 2 and -2 the extreme singular values.
/// Throws for other orders of matrices and for more axes.
Array norm_of_order(const Array& x, double ord, const Axes& axes, bool keepdims);
/// Of matrices: "fro", the root of the sum of squares; "nuc", the sum of singular values.
Array norm_of_order(const Array& x, std::string_view ord, const Axes& axes, bool keepdims);
/// The same under NumPy's name: norm(x, 1), norm(x, "nuc", {0, 1}). A template, so that norm(x,
/// {1}) is the norm over axis 1.
template <class Order>
  requires(Number<Order> || std::convertible_to<Order, std::string_view>)
Array norm(const Array& x, const Order& ord, const Axes& axes = {}, bool keepdims = false) {
  return norm_of_order(x, ord, axes, keepdims);
}

// ---- Solving.

/// x with a x = b. a (..., n, n); b (n,), giving (..., n), or (..., n, k). Batches broadcast.
Array solve(const Array& a, const Array& b);

struct TriangularOptions {
  bool upper = false;          // which triangle of a holds the matrix
  bool transposed = false;     // solve with its transpose
  bool unit_diagonal = false;  // take the diagonal for ones
};
/// The same for a triangle of a; the other one is not looked at. Throws for a 0 on the diagonal.
Array solve_triangular(const Array& a, const Array& b, const TriangularOptions& options = {});

/// The inverse of square matrices, and of triangles of them.
Array inv(const Array& a);
Array tri_inv(const Array& a, bool upper = false);
/// The Moore-Penrose inverse, (..., m, n) -> (..., n, m). Singular values below `rcond` times the
/// largest count as 0; without it 10 max(m, n) epsilon.
Array pinv(const Array& a, std::optional<double> rcond = {});

struct LstsqResult {
  Array solution;         // (..., n, k), or (n,) for b of shape (m,); of all, the shortest
  Array residuals;        // (..., k): the sums of squares of a x - b
  Array rank;             // int32 (...)
  Array singular_values;  // (..., min(m, n))
};
/// x with the least sum of squares of a x - b. a (..., m, n); b (m,) or (..., m, k).
LstsqResult lstsq(const Array& a, const Array& b, std::optional<double> rcond = {});

// ---- Factors.

/// The lower factor l of a symmetric a = l l^T, or the upper one of a = u^T u. a is taken for the
/// mean of itself and its transpose, in value and gradient. Throws unless positive definite.
Array cholesky(const Array& a, bool upper = false);
/// The inverse of a from its Cholesky factor.
Array cholesky_inv(const Array& factor, bool upper = false);

/// kReduced: q (..., m, k) and r (..., k, n) with k = min(m, n); kComplete: q (..., m, m) and
/// r (..., m, n).
enum class QrMode { kReduced, kComplete };
std::pair<Array, Array> qr(const Array& a, QrMode mode = QrMode::kReduced);

struct LuResult {
  Array p, l, u;
};
/// a = p l u with a permutation p (..., m, m), l (..., m, k) with ones on its diagonal, u (..., k,
/// n).
LuResult lu(const Array& a);
/// l below the diagonal and u in one matrix, and int32 pivots (..., k): row i was swapped with row
/// pivots[i], in this order.
std::pair<Array, Array> lu_factor(const Array& a);

struct SvdResult {
  Array u, s, vh;
};
/// a = u diag(s) vh, s descending. u (..., m, m), s (..., k) with k = min(m, n), vh (..., n, n);
/// without `full_matrices` only their first k columns and rows.
SvdResult svd(const Array& a, bool full_matrices = true);
Array svdvals(const Array& a);

/// Eigenvalues (..., n) of a symmetric matrix in ascending order, and its vectors as columns. a is
/// taken for the mean of itself and its transpose, in value and gradient.
std::pair<Array, Array> eigh(const Array& a);
Array eigvalsh(const Array& a);

/// Eigenvalues (..., n) of any square matrix, in LAPACK's order, and their vectors as columns of
/// length 1. Both are complex: complex64, or complex128 from float64. A vector's phase is free:
/// what has a gradient may not depend on it.
std::pair<Array, Array> eig(const Array& a);
Array eigvals(const Array& a);

// ---- Numbers.

/// Its gradient, the cofactors, is exact for singular matrices as well; second derivatives there
/// count as 0.
Array det(const Array& a);
/// Sign of the determinant and logarithm of its absolute value; 0 and -infinity for singular a.
std::pair<Array, Array> slogdet(const Array& a);
/// int32 number of singular values above `rtol` times the largest, by default max(m, n) epsilon.
Array matrix_rank(const Array& a, std::optional<double> rtol = {});
/// How errors of b grow in solve(a, b): the ratio of extreme singular values, or norm(a, ord)
/// norm(inv(a), ord). Infinite for singular a.
Array cond(const Array& a);
Array cond(const Array& a, double ord);
Array cond(const Array& a, std::string_view ord);

// ---- Functions of matrices.

/// The last two axes swapped.
Array matrix_transpose(const Array& a);
/// a to a whole power; negative ones take the inverse.
Array matrix_power(const Array& a, int64_t n);
/// The exponential 1 + a + a^2 / 2 + ...
Array expm(const Array& a);

}  // namespace mica::linalg
