// Arrays of double and the plain loops that ops are compared with.
//
//   Tensor sums = along(x, 1, false, [](const Line& line) { return Line{total(line)}; });
//
// Written to be obviously right, never fast.
#pragma once

#include <functional>
#include <vector>

#include "core/graph/shape.h"

namespace mica::testing {

struct Tensor {
  Shape shape;
  std::vector<double> data;  // row-major

  double at(const Shape& index) const;
  double& at(const Shape& index);
};

/// A tensor of `shape` with value(index) at each index.
Tensor generate(const Shape& shape, const std::function<double(const Shape&)>& value);
/// Calls visit(index) for every index of `shape` in row-major order.
void for_each_index(const Shape& shape, const std::function<void(const Shape&)>& visit);

using Line = std::vector<double>;
/// Each line along `axis` replaced by each(line); the new lines all have length `length`.
Tensor along(const Tensor& x, int axis, int64_t length,
             const std::function<Line(const Line&)>& each);
/// The same elements in another shape, or with the axes in another order.
Tensor reshaped(const Tensor& x, const Shape& shape);
Tensor transposed(const Tensor& x, const Axes& axes);
/// x repeated along the axes where `shape` is longer, by NumPy's rule.
Tensor broadcast(const Tensor& x, const Shape& shape);

/// What the elementwise row `name` gives for x (and y), by the standard library. A unary row
/// that is not known there is its own expression in plain double code; a binary one throws Error.
/// Unary rows ignore y.
double row_value(std::string_view name, double x, double y);

}  // namespace mica::testing
