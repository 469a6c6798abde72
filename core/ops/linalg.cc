#include "core/ops/linalg.h"

#include <limits>

#include "core/ops/complex.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/linalg_op.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica::linalg {
namespace {

// In a type that the ops compute in, or one that they will refuse.
Array to_floating(const Array& a) {
  return is_integer(a.dtype()) || is_bool(a.dtype()) ? astype(a, float32) : a;
}

Array symmetric_part(const Array& a, const char* op) {
  const Array x = to_floating(a);
  check_square({x.shape(), x.dtype()}, op);
  return 0.5 * (x + matrix_transpose(x));
}

double epsilon(Dtype dtype) {
  return dtype == float64 ? std::numeric_limits<double>::epsilon()
                          : double{std::numeric_limits<float>::epsilon()};
}

// max(m, n) epsilon.
double rounding(const Array& a) {
  return static_cast<double>(std::max(a.dim(-1), a.dim(-2))) * epsilon(a.dtype());
}

void check_is_matrix(const Array& a, const char* op) { check_matrix({a.shape(), a.dtype()}, op); }

// Both operands of a system, in one type and with equal batches. A vector on the right becomes a
// column.
struct System {
  Array a, b;
  bool vector;

  System(const Array& left, const Array& right, const char* op) : vector(right.rank() == 1) {
    const Arrays same = promoted({to_floating(left), to_floating(right)});
    a = same[0], b = same[1];
    check_is_matrix(a, op);
    if (vector) b = expand_dims(b, {1});
    const bool fits = b.rank() >= 2 && b.dim(-2) == a.dim(-2);
    if (!fits) {
      fail("[{}] shapes {} and {}: {} rows on the left need as many on the right", op,
           to_string(left.shape()), to_string(right.shape()), a.dim(-2));
    }
    const Shape batch =
        broadcast_shapes(batch_and(a.shape(), 2, {}), batch_and(b.shape(), 2, {}), op);
    a = broadcast_to(a, with(batch, a));
    b = broadcast_to(b, with(batch, b));
  }
  Array result(const Array& x) const { return vector ? squeeze(x, {-1}) : x; }

 private:
  static Shape with(Shape batch, const Array& x) {
    batch.push_back(x.dim(-2));
    batch.push_back(x.dim(-1));
    return batch;
  }
};

}  // namespace

Array matrix_transpose(const Array& a) {
  if (a.rank() < 2) fail("[matrix_transpose] shape {} is no matrix", to_string(a.shape()));
  return swapaxes(a, -1, -2);
}

// ---- Solving.

Array solve(const Array& a, const Array& b) {
  const Array left = to_floating(a);
  check_square({left.shape(), left.dtype()}, "solve");
  // Factored before it is repeated for the batches of b.
  const Dtype dtype = promote(left.dtype(), to_floating(b).dtype());
  const Array typed = astype(left, dtype);
  const Arrays factors = mica::apply_all(LuFactor(), {typed});
  const System system(typed, b, "solve");
  const Shape& batch = system.a.shape();
  const auto repeated = [&](const Array& pivots) {
    return broadcast_to(pivots, batch_and(batch, 1, {}));
  };
  return system.result(mica::apply(
      LuSolve(false), {system.a, broadcast_to(factors[0], batch), repeated(factors[1]), system.b}));
}

Array solve_triangular(const Array& a, const Array& b, const TriangularOptions& options) {
  const System system(a, b, "solve_triangular");
  check_square({system.a.shape(), system.a.dtype()}, "solve_triangular");
  const SolveTriangular op(options.upper, options.transposed, options.unit_diagonal);
  return system.result(mica::apply(op, {system.a, system.b}));
}

Array inv(const Array& a) { return mica::apply(Inv(false), {to_floating(a)}); }

Array tri_inv(const Array& a, bool upper) {
  const Array x = to_floating(a);
  check_square({x.shape(), x.dtype()}, "tri_inv");
  return solve_triangular(x, eye(x.dim(-1), -1, x.dtype()), {.upper = upper});
}

Array pinv(const Array& a, std::optional<double> rcond) {
  const Array x = to_floating(a);
  check_is_matrix(x, "pinv");
  return mica::apply(Pinv(rcond.value_or(10 * rounding(x))), {x});
}

LstsqResult lstsq(const Array& a, const Array& b, std::optional<double> rcond) {
  const System system(a, b, "lstsq");
  const double least = rcond.value_or(rounding(system.a));
  const Array x = matmul(pinv(system.a, least), system.b);
  const Array missed = matmul(system.a, x) - system.b;
  const Array residuals = sum(square(missed), {-2});
  return {system.result(x), system.vector ? squeeze(residuals, {-1}) : residuals,
          matrix_rank(system.a, least), svdvals(system.a)};
}

// ---- Factors.

Array cholesky(const Array& a, bool upper) {
  const Array factor = mica::apply(Cholesky(), {symmetric_part(a, "cholesky")});
  return upper ? matrix_transpose(factor) : factor;
}

Array cholesky_inv(const Array& factor, bool upper) {
  const Array x = tri_inv(factor, upper);
  return upper ? matmul(x, matrix_transpose(x)) : matmul(matrix_transpose(x), x);
}

std::pair<Array, Array> qr(const Array& a, QrMode mode) {
  const Arrays out = mica::apply_all(Qr(mode == QrMode::kComplete), {to_floating(a)});
  return {out[0], out[1]};
}

LuResult lu(const Array& a) {
  const Array x = to_floating(a);
  const Arrays out = mica::apply_all(LuFactor(), {x});
  const int64_t m = x.dim(-2), n = x.dim(-1), k = std::min(m, n);
  const Array p = expand_dims(arange(m), {1}) == expand_dims(out[2], {-2});
  const Array l = tril(slice_axis(out[0], -1, 0, k), -1) + eye(m, k, x.dtype());
  return {astype(p, x.dtype()), l, triu(slice_axis(out[0], -2, 0, k))};
}

std::pair<Array, Array> lu_factor(const Array& a) {
  const Arrays out = mica::apply_all(LuFactor(), {to_floating(a)});
  return {out[0], out[1]};
}

SvdResult svd(const Array& a, bool full_matrices) {
  const Arrays out = mica::apply_all(Svd(full_matrices), {to_floating(a)});
  return {out[0], out[1], out[2]};
}

Array svdvals(const Array& a) { return mica::apply(SvdVals(), {to_floating(a)}); }

std::pair<Array, Array> eigh(const Array& a) {
  const Arrays out = mica::apply_all(Eigh(), {symmetric_part(a, "eigh")});
  return {out[0], out[1]};
}

Array eigvalsh(const Array& a) { return mica::apply(Eigvalsh(), {symmetric_part(a, "eigvalsh")}); }

std::pair<Array, Array> eig(const Array& a) {
  const Arrays out = mica::apply_all(Eig(), {to_floating(a)});
  return {to_complex(out[0], out[1]), to_complex(out[2], out[3])};
}

Array eigvals(const Array& a) {
  const Arrays out = mica::apply_all(Eigvals(), {to_floating(a)});
  return to_complex(out[0], out[1]);
}

// ---- Numbers.

Array det(const Array& a) { return mica::apply(Det(), {to_floating(a)}); }

std::pair<Array, Array> slogdet(const Array& a) {
  const Arrays out = mica::apply_all(Slogdet(), {to_floating(a)});
  return {out[0], out[1]};
}

Array matrix_rank(const Array& a, std::optional<double> rtol) {
  const Array x = to_floating(a);
  const Array s = svdvals(x);
  if (s.dim(-1) == 0) return zeros(batch_and(s.shape(), 1, {}), int32);
  const Array least = slice_axis(s, -1, 0, 1) * rtol.value_or(rounding(x));
  return sum(astype(s > least, int32), {-1});
}

// ---- Functions of matrices.

Array matrix_power(const Array& a, int64_t n) {
  const Array x = to_floating(a);
  check_square({x.shape(), x.dtype()}, "matrix_power");
  if (n == 0) return broadcast_to(eye(x.dim(-1), -1, x.dtype()), x.shape());
  Array base = n < 0 ? inv(x) : x, power;
  // INT64_MIN has no positive counterpart.
  for (uint64_t left = n < 0 ? ~static_cast<uint64_t>(n) + 1 : static_cast<uint64_t>(n);;) {
    if (left & 1) power = power.defined() ? matmul(power, base) : base;
    if ((left >>= 1) == 0) return power;
    base = matmul(base, base);
  }
}

Array expm(const Array& a) { return mica::apply(Expm(), {to_floating(a)}); }

}  // namespace mica::linalg
