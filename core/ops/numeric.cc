#include "core/ops/numeric.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"

namespace mica {
namespace {

// Of floating types; float32 for integers, which have no infinities to replace.
double largest_finite(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat16: return 65504;
    case Dtype::kBfloat16: return 0x1.FEp127;
    case Dtype::kFloat64: return std::numeric_limits<double>::max();
    default: return std::numeric_limits<float>::max();
  }
}

Array equal_or_both_nan(const Array& x, const Array& y, bool equal_nan) {
  const Array same = x == y;
  return equal_nan ? logical_or(same, logical_and(isnan(x), isnan(y))) : same;
}

}  // namespace

Array round(const Array& x, int decimals) {
  // Integers stay: whole numbers have no decimals, and tens of them are counted in whole numbers.
  if (!is_inexact(x.dtype())) {
    if (decimals >= 0 || is_bool(x.dtype())) return x;
    const double unit = std::pow(10.0, -decimals);
    return astype(round(astype(x, float64) / unit) * unit, x.dtype());
  }
  // 10^-d is not exact: the exact power is multiplied and divided by.
  const double power = std::pow(10.0, std::abs(decimals));
  return decimals >= 0 ? round(x * power) / power : round(x / power) * power;
}

Array negative(const Array& x) { return -x; }
Array positive(const Array& x) { return x; }

Dtype result_type(const Arrays& arrays) {
  if (arrays.empty()) fail("[result_type] no arrays");
  return promoted(arrays)[0].dtype();
}

Array degrees(const Array& x) { return x * (180 / std::numbers::pi); }
Array radians(const Array& x) { return x * (std::numbers::pi / 180); }

Array nan_to_num(const Array& x, double nan) {
  const double largest = largest_finite(x.dtype());
  return nan_to_num(x, nan, largest, -largest);
}

Array nan_to_num(const Array& x, double nan, double positive_infinity, double negative_infinity) {
  if (!is_inexact(x.dtype())) return x;
  const auto number = [&](double value) { return Array::scalar(value, x.dtype()); };
  const Array finite = where(isposinf(x), number(positive_infinity),
                             where(isneginf(x), number(negative_infinity), x));
  return where(isnan(x), number(nan), finite);
}

Array isposinf(const Array& x) { return logical_and(isinf(x), x > 0); }
Array isneginf(const Array& x) { return logical_and(isinf(x), x < 0); }

Array logical_xor(const Array& x, const Array& y) {
  return not_equal(astype(x, bool_), astype(y, bool_));
}

Array bitwise_invert(const Array& x) {
  if (is_bool(x.dtype())) return logical_not(x);
  if (!is_integer(x.dtype())) fail("[bitwise_invert] has no meaning for {}", x.dtype());
  // All bits of an unsigned type are its 0 - 1; of a signed one, -1.
  const Array ones = zeros({}, x.dtype()) - Array::scalar(1, x.dtype());
  return bitwise_xor(x, ones);
}

Arrays divmod(const Array& x, const Array& y) { return {floor_divide(x, y), remainder(x, y)}; }

Array isclose(const Array& x, const Array& y, const CloseOptions& options) {
  const Array near = abs(x - y) <= options.atol + options.rtol * abs(y);
  const Array finite = logical_and(isfinite(x), isfinite(y));
  return logical_or(logical_and(finite, near), equal_or_both_nan(x, y, options.equal_nan));
}

Array allclose(const Array& x, const Array& y, const CloseOptions& options) {
  return all(isclose(x, y, options));
}

Array array_equal(const Array& x, const Array& y, bool equal_nan) {
  if (x.shape() != y.shape()) return zeros({}, bool_);
  return all(equal_or_both_nan(x, y, equal_nan));
}

Array stddev(const Array& x, const Axes& axes, bool keepdims, int ddof) {
  return sqrt(var(x, axes, keepdims, ddof));
}

Array median(const Array& x, const Axes& axes, bool keepdims) {
  const Axes reduced = normalize_axes(axes, x.shape().size(), "median");
  Axes order;
  Shape rows, kept;
  int64_t count = 1;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const bool gone = std::find(reduced.begin(), reduced.end(), axis) != reduced.end();
    if (!gone) order.push_back(axis), rows.push_back(x.dim(axis));
    if (!gone || keepdims) kept.push_back(gone ? 1 : x.dim(axis));
  }
  for (const int axis : reduced) order.push_back(axis), count *= x.dim(axis);
  if (count == 0) fail("[median] shape {} has no elements along its axes", to_string(x.shape()));
  rows.push_back(count);
  const Array floating = is_inexact(x.dtype()) ? x : astype(x, float32);
  const Array sorted = sort(reshape(transpose(floating, order), rows), -1);
  const int64_t middle = (count - 1) / 2;
  const Array both = slice_axis(sorted, -1, middle, count / 2 + 1);
  // NaN sorts last and makes the median NaN.
  const Array last = slice_axis(sorted, -1, count - 1, count);
  return reshape(where(isnan(last), last, mean(both, {-1}, true)), kept);
}

Array count_nonzero(const Array& x, const Axes& axes, bool keepdims) {
  return sum(astype(x != 0, int32), axes, keepdims);
}

Array trace(const Array& x, int k, int axis1, int axis2) {
  return sum(diagonal(x, k, axis1, axis2), {-1});
}

Array diff(const Array& x, int times, int axis) {
  if (times < 0) fail("[diff] {} times", times);
  axis = normalize_axis(axis, x.shape().size(), "diff");
  Array y = x;
  for (int i = 0; i < times && y.dim(axis) > 0; ++i) {
    const int64_t length = y.dim(axis);
    const Array later = slice_axis(y, axis, 1, length);
    const Array earlier = slice_axis(y, axis, 0, length - 1);
    y = is_bool(y.dtype()) ? not_equal(later, earlier) : later - earlier;
  }
  return y;
}

}  // namespace mica
