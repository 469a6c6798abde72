// Norms and condition numbers.
#include <cmath>
#include <limits>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/linalg.h"
#include "core/ops/linalg_op.h"
#include "core/ops/numeric.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica::linalg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Array to_inexact(const Array& x) { return is_inexact(x.dtype()) ? x : astype(x, float32); }

// x^p for x >= 0, with a gradient of 0 at 0 where it would be infinite.
Array safe_power(const Array& x, double p) {
  return where(x == 0, power(zeros({}, x.dtype()), p), power(where(x == 0, 1, x), p));
}

Array vector_norm(const Array& values, double ord, const Axes& axes, bool keepdims) {
  const Array x = abs(values);
  if (ord == kInfinity) return max(x, axes, keepdims);
  if (ord == -kInfinity) return min(x, axes, keepdims);
  if (ord == 0) return astype(count_nonzero(x, axes, keepdims), x.dtype());
  if (ord == 1) return sum(x, axes, keepdims);
  if (ord == 2) return norm(x, axes, keepdims);
  const Array total = sum(safe_power(x, ord), axes, keepdims);
  return safe_power(total, 1 / ord);
}

// The axes with the two of the matrices last, as they were given: rows, then columns.
Array matrices_last(const Array& x, int rows, int columns) {
  return moveaxis(moveaxis(x, rows, -1), columns - (columns > rows ? 1 : 0), -1);
}

// Calls of_matrices for x with the matrices in its last axes, and keeps the axes if asked to.
template <class OfMatrices>
Array matrix_norm(const Array& x, const Axes& axes, bool keepdims, OfMatrices of_matrices) {
  Array out = of_matrices(matrices_last(x, axes[0], axes[1]));
  if (!keepdims) return out;
  Shape shape = x.shape();
  shape[static_cast<size_t>(axes[0])] = shape[static_cast<size_t>(axes[1])] = 1;
  return reshape(out, shape);
}

Array matrix_norm(const Array& x, double ord, const Axes& axes, bool keepdims) {
  const bool by_columns = std::abs(ord) == 1;
  if (by_columns || std::abs(ord) == kInfinity) {
    return matrix_norm(x, axes, keepdims, [&](const Array& a) {
      const Array sums = sum(abs(a), {by_columns ? -2 : -1});
      return ord > 0 ? max(sums, {-1}) : min(sums, {-1});
    });
  }
  if (std::abs(ord) == 2) {
    return matrix_norm(x, axes, keepdims, [&](const Array& a) {
      const Array s = svdvals(a);
      return ord > 0 ? max(s, {-1}) : min(s, {-1});
    });
  }
  fail("[norm] matrices have no norm of order {}; wanted 1, -1, 2, -2, inf or -inf", ord);
}

// One axis or two, different ones, in the order given; all axes of a vector or matrix where none
// are given.
Axes norm_axes(const Array& x, const Axes& axes) {
  Axes normal;
  for (const int axis : axes) normal.push_back(normalize_axis(axis, x.shape().size(), "norm"));
  for (int axis = 0; axes.empty() && axis < x.rank(); ++axis) normal.push_back(axis);
  if (normal.size() == 2 && normal[0] == normal[1]) fail("[norm] axis {} given twice", axes[0]);
  if (normal.size() == 1 || normal.size() == 2) return normal;
  fail("[norm] {} axes of an array of shape {}; an order needs one or two", normal.size(),
       to_string(x.shape()));
}

// Infinity for NaN, unless it came from x itself.
Array condition_of(const Array& x, const Array& number) {
  const Array given = any(isnan(x), {-1, -2});
  return where(logical_and(isnan(number), logical_not(given)), kInfinity, number);
}

Array square_floating(const Array& a) {
  const Array x = to_inexact(a);
  check_square({x.shape(), x.dtype()}, "cond");
  return x;
}

}  // namespace

Array norm(const Array& x, const Axes& axes, bool keepdims) {
  const Array values = to_inexact(x);
  return sqrt(sum(square(is_complex(x.dtype()) ? abs(values) : values), axes, keepdims));
}

Array norm_of_order(const Array& x, double ord, const Axes& axes, bool keepdims) {
  const Array values = to_inexact(x);
  const Axes along = norm_axes(x, axes);
  if (along.size() == 1) return vector_norm(values, ord, along, keepdims);
  return matrix_norm(values, ord, along, keepdims);
}

Array norm_of_order(const Array& x, std::string_view ord, const Axes& axes, bool keepdims) {
  const Axes along = norm_axes(x, axes);
  if (along.size() != 2) fail("[norm] order \"{}\" is for matrices, which have two axes", ord);
  if (ord == "fro") return norm(x, along, keepdims);
  if (ord != "nuc") fail("[norm] unknown order \"{}\"; wanted \"fro\", \"nuc\" or a number", ord);
  return matrix_norm(to_inexact(x), along, keepdims,
                     [](const Array& a) { return sum(svdvals(a), {-1}); });
}

Array cond(const Array& a) { return cond(a, 2.0); }

Array cond(const Array& a, double ord) {
  if (std::abs(ord) == 2) {
    const Array x = to_inexact(a);
    const Array s = svdvals(x);
    if (s.dim(-1) == 0) fail("[cond] shape {} has no elements", to_string(a.shape()));
    const Array least = min(s, {-1}), most = max(s, {-1});
    return condition_of(x, ord > 0 ? most / least : least / most);
  }
  const Array x = square_floating(a);
  const Array inverse = mica::apply(Inv(true), {x});
  return condition_of(x, norm(x, ord, {-2, -1}) * norm(inverse, ord, {-2, -1}));
}

Array cond(const Array& a, std::string_view ord) {
  const Array x = square_floating(a);
  const Array inverse = mica::apply(Inv(true), {x});
  return condition_of(x, norm(x, ord, {-2, -1}) * norm(inverse, ord, {-2, -1}));
}

}  // namespace mica::linalg
