// Samples of linear algebra, against plain loops over small matrices.
//
// Every input has a batch axis in front: the laws repeat its first entry, and a matrix of equal
// rows would be singular. Samples of factors with free signs are functions that do not depend on
// them.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ops/complex.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/linalg.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "tests/core/samples.h"

namespace mica::testing {
namespace {

using linalg::matrix_transpose;
using Samples = std::vector<Sample>;

const std::vector<Dtype> kTypes = {float64, float32};

struct Matrix {
  int64_t rows, columns;
  std::vector<double> data;
  Matrix(int64_t m, int64_t n) : rows(m), columns(n), data(static_cast<size_t>(m * n)) {}
  double& operator()(int64_t i, int64_t j) { return data[static_cast<size_t>(i * columns + j)]; }
  double operator()(int64_t i, int64_t j) const {
    return data[static_cast<size_t>(i * columns + j)];
  }
};

Matrix unit(int64_t n) {
  Matrix x(n, n);
  for (int64_t i = 0; i < n; ++i) x(i, i) = 1;
  return x;
}

Matrix times(const Matrix& a, const Matrix& b) {
  Matrix c(a.rows, b.columns);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < b.columns; ++j) {
      for (int64_t k = 0; k < a.columns; ++k) c(i, j) += a(i, k) * b(k, j);
    }
  }
  return c;
}

Matrix turned(const Matrix& a) {
  Matrix t(a.columns, a.rows);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.columns; ++j) t(j, i) = a(i, j);
  }
  return t;
}

Matrix symmetric(const Matrix& a) {
  Matrix s(a.rows, a.rows);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.rows; ++j) s(i, j) = 0.5 * (a(i, j) + a(j, i));
  }
  return s;
}

// Elimination with the largest pivot first: L and U in one matrix, and the order of the rows.
std::pair<Matrix, std::vector<int64_t>> plain_lu(Matrix a) {
  std::vector<int64_t> order(static_cast<size_t>(a.rows));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t k = 0; k < std::min(a.rows, a.columns); ++k) {
    int64_t best = k;
    for (int64_t i = k; i < a.rows; ++i) best = std::abs(a(i, k)) > std::abs(a(best, k)) ? i : best;
    for (int64_t j = 0; j < a.columns; ++j) std::swap(a(k, j), a(best, j));
    std::swap(order[static_cast<size_t>(k)], order[static_cast<size_t>(best)]);
    for (int64_t i = k + 1; i < a.rows; ++i) {
      a(i, k) /= a(k, k);
      for (int64_t j = k + 1; j < a.columns; ++j) a(i, j) -= a(i, k) * a(k, j);
    }
  }
  return {a, order};
}

// By all permutations.
double plain_det(const Matrix& a) {
  std::vector<int64_t> order(static_cast<size_t>(a.rows));
  std::iota(order.begin(), order.end(), 0);
  double total = 0;
  do {
    double product = 1;
    for (size_t i = 0; i < order.size(); ++i) {
      product *= a(static_cast<int64_t>(i), order[i]);
      for (size_t j = 0; j < i; ++j) product = order[j] > order[i] ? -product : product;
    }
    total += product;
  } while (std::next_permutation(order.begin(), order.end()));
  return total;
}

// By Cramer's rule.
Matrix plain_inv(const Matrix& a) {
  Matrix x(a.rows, a.rows);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.rows; ++j) {
      Matrix replaced = a;
      for (int64_t l = 0; l < a.rows; ++l) replaced(l, j) = l == i ? 1 : 0;
      x(j, i) = plain_det(replaced) / plain_det(a);
    }
  }
  return x;
}

Matrix lower_of(Matrix a, bool unit_diagonal) {
  for (int64_t i = 0; i < a.rows; ++i) {
    if (unit_diagonal) a(i, i) = 1;
    for (int64_t j = i + 1; j < a.columns; ++j) a(i, j) = 0;
  }
  return a;
}

Matrix plain_cholesky(const Matrix& a) {
  Matrix l(a.rows, a.rows);
  for (int64_t j = 0; j < a.rows; ++j) {
    for (int64_t i = j; i < a.rows; ++i) {
      double left = a(i, j);
      for (int64_t k = 0; k < j; ++k) left -= l(i, k) * l(j, k);
      l(i, j) = i == j ? std::sqrt(left) : left / l(j, j);
    }
  }
  return l;
}

// Jacobi's rotations: the eigenvalues of a symmetric matrix, ascending.
std::vector<double> plain_eigenvalues(Matrix a) {
  const int64_t n = a.rows;
  for (int sweep = 0; sweep < 30; ++sweep) {
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) {
        const double angle = 0.5 * std::atan2(2 * a(p, q), a(q, q) - a(p, p));
        Matrix turn = unit(n);
        turn(p, p) = turn(q, q) = std::cos(angle);
        turn(p, q) = std::sin(angle);
        turn(q, p) = -std::sin(angle);
        a = times(turned(turn), times(a, turn));
      }
    }
  }
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(a(i, i));
  std::sort(values.begin(), values.end());
  return values;
}

// Descending.
std::vector<double> plain_singular_values(const Matrix& a) {
  const bool tall = a.rows >= a.columns;
  std::vector<double> values = plain_eigenvalues(tall ? times(turned(a), a) : times(a, turned(a)));
  std::reverse(values.begin(), values.end());
  for (double& v : values) v = std::sqrt(v);
  return values;
}

Matrix column(const std::vector<double>& values) {
  Matrix x(static_cast<int64_t>(values.size()), 1);
  x.data = values;
  return x;
}

// The reference of a function that gives `own` axes for each of the matrices.
template <class Each>
auto per_matrix(const Shape& own, Each each) {
  return [=](const Tensors& in) {
    const Shape& shape = in[0].shape;
    const size_t rank = shape.size();
    Shape result(shape.begin(), shape.end() - 2);
    const int64_t count = size_of(result);
    result.append(own.begin(), own.end());
    Tensor out{result, {}};
    for (int64_t b = 0; b < count; ++b) {
      std::vector<Matrix> matrices;
      for (const Tensor& x : in) {
        Matrix m(x.shape[rank - 2], x.shape[rank - 1]);
        const auto start = x.data.begin() + b * m.rows * m.columns;
        std::copy(start, start + m.rows * m.columns, m.data.begin());
        matrices.push_back(m);
      }
      const Matrix one = each(matrices);
      out.data.insert(out.data.end(), one.data.begin(), one.data.end());
    }
    return out;
  };
}

using Given = const std::vector<Matrix>&;

// Normal numbers with the main diagonal raised, so that elimination and roots are harmless.
Array raised(const Shape& shape, uint32_t seed, double by = 3) {
  const Array raise = eye(shape[shape.size() - 2], shape.back(), float64) * by;
  return normal_array(shape, seed) * 0.5 + raise;
}

void add_elimination(Samples& samples) {
  const auto add = [&](const char* name, const ArrayFunction& function, const Arrays& inputs,
                       const std::function<Tensor(const Tensors&)>& reference) {
    samples.push_back({name + to_string(inputs[0].shape()), function, inputs, reference, kTypes});
  };
  const Array a = raised({2, 3, 3}, 1), b = normal_array({2, 3, 2}, 2);
  const Array backwards = flip(raised({2, 3, 3}, 3), {-1});  // the pivots are in the last rows
  for (const Array& x : {a, backwards, raised({2, 1, 1}, 4)}) {
    const int64_t n = x.dim(-1);
    add(
        "inv", [](const Arrays& in) { return linalg::inv(in[0]); }, {x},
        per_matrix({n, n}, [](Given in) { return plain_inv(in[0]); }));
    add(
        "det", [](const Arrays& in) { return linalg::det(in[0]); }, {x},
        per_matrix({}, [](Given in) { return column({plain_det(in[0])}); }));
    add(
        "slogdet", [](const Arrays& in) { return linalg::slogdet(in[0]).second; }, {x},
        per_matrix({}, [](Given in) { return column({std::log(std::abs(plain_det(in[0])))}); }));
  }
  for (const Array& x : {a, backwards}) {
    add(
        "solve", [](const Arrays& in) { return linalg::solve(in[0], in[1]); }, {x, b},
        per_matrix({3, 2}, [](Given in) { return times(plain_inv(in[0]), in[1]); }));
  }
  for (const Shape& shape : {Shape{2, 3, 3}, Shape{2, 2, 3}, Shape{2, 4, 2}}) {
    add(
        "lu_factor", [](const Arrays& in) { return linalg::lu_factor(in[0]).first; },
        {flip(raised(shape, 5), {-2})},
        per_matrix(Shape(shape.begin() + 1, shape.end()),
                   [](Given in) { return plain_lu(in[0]).first; }));
  }
}

void add_triangles(Samples& samples) {
  const Array a = raised({2, 3, 3}, 6), b = normal_array({2, 3, 2}, 7);
  for (const bool upper : {false, true}) {
    for (const bool transposed : {false, true}) {
      for (const bool ones : {false, true}) {
        const linalg::TriangularOptions options = {upper, transposed, ones};
        samples.push_back(
            {fmt::format("solve_triangular {} {} {}", upper, transposed, ones),
             [=](const Arrays& in) { return linalg::solve_triangular(in[0], in[1], options); },
             {a, b},
             per_matrix({3, 2},
                        [=](Given in) {
                          Matrix t =
                              upper ? turned(lower_of(turned(in[0]), ones)) : lower_of(in[0], ones);
                          return times(plain_inv(transposed ? turned(t) : t), in[1]);
                        }),
             kTypes});
      }
    }
    samples.push_back({fmt::format("cholesky {}", upper),
                       [=](const Arrays& in) { return linalg::cholesky(in[0], upper); },
                       {a},
                       per_matrix({3, 3},
                                  [=](Given in) {
                                    const Matrix l = plain_cholesky(symmetric(in[0]));
                                    return upper ? turned(l) : l;
                                  }),
                       kTypes});
  }
}

// Householder's reflections as LAPACK chooses them: R, its signs included.
Matrix plain_r(Matrix a) {
  const int64_t k = std::min(a.rows, a.columns);
  for (int64_t j = 0; j < k && j + 1 < a.rows; ++j) {
    double norm = 0;
    for (int64_t i = j; i < a.rows; ++i) norm = std::hypot(norm, a(i, j));
    const double first = a(j, j) > 0 ? -norm : norm;
    std::vector<double> v;
    double squares = 0;
    for (int64_t i = j; i < a.rows; ++i) v.push_back(a(i, j) - (i == j ? first : 0));
    for (const double x : v) squares += x * x;
    for (int64_t column = j; column < a.columns; ++column) {
      double dot = 0;
      for (int64_t i = j; i < a.rows; ++i) dot += v[static_cast<size_t>(i - j)] * a(i, column);
      for (int64_t i = j; i < a.rows; ++i) {
        a(i, column) -= 2 * dot / squares * v[static_cast<size_t>(i - j)];
      }
    }
  }
  Matrix r(k, a.columns);
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = i; j < a.columns; ++j) r(i, j) = a(i, j);
  }
  return r;
}

void add_orthogonal(Samples& samples) {
  for (const Shape& shape : {Shape{2, 3, 3}, Shape{2, 2, 3}, Shape{2, 4, 2}, Shape{2, 1, 1}}) {
    const Shape own(shape.begin() + 1, shape.end());
    const int64_t m = own[0], n = own[1], k = std::min(m, n);
    const auto add = [&](const char* name, const ArrayFunction& function, const Shape& result,
                         const std::function<Matrix(Given)>& each) {
      samples.push_back({name + to_string(shape),
                         function,
                         {raised(shape, 8, 2)},
                         per_matrix(result, each),
                         kTypes});
    };
    add(
        "qr, r", [](const Arrays& in) { return linalg::qr(in[0]).second; }, {k, n},
        [](Given in) { return plain_r(in[0]); });
    // A's first columns times R^-1.
    add(
        "qr, q", [](const Arrays& in) { return linalg::qr(in[0]).first; }, {m, k},
        [=](Given in) {
          const Matrix r = plain_r(in[0]);
          Matrix first(m, k), corner(k, k);
          for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < k; ++j) first(i, j) = in[0](i, j);
          }
          for (int64_t i = 0; i < k; ++i) {
            for (int64_t j = 0; j < k; ++j) corner(i, j) = r(i, j);
          }
          return times(first, plain_inv(corner));
        });
    add(
        "svdvals", [](const Arrays& in) { return linalg::svdvals(in[0]); }, {k},
        [](Given in) { return column(plain_singular_values(in[0])); });
    // u s^3 vh = a a^T a
    add(
        "svd",
        [](const Arrays& in) {
          const auto [u, s, vh] = linalg::svd(in[0], false);
          return matmul(u * expand_dims(power(s, 3), {-2}), vh);
        },
        own, [](Given in) { return times(in[0], times(turned(in[0]), in[0])); });
    add(
        "pinv", [](const Arrays& in) { return linalg::pinv(in[0]); }, {n, m},
        [=](Given in) {
          const Matrix t = turned(in[0]);
          return m >= n ? times(plain_inv(times(t, in[0])), t)
                        : times(t, plain_inv(times(in[0], t)));
        });
  }
}

// The real part of v diag(w^2) v^-1 for complex v and w.
Array square_by_eig(const Array& a) {
  const auto [w, v] = linalg::eig(a);
  const Array re = real(w), im = imag(w), v_re = real(v), v_im = imag(v);
  const Array w_re = expand_dims(square(re) - square(im), {-2});
  const Array w_im = expand_dims(2 * re * im, {-2});
  const Array left = concatenate({v_re * w_re - v_im * w_im, v_re * w_im + v_im * w_re}, -2);
  const Array whole =
      concatenate({concatenate({v_re, -v_im}, -1), concatenate({v_im, v_re}, -1)}, -2);
  // x v = left, so v^T x^T = left^T, of which v^-1 is the first n columns.
  const int64_t n = a.dim(-1);
  const Array inverse = slice_axis(linalg::inv(whole), -1, 0, n);
  const Array products =
      concatenate({slice_axis(left, -2, 0, n), -slice_axis(left, -2, n, 2 * n)}, -1);
  return matmul(products, inverse);
}

void add_eigenvalues(Samples& samples) {
  const Array distinct = raised({2, 3, 3}, 9, 1) + diag(array<double>({0, 2, 5}));
  // A rotation in it: two conjugate eigenvalues and a real one.
  const Array turning = distinct + array<double>({{0, 3, 0}, {-3, 0, 0}, {0, 0, 0}});
  const auto add = [&](const char* name, const ArrayFunction& function, const Array& x,
                       const Shape& result, const std::function<Matrix(Given)>& each) {
    samples.push_back({name, function, {x}, per_matrix(result, each), kTypes});
  };
  add(
      "eigvalsh", [](const Arrays& in) { return linalg::eigvalsh(in[0]); }, distinct, {3},
      [](Given in) { return column(plain_eigenvalues(symmetric(in[0]))); });
  add(
      "eigh",
      [](const Arrays& in) {
        const auto [w, v] = linalg::eigh(in[0]);
        return matmul(v * expand_dims(square(w), {-2}), matrix_transpose(v));
      },
      distinct, {3, 3},
      [](Given in) {
        const Matrix s = symmetric(in[0]);
        return times(s, s);
      });
  for (const Array& x : {distinct, turning}) {
    add(
        "eig", [](const Arrays& in) { return square_by_eig(in[0]); }, x, {3, 3},
        [](Given in) { return times(in[0], in[0]); });
    // The real parts of the squares add up to the trace of a^2.
    add(
        "eigvals", [](const Arrays& in) { return sum(real(square(linalg::eigvals(in[0]))), {-1}); },
        x, {},
        [](Given in) {
          const Matrix s = times(in[0], in[0]);
          return column({s(0, 0) + s(1, 1) + s(2, 2)});
        });
  }
  add(
      "expm", [](const Arrays& in) { return linalg::expm(in[0]); },
      normal_array({2, 3, 3}, 10) * 0.5, {3, 3},
      [](Given in) {
        Matrix total = unit(3), term = unit(3);
        for (int i = 1; i < 40; ++i) {
          term = times(term, in[0]);
          for (double& x : term.data) x /= i;
          for (size_t j = 0; j < total.data.size(); ++j) total.data[j] += term.data[j];
        }
        return total;
      });
}

std::vector<double> sums_of(const Matrix& a) {
  std::vector<double> sums;
  for (int64_t j = 0; j < a.columns; ++j) {
    sums.push_back(0);
    for (int64_t i = 0; i < a.rows; ++i) sums.back() += std::abs(a(i, j));
  }
  return sums;
}

double plain_norm(const Matrix& a, double ord) {
  std::vector<double> values;
  if (std::abs(ord) == 1) values = sums_of(a);
  if (std::abs(ord) == 2) values = plain_singular_values(a);
  if (std::isinf(ord)) values = sums_of(turned(a));
  const auto [least, largest] = std::minmax_element(values.begin(), values.end());
  return ord > 0 ? *largest : *least;
}

double plain_vector_norm(const Line& line, double ord) {
  double largest = 0, least = INFINITY, total = 0;
  for (const double v : line) {
    largest = std::max(largest, std::abs(v));
    least = std::min(least, std::abs(v));
    total += ord == 0 ? double(v != 0) : std::isinf(ord) ? 0 : std::pow(std::abs(v), ord);
  }
  if (std::isinf(ord)) return ord > 0 ? largest : least;
  return ord == 0 ? total : std::pow(total, 1 / ord);
}

void add_norms(Samples& samples) {
  for (const double ord : {1.0, -1.0, 2.0, -2.0, double{INFINITY}, -double{INFINITY}}) {
    samples.push_back({fmt::format("norm of matrices {}", ord),
                       [=](const Arrays& in) {
                         return linalg::norm(in[0], ord, {-2, -1});
                       },
                       {normal_array({2, 3, 4}, 11)},
                       per_matrix({}, [=](Given in) { return column({plain_norm(in[0], ord)}); }),
                       kTypes});
  }
  for (const double ord : {0.0, 0.5, 1.0, 2.0, 3.5, -1.0, double{INFINITY}, -double{INFINITY}}) {
    Sample sample = {fmt::format("norm of vectors {}", ord),
                     [=](const Arrays& in) { return linalg::norm(in[0], ord, {1}, true); },
                     {normal_array({2, 3, 2}, 12)},
                     [=](const Tensors& in) {
                       return along(in[0], 1, 1, [=](const Line& line) {
                         return Line{plain_vector_norm(line, ord)};
                       });
                     },
                     kTypes,
                     ord != 0};
    samples.push_back(sample);
  }
}

}  // namespace

std::vector<Sample> linalg_samples() {
  Samples samples;
  add_elimination(samples);
  add_triangles(samples);
  add_orthogonal(samples);
  add_eigenvalues(samples);
  add_norms(samples);
  return samples;
}

}  // namespace mica::testing
