// Checks of values and derivatives against plain numbers.
//
//   expect_values(cumsum(x, 0), {1, 3, 6});
//   check_derivatives([](const Arrays& in) { return softmax(in[0]); }, {x});
//
// Derivatives are compared with central differences in float64: the vjp, and the vjp of the vjp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/graph/array.h"

namespace mica::testing {

/// Fails the test unless `got` has these values in row-major order; NaN equals NaN. A difference
/// may be `tolerance` times the larger of 1 and the wanted value.
void expect_values(const Array& got, const std::vector<double>& wanted, double tolerance = 1e-6);
/// The same, shapes included. The dtypes may differ.
void expect_same(const Array& got, const Array& wanted, double tolerance = 1e-6);

/// Normal numbers, the same for the same seed.
std::vector<double> normal_values(int64_t count, uint32_t seed);
Array normal_array(const Shape& shape, uint32_t seed, Dtype dtype = float64);

/// A function of arrays with one result of any shape.
using ArrayFunction = std::function<Array(const Arrays&)>;

struct DerivativeCheck {
  int order = 2;            // 1: the vjp only; 2: its vjp as well
  double step = 1e-5;       // of the differences
  double tolerance = 1e-6;  // relative to the larger of 1 and the derivative
};
/// Compares the derivatives of `f` by its float64 inputs with differences. Inputs of other types
/// are held fixed.
void check_derivatives(const ArrayFunction& f, const Arrays& inputs,
                       const DerivativeCheck& check = {});

/// What the Error thrown by `body` says; "" when nothing is thrown.
std::string error_text(const std::function<void()>& body);

}  // namespace mica::testing
