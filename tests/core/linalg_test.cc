// Linear algebra beyond the laws that conformance_test.cc holds it to: sizes at which LAPACK works
// in blocks, shapes of every kind, matrices without an answer, and the edges of derivatives.
#include "core/ops/linalg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/eval/eval.h"
#include "core/ops/complex.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/numeric.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"
#include "core/transform/jacobian.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using linalg::matrix_transpose;
using linalg::QrMode;
using testing::check_derivatives;
using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using ::testing::HasSubstr;
using testing::normal_array;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double epsilon(Dtype dtype) { return dtype == float64 ? 0x1p-52 : 0x1p-23; }

double largest(const Array& x) { return x.size() == 0 ? 0 : max(abs(x)).item<double>(); }

// Backward stable algorithms give factors of a matrix that is off by a small multiple of n epsilon
// times its norm (Higham, "Accuracy and stability of numerical algorithms", 2002, chapters 9, 10,
// 19 and 14).
double bound(const Array& a) {
  const double norm = largest(linalg::norm(a, {-2, -1}));
  return 10 * static_cast<double>(std::max(a.dim(-2), a.dim(-1))) * epsilon(a.dtype()) * norm;
}

void expect_orthonormal(const Array& q) {
  const Array products = matmul(matrix_transpose(q), q);
  const double allowed = 10 * static_cast<double>(q.dim(-2)) * epsilon(q.dtype());
  EXPECT_LE(largest(products - eye(q.dim(-1), -1, q.dtype())), allowed);
}

const Shape kShapes[] = {{1, 1},    {2, 2},    {3, 5},    {5, 3},      {1, 4},
                         {4, 1},    {65, 65},  {130, 40}, {3, 40, 70}, {2, 3, 7, 7},
                         {0, 3, 3}, {2, 0, 0}, {3, 0},    {2, 0, 3}};

TEST(Linalg, FactorsMultiplyToTheMatrix) {
  for (const Dtype dtype : {float32, float64}) {
    for (const Shape& shape : kShapes) {
      SCOPED_TRACE(to_string(shape) + std::string(name_of(dtype)));
      const Array a = normal_array(shape, 1, dtype);
      for (const QrMode mode : {QrMode::kReduced, QrMode::kComplete}) {
        const auto [q, r] = linalg::qr(a, mode);
        EXPECT_LE(largest(matmul(q, r) - a), bound(a));
        EXPECT_EQ(largest(tril(r, -1)), 0);
        expect_orthonormal(q);
      }
      for (const bool full : {false, true}) {
        const auto [u, s, vh] = linalg::svd(a, full);
        const int64_t k = s.dim(-1);
        const Array product =
            matmul(slice_axis(u, -1, 0, k) * expand_dims(s, {-2}), slice_axis(vh, -2, 0, k));
        EXPECT_LE(largest(product - a), bound(a));
        EXPECT_LE(largest(s - linalg::svdvals(a)), bound(a));
        EXPECT_LE(largest(maximum(diff(s), 0)), 0);
        expect_orthonormal(u);
        expect_orthonormal(matrix_transpose(vh));
      }
      const auto [p, l, u] = linalg::lu(a);
      EXPECT_LE(largest(matmul(p, matmul(l, u)) - a), bound(a));
      EXPECT_EQ(largest(triu(l, 1)), 0);
      EXPECT_LE(largest(l), 1);
      // Pseudo-inverses (Penrose's four conditions), for well conditioned matrices.
      const Array x = linalg::pinv(a);
      const double allowed = bound(a) * std::max(1.0, largest(x));
      EXPECT_LE(largest(matmul(a, matmul(x, a)) - a), allowed * (1 + largest(a)));
      EXPECT_LE(largest(matmul(a, x) - matrix_transpose(matmul(a, x))), allowed);
      EXPECT_LE(largest(matmul(x, a) - matrix_transpose(matmul(x, a))), allowed);
    }
  }
}

TEST(Linalg, SquareMatricesAreSolvedAsWellAsTheirConditionAllows) {
  for (const Dtype dtype : {float32, float64}) {
    for (const Shape& shape : kShapes) {
      if (shape.back() != shape.end()[-2] || size_of(shape) == 0) continue;
      SCOPED_TRACE(to_string(shape) + std::string(name_of(dtype)));
      const int64_t n = shape.back();
      const Array a = normal_array(shape, 2, dtype), unit = eye(n, -1, dtype);
      // Higham, chapters 9 and 14: the residual of a x = 1 is within n epsilon cond(a).
      const double allowed =
          10 * static_cast<double>(n) * epsilon(dtype) * largest(linalg::cond(a));
      EXPECT_LE(largest(matmul(a, linalg::inv(a)) - unit), allowed);
      EXPECT_LE(largest(matmul(a, linalg::solve(a, unit)) - unit), allowed);
      EXPECT_LE(largest(linalg::matrix_power(a, -2) - matmul(linalg::inv(a), linalg::inv(a))),
                allowed * largest(linalg::inv(a)));
      const auto [sign, logarithm] = linalg::slogdet(a);
      const Array det = linalg::det(a);
      if (n < 20) {
        EXPECT_LE(largest(sign * exp(logarithm) / det - 1), 100 * epsilon(dtype));
      }

      const Array positive = matmul(a, matrix_transpose(a)) + unit;
      const Array l = linalg::cholesky(positive), r = linalg::cholesky(positive, true);
      EXPECT_LE(largest(matmul(l, matrix_transpose(l)) - positive), bound(positive));
      EXPECT_LE(largest(matmul(matrix_transpose(r), r) - positive), bound(positive));
      const double squared =
          10 * static_cast<double>(n) * epsilon(dtype) * largest(linalg::cond(positive));
      EXPECT_LE(largest(matmul(linalg::cholesky_inv(l), positive) - unit), squared);
      EXPECT_LE(largest(matmul(linalg::cholesky_inv(r, true), positive) - unit), squared);
      EXPECT_LE(largest(matmul(linalg::tri_inv(l), l) - unit), squared);

      const auto [w, v] = linalg::eigh(positive);
      EXPECT_LE(largest(matmul(positive, v) - v * expand_dims(w, {-2})), bound(positive));
      EXPECT_LE(largest(w - linalg::eigvalsh(positive)), bound(positive));
      expect_orthonormal(v);
      const auto [values, vectors] = linalg::eig(a);
      EXPECT_EQ(values.dtype(), complex_of(dtype));
      const Array missed =
          matmul(astype(a, values.dtype()), vectors) - vectors * expand_dims(values, {-2});
      EXPECT_LE(largest(missed), bound(a));
      EXPECT_LE(largest(linalg::norm(vectors, {-2}) - 1), 10 * epsilon(dtype));
      EXPECT_LE(largest(sum(values, {-1}) - astype(trace(a, 0, -2, -1), values.dtype())), bound(a));
    }
  }
}

TEST(Linalg, SystemsTakeVectorsAndBatchesThatBroadcast) {
  const Array a = array<double>({{2, 1}, {1, 3}});
  expect_values(linalg::solve(a, array<double>({3, 5})), {0.8, 1.4}, 1e-14);
  const Array many = stack({a, 2 * a, 4 * a});
  EXPECT_EQ(linalg::solve(many, array<double>({3, 5})).shape(), Shape({3, 2}));
  const Array b = normal_array({3, 2, 4}, 3);
  expect_same(linalg::solve(a, b), matmul(linalg::inv(a), b), 1e-14);
  expect_same(linalg::solve(expand_dims(many, {1}), b),
              matmul(linalg::inv(expand_dims(many, {1})), b), 1e-14);
  expect_same(linalg::solve_triangular(a, b), linalg::solve(tril(a), b), 1e-14);
  // Whole numbers are computed in float32.
  const Array x = linalg::solve(array({{2, 0}, {0, 4}}), array({2, 2}));
  EXPECT_EQ(x.dtype(), float32);
  expect_values(x, {1, 0.5});
  EXPECT_EQ(linalg::solve(astype(a, float32), b).dtype(), float64);
  EXPECT_TRUE(linalg::solve(zeros({0, 0}), zeros({0, 3})).to_bytes().empty());
  EXPECT_EQ(linalg::solve(eye(3), zeros({3, 0})).shape(), Shape({3, 0}));
  expect_values(linalg::det(zeros({2, 0, 0})), {1, 1});
}

TEST(Linalg, LeastSquares) {
  const Array tall = normal_array({6, 3}, 4), b = normal_array({6, 2}, 5);
  const auto tall_fit = linalg::lstsq(tall, b);
  const Array normal_equations = matmul(matrix_transpose(tall), tall);
  expect_same(tall_fit.solution, linalg::solve(normal_equations, matmul(matrix_transpose(tall), b)),
              1e-12);
  expect_same(tall_fit.residuals, sum(square(matmul(tall, tall_fit.solution) - b), {0}), 1e-12);
  expect_values(tall_fit.rank, {3});
  // Of all solutions the shortest.
  const Array wide = matrix_transpose(tall), c = normal_array({3}, 6);
  const auto wide_fit = linalg::lstsq(wide, c);
  expect_same(matmul(wide, wide_fit.solution), c, 1e-12);
  const Array away =
      wide_fit.solution - matmul(linalg::pinv(wide), matmul(wide, wide_fit.solution));
  EXPECT_LE(largest(away), 1e-13);
  // A column that is the sum of two others.
  const Array first = slice_axis(tall, 1, 0, 2);
  const Array deficient = concatenate({first, sum(first, {1}, true)}, 1);
  expect_values(linalg::lstsq(deficient, b).rank, {2});
  expect_values(linalg::matrix_rank(stack({tall, deficient, zeros_like(tall)})), {3, 2, 0});
  expect_values(linalg::matrix_rank(zeros({2, 3, 0})), {0, 0});
  check_derivatives([](const Arrays& in) { return linalg::lstsq(in[0], in[1]).solution; },
                    {tall, b});
  check_derivatives([](const Arrays& in) { return linalg::lstsq(in[0], in[1]).residuals; },
                    {tall, b});
}

TEST(Linalg, PowersConditionsAndNorms) {
  const Array a = array<double>({{1, 2}, {3, 4}});
  expect_values(linalg::matrix_power(a, 0), {1, 0, 0, 1});
  expect_values(linalg::matrix_power(a, 5), {1069, 1558, 2337, 3406});
  expect_values(linalg::matrix_power(a, -1), {-2, 1, 1.5, -0.5}, 1e-13);
  expect_values(linalg::cond(a, 1), {21}, 1e-13);
  expect_values(linalg::cond(a, "fro"), {15}, 1e-13);
  expect_values(linalg::cond(a), {14.933034373659265}, 1e-13);
  expect_values(linalg::cond(a, -2), {1 / 14.933034373659265}, 1e-13);
  expect_values(linalg::cond(stack({a, zeros_like(a), a * kNan}), kInf), {21, kInf, kNan}, 1e-13);
  expect_values(linalg::cond(zeros({2, 2})), {kInf});

  expect_values(linalg::norm(a), {std::sqrt(30)}, 1e-14);
  expect_values(linalg::norm(a, 1), {6});
  expect_values(linalg::norm(a, "nuc"), {std::sqrt(34)}, 1e-14);  // (s1 + s2)^2 = 30 + 2 |det|
  expect_values(linalg::norm(a, "fro", {0, 1}, true), {std::sqrt(30)}, 1e-14);
  const Array x = normal_array({2, 3, 4}, 7);
  // Rows run along the first axis given.
  expect_same(linalg::norm(x, 1, {2, 0}), linalg::norm(transpose(x, {1, 2, 0}), 1, {1, 2}), 1e-14);
  EXPECT_EQ(linalg::norm(x, kInf, {2, 0}, true).shape(), Shape({1, 3, 1}));
  EXPECT_EQ(linalg::norm(array({3, 4})).dtype(), float32);
  EXPECT_EQ(linalg::norm(x).shape(), Shape{});
  EXPECT_EQ(linalg::norm(x, {0}).shape(), Shape({3, 4}));  // axis 0, not order 0
  // Of complex numbers, and with them.
  const Array z = to_complex(array({3.0f, 0.0f}), array({4.0f, 1.0f}));
  expect_values(linalg::norm(z), {std::sqrt(26.0)}, 1e-6);
  expect_values(linalg::norm(z, 1), {6});
  expect_values(linalg::norm(z, 0), {2});
  expect_values(linalg::norm(z, 3), {std::cbrt(126.0)}, 1e-6);
  EXPECT_EQ(linalg::norm(z, kInf).dtype(), float32);
}

// ---- Derivatives at their edges.

TEST(Linalg, NormsHaveFiniteGradientsAtZero) {
  for (const double ord : {0.5, 1.0, 1.5, 2.0, 3.0, kInf}) {
    const auto gradient = grad([&](const Array& x) { return linalg::norm(x, ord); });
    EXPECT_EQ(largest(gradient(zeros({3}, float64))), 0) << ord;
    EXPECT_TRUE(all(isfinite(gradient(array<double>({0, 2, -1})))).item<bool>()) << ord;
  }
  EXPECT_EQ(largest(grad([](const Array& x) { return linalg::norm(x, "fro"); })(zeros({2, 2}))), 0);
}

TEST(Linalg, TheDeterminantHasAGradientAtSingularMatrices) {
  const auto gradient = grad([](const Array& a) { return sum(linalg::det(a)); });
  // Of rank 2: all cofactors are known. Of rank 1 and 0 they are 0.
  const Array a = array<double>({{1, 2, 3}, {4, 5, 6}, {7, 8, 9}});
  expect_values(gradient(a), {-3, 6, -3, 6, -12, 6, -3, 6, -3}, 1e-12);
  expect_values(gradient(ones({3, 3}, float64)), std::vector<double>(9, 0), 1e-12);
  expect_values(gradient(zeros({1, 1})), {1});
  expect_values(gradient(stack({zeros({2, 2}), eye(2), array<float>({{0, 1}, {0, 0}})})),
                {0, 0, 0, 0, 1, 0, 0, 1, 0, 0, -1, 0});
  check_derivatives([](const Arrays& in) { return linalg::det(in[0]); }, {a}, {.order = 1});
}

TEST(Linalg, EqualEigenvaluesLeaveGradientsFinite) {
  const Array unit = eye(3, -1, float64);
  expect_same(grad([](const Array& a) { return sum(linalg::eigvalsh(a)); })(unit), unit, 1e-14);
  expect_same(grad([](const Array& a) { return sum(linalg::svdvals(a)); })(unit), unit, 1e-14);
  const auto square_root = [](const Array& a) {
    const auto [w, v] = linalg::eigh(a);
    return sum(matmul(v * expand_dims(sqrt(w), {-2}), matrix_transpose(v)));
  };
  EXPECT_TRUE(all(isfinite(grad(square_root)(unit))).item<bool>());
  const auto product = [](const Array& a) {
    const auto [u, s, vh] = linalg::svd(a, false);
    return sum(matmul(u * expand_dims(s, {-2}), vh));
  };
  EXPECT_TRUE(all(isfinite(grad(product)(ones({3, 2}, float64)))).item<bool>());
}

TEST(Linalg, ManyMoreFunctionsHaveTheirDerivatives) {
  const Array a = normal_array({2, 3, 3}, 8) + 3 * eye(3, -1, float64), b = normal_array({3}, 9);
  const std::pair<const char*, testing::ArrayFunction> functions[] = {
      {"matrix_power", [](const Arrays& in) { return linalg::matrix_power(in[0], 3); }},
      {"negative power", [](const Arrays& in) { return linalg::matrix_power(in[0], -2); }},
      {"cond", [](const Arrays& in) { return linalg::cond(in[0]); }},
      {"cond 1", [](const Arrays& in) { return linalg::cond(in[0], 1); }},
      {"nuc",
       [](const Arrays& in) {
         return linalg::norm(in[0], "nuc", {-2, -1});
       }},
      {"tri_inv", [](const Arrays& in) { return linalg::tri_inv(in[0], true); }},
      {"cholesky_inv", [](const Arrays& in) { return linalg::cholesky_inv(in[0]); }},
      {"complete qr", [](const Arrays& in) { return linalg::qr(in[0], QrMode::kComplete).first; }},
      {"full svd",
       [](const Arrays& in) {
         const auto [u, s, vh] = linalg::svd(in[0]);
         return matmul(square(u), vh * vh) + expand_dims(s, {-2});
       }},
      {"eigenvectors", [](const Arrays& in) { return square(linalg::eigh(in[0]).second); }},
      {"complex eigenvectors",
       [](const Arrays& in) {
         const auto [values, vectors] = linalg::eig(in[0]);
         return square(abs(vectors)) + expand_dims(real(values) * imag(values), {-2});
       }},
  };
  for (const auto& [name, function] : functions) {
    SCOPED_TRACE(name);
    check_derivatives(function, {a}, {.tolerance = 1e-5});
  }
  check_derivatives([](const Arrays& in) { return linalg::solve(in[0], in[1]); }, {a, b});
  const auto lu_parts = [](const Arrays& in) {
    const auto [p, l, u] = linalg::lu(in[0]);
    return matmul(square(l), square(u));
  };
  for (const Shape& shape : {Shape{3, 3}, Shape{2, 4}, Shape{4, 2}}) {
    check_derivatives(lu_parts, {normal_array(shape, 10)});
  }
}

TEST(Linalg, TransformsCompose) {
  const Array a = normal_array({4, 3, 3}, 11) + 3 * eye(3, -1, float64);
  const Array inverse = linalg::inv(a);
  const UnaryFunction logdet = [](const Array& x) { return linalg::slogdet(x).second; };
  expect_same(vmap(grad(logdet))(a), matrix_transpose(inverse), 1e-13);
  // The Hessian of log det: -inv[j, k] inv[l, i] by a[i, j] and a[k, l].
  const Array b = squeeze(slice_axis(inverse, 0, 0, 1), {0});
  const Array wanted = -einsum("jk,li->ijkl", {b, b});
  expect_same(hessian(logdet)(squeeze(slice_axis(a, 0, 0, 1), {0})), wanted, 1e-12);
  const auto [y, dy] = jvp([](const Array& x) { return linalg::inv(x); }, a, ones_like(a));
  expect_same(dy, -matmul(matmul(inverse, ones_like(a)), inverse), 1e-13);
  // One matrix for many right sides, and the other way round.
  const ArraysFunction solve = [](const Arrays& in) { return Arrays{linalg::solve(in[0], in[1])}; };
  const Array right = normal_array({4, 3}, 12);
  const Array one = squeeze(slice_axis(a, 0, 0, 1), {0});
  expect_same(vmap(solve, {std::nullopt, 0})({one, right})[0], matmul(right, transpose(b)), 1e-13);
  expect_same(vmap(solve, {0, std::nullopt})({a, normal_array({3}, 13)})[0],
              matmul(inverse, normal_array({3}, 13)), 1e-13);
}

TEST(Linalg, ExponentialsOfLargeMatricesAndGradients) {
  // A rotation by 50 radians, and a nilpotent matrix.
  const Array turn = array<double>({{0, 50}, {-50, 0}});
  expect_values(linalg::expm(turn), {std::cos(50), std::sin(50), -std::sin(50), std::cos(50)},
                1e-13);
  expect_values(linalg::expm(array({{0.0f, 1e6f}, {0.0f, 0.0f}})), {1, 1e6, 0, 1}, 1e-6);
  expect_values(linalg::expm(zeros({2, 2, 2})), {1, 0, 0, 1, 1, 0, 0, 1});
  expect_values(linalg::expm(array<double>({{kNan}})), {kNan});
  expect_values(linalg::expm(array<double>({{1}})), {std::exp(1)}, 1e-15);
  // The size of the cotangent does not decide about the accuracy.
  const Array a = normal_array({4, 4}, 14, float32) * 0.3f;
  const auto gradient = [&](float factor) {
    return grad([&](const Array& x) { return factor * sum(linalg::expm(x)); })(a) / factor;
  };
  EXPECT_LE(largest(gradient(1e8f) - gradient(1.0f)), 1e-5);
}

TEST(Linalg, EmptyMatricesAndBatches) {
  for (const Shape& shape : {Shape{0, 0}, Shape{3, 0, 0}, Shape{0, 2, 2}}) {
    SCOPED_TRACE(to_string(shape));
    const Array a = zeros(shape, float64);
    const Shape vector(shape.begin(), shape.end() - 1), batch(shape.begin(), shape.end() - 2);
    for (const Array& x : {linalg::inv(a), linalg::cholesky(a), linalg::expm(a), linalg::pinv(a),
                           linalg::solve(a, a), linalg::tri_inv(a), linalg::matrix_power(a, -3),
                           linalg::eigh(a).second, linalg::eig(a).second, linalg::lu(a).p}) {
      EXPECT_EQ(x.shape(), shape);
      EXPECT_TRUE(x.to_bytes().empty());
    }
    for (const Array& x : {linalg::eigvalsh(a), linalg::eigvals(a), linalg::svdvals(a)}) {
      EXPECT_EQ(x.shape(), vector);
      EXPECT_TRUE(x.to_bytes().empty());
    }
    const auto ones_of_batch = std::vector<double>(static_cast<size_t>(size_of(batch)), 1);
    expect_values(linalg::det(a), ones_of_batch);
    expect_values(linalg::slogdet(a).first, ones_of_batch);
    expect_values(exp(linalg::slogdet(a).second), ones_of_batch);
    for (const UnaryFunction& f :
         {UnaryFunction(linalg::inv), UnaryFunction(linalg::det), UnaryFunction(linalg::expm),
          UnaryFunction(linalg::svdvals), UnaryFunction(linalg::eigvalsh)}) {
      const auto total = [&](const Array& x) { return sum(f(x)); };
      EXPECT_EQ(grad(total)(a).to_bytes().size(), 0u);
    }
  }
}

// ---- Without an answer.

TEST(Linalg, MistakesAreNamedWhileTheGraphIsBuilt) {
  const Array a = zeros({2, 3}), square = eye(3);
  const auto text = [](const auto& body) { return error_text([&] { body(); }); };
  EXPECT_EQ(text([&] { linalg::inv(a); }),
            "[inv] shape (2, 3): the last two axes are not equally long");
  EXPECT_EQ(text([&] { linalg::det(zeros({3})); }),
            "[det] shape (3,) is no matrix: needs two axes or more");
  EXPECT_EQ(text([&] { linalg::svd(astype(a, float16)); }),
            "[svd] dtype float16 has no kernel; wanted float32 or float64");
  EXPECT_EQ(text([&] {
              linalg::solve(square, zeros({2, 4}));
            }),
            "[solve] shapes (3, 3) and (2, 4): 3 rows on the left need as many on the right");
  EXPECT_THAT(text([&] {
                linalg::solve(zeros({2, 3, 3}), zeros({5, 3, 1}));
              }),
              HasSubstr("[solve]"));
  EXPECT_THAT(text([&] { linalg::cholesky(a); }), HasSubstr("[cholesky] shape (2, 3)"));
  EXPECT_THAT(text([&] { linalg::tri_inv(a); }), HasSubstr("[tri_inv] shape (2, 3)"));
  EXPECT_THAT(text([&] { linalg::eigh(a); }), HasSubstr("[eigh] shape (2, 3)"));
  EXPECT_THAT(text([&] { linalg::eig(a); }), HasSubstr("[eig] shape (2, 3)"));
  EXPECT_THAT(text([&] { linalg::expm(a); }), HasSubstr("[expm] shape (2, 3)"));
  EXPECT_THAT(text([&] { linalg::matrix_power(a, 2); }), HasSubstr("[matrix_power] shape"));
  EXPECT_THAT(text([&] { linalg::norm(a, 3); }), HasSubstr("[norm] matrices have no norm of"));
  EXPECT_THAT(text([&] { linalg::norm(a, "max"); }), HasSubstr("unknown order \"max\""));
  EXPECT_THAT(text([&] { linalg::norm(zeros({3}), "fro"); }), HasSubstr("is for matrices"));
  EXPECT_THAT(text([&] { linalg::norm(zeros({2, 2, 2}), 2); }), HasSubstr("3 axes"));
  EXPECT_THAT(text([&] { linalg::norm(a, 2, {0, -2}); }), HasSubstr("given twice"));
  // What is free has no gradient.
  EXPECT_THAT(text([&] { grad([](const Array& x) { return sum(linalg::svd(x).u); })(a); }),
              HasSubstr("[svd] has no gradient for shape (2, 3) with full_matrices"));
  EXPECT_THAT(text([&] {
                grad([](const Array& x) { return sum(linalg::qr(x, QrMode::kComplete).first); })(
                    zeros({3, 2}));
              }),
              HasSubstr("[qr] has no gradient for shape (3, 2)"));
}

TEST(Linalg, MatricesWithoutAnAnswerThrowWhereTheyAreWaitedFor) {
  const Array fine = eye(2, -1, float64), singular = ones({2, 2}, float64);
  const Array batch = stack({fine, singular, singular});
  const auto text = [](const Array& x) { return error_text([&] { eval(x); }); };
  EXPECT_EQ(text(linalg::inv(batch)), "[inv] matrix 1 of shape (3, 2, 2) is singular");
  EXPECT_EQ(text(linalg::inv(singular)), "[inv] the matrix of shape (2, 2) is singular");
  EXPECT_EQ(text(linalg::solve(singular, fine)), "[solve] the matrix of shape (2, 2) is singular");
  EXPECT_THAT(text(linalg::solve_triangular(fine - singular, fine)),
              HasSubstr("[solve_triangular] the matrix of shape (2, 2) is singular"));
  EXPECT_EQ(text(linalg::cholesky(stack({fine, -fine}))),
            "[cholesky] matrix 1 of shape (2, 2, 2) is not positive definite");
  EXPECT_THAT(text(linalg::cholesky(fine * kNan)), HasSubstr("is not positive definite"));
  for (const double bad : {kNan, kInf}) {
    EXPECT_THAT(text(linalg::svd(singular * bad).u), HasSubstr("[svd] the matrix of shape (2, 2)"));
    EXPECT_THAT(text(linalg::svdvals(singular * bad)), HasSubstr("[svdvals]"));
    EXPECT_THAT(text(linalg::pinv(singular * bad)), HasSubstr("[pinv]"));
    EXPECT_THAT(text(linalg::eigh(singular * bad).first), HasSubstr("[eigh]"));
    EXPECT_THAT(text(linalg::eigvals(singular * bad)), HasSubstr("[eigvals]"));
  }
  // These have answers, as NumPy gives them.
  expect_values(linalg::det(batch), {1, 0, 0});
  expect_values(linalg::slogdet(batch).first, {1, 0, 0});
  expect_values(linalg::slogdet(batch).second, {0, -kInf, -kInf});
  expect_values(linalg::slogdet(fine * kNan).first, {kNan});
  expect_values(linalg::inv(fine * kNan), {kNan, kNan, kNan, kNan});
  expect_values(linalg::lu(singular).u, {1, 1, 0, 0});
  expect_values(linalg::inv(fine), {1, 0, 0, 1});
}

TEST(Linalg, TheNumberOfThreadsChangesNoBit) {
  const Array a = normal_array({40, 33, 33}, 15), wide = normal_array({40, 20, 33}, 16);
  const auto results = [&] {
    const auto [u, s, vh] = linalg::svd(wide, false);
    const auto [q, r] = linalg::qr(wide);
    const auto [w, v] = linalg::eigh(a);
    const auto e = linalg::eig(a);
    Arrays all = {u,
                  s,
                  vh,
                  q,
                  r,
                  w,
                  v,
                  e.first,
                  e.second,
                  linalg::inv(a),
                  linalg::solve(a, matrix_transpose(wide)),
                  linalg::expm(a / 10),
                  linalg::det(a),
                  linalg::pinv(wide),
                  linalg::cholesky(matmul(a, matrix_transpose(a)))};
    std::vector<std::vector<std::byte>> bytes;
    for (const Array& x : all) bytes.push_back(x.to_bytes());
    return bytes;
  };
  set_threads(1);
  const auto alone = results();
  set_threads(0);
  for (int round = 0; round < 3; ++round) EXPECT_EQ(results(), alone);
}

}  // namespace
}  // namespace mica
