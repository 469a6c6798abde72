// Linear algebra. What has free signs or phases enters as a function that does not depend on them.
#include "core/eval/eval.h"
#include "core/ops/complex.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/linalg.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "tests/properties/draws.h"

namespace mica::testing {
namespace {

Shape joined(Shape batch, const Shape& own) {
  batch.append(own.begin(), own.end());
  return batch;
}

// Matrices with eigenvalues and singular values apart from 0 and, for little noise, each other.
Array draw_matrices(const Shape& batch, int64_t m, int64_t n, double noise) {
  const Array raise = diag(arange(2, 8)) * 0.7;
  const Array x =
      draw_normal(joined(batch, {m, n})) * noise + astype(slice(raise, {0, 0}, {m, n}), float64);
  return Array::from_bytes(x.to_bytes().data(), x.shape(), float64);
}

Array symmetric(const Array& x) { return x + swapaxes(x, -1, -2); }

Array positive_definite(const Array& x) {
  return matmul(x, swapaxes(x, -1, -2)) + astype(eye(x.dim(-1)), float64);
}

// Solutions, inverses and what follows from elimination.
Trial elimination() {
  const Shape batch = draw_shape(0, 2);
  const int64_t n = draw(1, 4), which = draw(0, 8);
  const Array a = draw_matrices(batch, n, n, 0.2);
  const Array right =
      draw_normal(joined(flip_coin() ? batch : draw_partner(batch), {n, draw(1, 3)}));
  const linalg::TriangularOptions triangle = {flip_coin(), flip_coin(), flip_coin()};
  const int64_t power = draw(-2, 4);
  const std::string name = fmt::format("elimination {} {}", which, power);
  const auto one = [&](const ArrayFunction& f) { return trial(name, {a}, f); };
  switch (which) {
    case 0: return one([](const Arrays& in) { return linalg::inv(in[0]); });
    case 1: return one([](const Arrays& in) { return linalg::det(in[0]); });
    case 2: return one([](const Arrays& in) { return linalg::slogdet(in[0]).second; });
    case 3: return one([=](const Arrays& in) { return linalg::tri_inv(in[0], triangle.upper); });
    case 4: return one([=](const Arrays& in) { return linalg::matrix_power(in[0], power); });
    case 5: return one([](const Arrays& in) { return linalg::expm(in[0] * 0.3); });
    case 6:
      return one([](const Arrays& in) {
        const auto [p, l, u] = linalg::lu(flip(in[0], {-2}));
        return concatenate({matmul(p, l), u}, -1);
      });
    case 7:
      return trial(name, {a, right}, [=](const Arrays& in) {
        return linalg::solve_triangular(in[0], in[1], triangle);
      });
    default:
      return trial(name, {a, right}, [](const Arrays& in) { return linalg::solve(in[0], in[1]); });
  }
}

Trial factorisation() {
  const Shape batch = draw_shape(0, 1);
  const int64_t m = draw(1, 4), which = draw(0, 11);
  const bool square = which < 6;
  const int64_t n = square ? m : draw(1, 4);
  const Array a = draw_matrices(batch, m, n, 0.08);
  const bool upper = flip_coin();
  const std::string name = fmt::format("factorisation {}", which);
  const auto one = [&](const ArrayFunction& f) { return trial(name, {a}, f); };
  switch (which) {
    case 0:
      return one(
          [=](const Arrays& in) { return linalg::cholesky(positive_definite(in[0]), upper); });
    case 1:
      return one([=](const Arrays& in) {
        return linalg::cholesky_inv(linalg::cholesky(positive_definite(in[0]), upper), upper);
      });
    case 2: return one([](const Arrays& in) { return linalg::eigvalsh(symmetric(in[0])); });
    case 3:  // the symmetric square of the matrix, from its eigenvectors
      return one([](const Arrays& in) {
        const auto [w, v] = linalg::eigh(symmetric(in[0]));
        return matmul(v * expand_dims(sin(w), {-2}), swapaxes(v, -1, -2));
      });
    case 4:
      return one([](const Arrays& in) { return parts(sum(exp(linalg::eigvals(in[0])), {-1})); });
    case 5:
      return one([](const Arrays& in) {
        const auto [w, v] = linalg::eig(in[0]);
        return parts(sum(expand_dims(sin(w), {-2}) * (v * conjugate(v)), {-1}));
      });
    case 6: return one([](const Arrays& in) { return linalg::svdvals(in[0]); });
    case 7:
      return one([](const Arrays& in) {
        const auto [u, s, vh] = linalg::svd(in[0], false);
        return matmul(u * expand_dims(sin(s), {-2}), vh);
      });
    case 8: return one([](const Arrays& in) { return linalg::pinv(in[0]); });
    case 9: return one([](const Arrays& in) { return linalg::qr(in[0]).second; });
    case 10: return one([](const Arrays& in) { return linalg::qr(in[0]).first; });
    default:
      return trial(name, {a, draw_normal(joined(batch, {m, draw(1, 3)}))},
                   [](const Arrays& in) { return linalg::lstsq(in[0], in[1]).solution; });
  }
}

Trial norm_op() {
  const Shape shape = draw_shape(2, 3, 1);
  const int axis = draw_axis(shape);
  const int64_t which = draw(0, 5);
  const double order = *rc::gen::element(-INFINITY, -1.0, 1.0, 2.0, 3.0, double(INFINITY));
  const bool keep = flip_coin();
  const std::string name = fmt::format("norm {} of order {} over {}", which, order, axis);
  const auto one = [&](const ArrayFunction& f) { return trial(name, {draw_normal(shape)}, f); };
  switch (which) {
    case 0: return one([=](const Arrays& in) { return linalg::norm(in[0], {axis}, keep); });
    case 1: return one([=](const Arrays& in) { return linalg::norm(in[0], order, {axis}, keep); });
    case 2:
      return one([=](const Arrays& in) { return linalg::norm(in[0], "fro", {-2, -1}, keep); });
    case 3:
      return one([=](const Arrays& in) {
        return linalg::norm(in[0], order == 3 ? 1 : order, {-1, -2}, keep);
      });
    case 4: return one([=](const Arrays& in) { return linalg::norm(in[0]); });
    default: return one([=](const Arrays& in) { return linalg::norm(in[0], "nuc", {0, 1}, keep); });
  }
}

}  // namespace

std::vector<Family> linalg_families() {
  return {{"elimination", elimination, true},
          {"factorisations", factorisation, true},
          {"norms", norm_op, true, true}};
}

}  // namespace mica::testing
