// Rules of eigenvalues and of the matrix exponential.
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/linalg.h"
#include "core/ops/linalg_op.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica {

using linalg::matrix_transpose;

namespace {

Array as_row(const Array& x) { return expand_dims(x, {-2}); }
Array as_column(const Array& x) { return expand_dims(x, {-1}); }

Array reciprocal_or_zero(const Array& x) { return where(x == 0, 0, 1 / where(x == 0, 1, x)); }

// Complex matrices as their real and imaginary parts.
struct Parts {
  Array re, im;
};

// The product of the conjugate transpose of a with b.
Parts adjoint_times(const Parts& a, const Parts& b) {
  const Array re = matrix_transpose(a.re), im = matrix_transpose(a.im);
  return {matmul(re, b.re) + matmul(im, b.im), matmul(re, b.im) - matmul(im, b.re)};
}

// a times the conjugate transpose of b.
Parts times_adjoint(const Parts& a, const Parts& b) {
  const Array re = matrix_transpose(b.re), im = matrix_transpose(b.im);
  return {matmul(a.re, re) + matmul(a.im, im), matmul(a.im, re) - matmul(a.re, im)};
}

// The real part of x with a^H x = b, from the real system of twice the size.
Array solve_adjoint(const Parts& a, const Parts& b) {
  const Array re = matrix_transpose(a.re), im = matrix_transpose(a.im);
  const Array whole = concatenate({concatenate({re, im}, -1), concatenate({-im, re}, -1)}, -2);
  const Array x = linalg::solve(whole, concatenate({b.re, b.im}, -2));
  return slice_axis(x, -2, 0, re.dim(-1));
}

Spec eigenvalues_of(const Spec& a, std::string_view op) {
  check_square(a, op);
  return {batch_and(a.shape, 1, {}), a.dtype};
}

}  // namespace

// ---- Symmetric matrices.

Specs Eigh::infer(std::span<const Spec> in) const { return {eigenvalues_of(in[0], kName), in[0]}; }

// Giles (2008): V (diag(dw) + F * (V^T dV)) V^T with F[i, j] = 1 / (w[j] - w[i]) off the diagonal.
Arrays Eigh::vjp(const Arrays&, const Arrays& out, const Arrays& g) const {
  const Array &w = out[0], &v = out[1];
  const Array vt = matrix_transpose(v);
  const Array by_vectors = reciprocal_or_zero(as_row(w) - as_column(w)) * matmul(vt, g[1]);
  const Array by_values = eye(w.dim(-1), -1, w.dtype()) * as_column(g[0]);
  const Array da = matmul(matmul(v, by_vectors + by_values), vt);
  return {0.5 * (da + matrix_transpose(da))};
}

Specs Eigvalsh::infer(std::span<const Spec> in) const { return {eigenvalues_of(in[0], kName)}; }

Arrays Eigvalsh::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  const Array v = mica::apply_all(Eigh(), {in[0]})[1];
  return {matmul(v * as_row(g[0]), matrix_transpose(v))};
}

// ---- Any square matrices.

Specs Eig::infer(std::span<const Spec> in) const {
  const Spec values = eigenvalues_of(in[0], kName);
  return {values, values, in[0], in[0]};
}

// Boeddeker et al., "On the computation of complex-valued gradients with application to
// statistically optimum beamforming" (2017), section 4.7, for vectors of length 1: V^-H (diag(dw)
// + F * (V^H dV - V^H V diag(Re diag(V^H dV)))) V^H with F[i, j] = 1 / conj(w[j] - w[i]).
Arrays Eig::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const Parts v = {out[2], out[3]}, dv = {g[2], g[3]};
  const int64_t n = in[0].dim(-1);
  const Array unit = eye(n, n, in[0].dtype());
  const Array re = as_row(out[0]) - as_column(out[0]), im = as_row(out[1]) - as_column(out[1]);
  const Array scale = reciprocal_or_zero(square(re) + square(im));

  Parts turned = adjoint_times(v, dv);
  const Array along = sum(turned.re * unit, {-2}, true);
  const Parts overlap = adjoint_times(v, v);
  turned = {turned.re - overlap.re * along, turned.im - overlap.im * along};
  // a / conj(w) = a w / |w|^2
  const Parts inner = {(turned.re * re - turned.im * im) * scale + unit * as_column(g[0]),
                       (turned.re * im + turned.im * re) * scale + unit * as_column(g[1])};
  return {solve_adjoint(v, times_adjoint(inner, v))};
}

Specs Eigvals::infer(std::span<const Spec> in) const {
  const Spec values = eigenvalues_of(in[0], kName);
  return {values, values};
}

Arrays Eigvals::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  const Arrays out = mica::apply_all(Eig(), {in[0]});
  const Parts v = {out[2], out[3]};
  const Array unit = eye(in[0].dim(-1), -1, in[0].dtype());
  const Parts inner = {unit * as_column(g[0]), unit * as_column(g[1])};
  return {solve_adjoint(v, times_adjoint(inner, v))};
}

// ---- The exponential.

Specs Expm::infer(std::span<const Spec> in) const { return {check_square(in[0], kName)}; }

// The Fréchet derivative of a^T along g is the upper right block of the exponential of
// [[a^T, g], [0, a^T]] (Higham, "Functions of matrices", 2008, section 3.2). g is scaled, since its
// size must not decide how a^T is approximated.
Arrays Expm::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  const int64_t n = in[0].dim(-1);
  if (n == 0) return {in[0]};
  const Array largest = max(abs(g[0]), {-1, -2}, true);
  const Array size = where(largest == 0, 1, largest);
  const Array at = matrix_transpose(in[0]);
  const Array whole =
      concatenate({concatenate({at, g[0] / size}, -1), concatenate({zeros_like(at), at}, -1)}, -2);
  const Array upper = slice_axis(mica::apply(Expm(), {whole}), -2, 0, n);
  return {size * slice_axis(upper, -1, n, 2 * n)};
}

}  // namespace mica
