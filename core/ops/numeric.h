// NumPy's functions that are made of others: tests of closeness, statistics, differences.
//
//   allclose(a, b)            // a bool scalar
//   stddev(x, {0})            // NumPy's std, whose name C++ has taken
//   diff(x, 2, -1)
#pragma once

#include "core/graph/array.h"

namespace mica {

/// To so many decimals, halves to the even one; negative ones round to tens, hundreds ...
Array round(const Array& x, int decimals);
Array negative(const Array& x);
Array positive(const Array& x);
/// The type that the arrays have after promotion.
Dtype result_type(const Arrays& arrays);
/// Angles from radians to degrees, and back.
Array degrees(const Array& x);
Array radians(const Array& x);
/// NaN and infinities replaced; without numbers given, the largest finite ones of the type.
Array nan_to_num(const Array& x, double nan = 0);
Array nan_to_num(const Array& x, double nan, double positive_infinity, double negative_infinity);
Array isposinf(const Array& x);
Array isneginf(const Array& x);
Array logical_xor(const Array& x, const Array& y);
Array bitwise_invert(const Array& x);
/// Quotient rounded down, and remainder with the divisor's sign.
Arrays divmod(const Array& x, const Array& y);

struct CloseOptions {
  double rtol = 1e-5;
  double atol = 1e-8;
  bool equal_nan = false;
};
/// |x - y| <= atol + rtol |y|, or equal.
Array isclose(const Array& x, const Array& y, const CloseOptions& options = {});
/// The same of all elements: a bool scalar.
Array allclose(const Array& x, const Array& y, const CloseOptions& options = {});
/// False for other shapes.
Array array_equal(const Array& x, const Array& y, bool equal_nan = false);

/// Square root of var(x, axes, keepdims, ddof).
Array stddev(const Array& x, const Axes& axes = {}, bool keepdims = false, int ddof = 0);
/// The middle of the sorted elements, the mean of both where their number is even.
Array median(const Array& x, const Axes& axes = {}, bool keepdims = false);
/// int32 number of elements that are not 0.
Array count_nonzero(const Array& x, const Axes& axes = {}, bool keepdims = false);
/// Sum of diagonal `k` of the planes of two axes.
Array trace(const Array& x, int k = 0, int axis1 = 0, int axis2 = 1);
/// Differences of neighbours along an axis, `times` over.
Array diff(const Array& x, int times = 1, int axis = -1);

}  // namespace mica
