// Derivatives of functions of arrays.
//
//   auto f = [](const Array& x) { return sum(sin(x)); };
//   Array g = grad(f)(x);                       // cos(x)
//   auto ggf = grad(grad([](const Array& x) { return sin(x); }));
//
// Gradients are graphs like any other and differentiate again. The function is called once per
// call of its derivative; it may evaluate arrays on the way.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "core/graph/array.h"

namespace mica {

using UnaryFunction = std::function<Array(const Array&)>;
using ScalarFunction = std::function<Array(const Arrays&)>;
using ArraysFunction = std::function<Arrays(const Arrays&)>;

/// The gradient of a scalar-valued function. Throws when the result is not a scalar.
UnaryFunction grad(UnaryFunction f);
/// The gradients by the arguments numbered in `argnums` (none given: all).
ArraysFunction grad(ScalarFunction f, std::vector<int> argnums = {});
/// Value and gradients.
std::function<std::pair<Array, Arrays>(const Arrays&)> value_and_grad(
    ScalarFunction f, std::vector<int> argnums = {});
/// The same for a function that returns more than the scalar to differentiate, its first result.
std::function<std::pair<Arrays, Arrays>(const Arrays&)> value_and_grad_aux(
    ArraysFunction f, std::vector<int> argnums = {});

/// Outputs of f at `primals`, and the cotangents of the primals for those of the outputs.
std::pair<Arrays, Arrays> vjp(const ArraysFunction& f, const Arrays& primals,
                              const Arrays& cotangents);

/// Results of f at `primals` and their derivatives along `tangents`, which have the primals'
/// shapes. The derivative of an integer result is zero.
std::pair<Arrays, Arrays> jvp(const ArraysFunction& f, const Arrays& primals,
                              const Arrays& tangents);
std::pair<Array, Array> jvp(const UnaryFunction& f, const Array& primal, const Array& tangent);

/// x as a constant: nothing flows back through it.
Array stop_gradient(const Array& x);

/// f with a derivative of your own: backward(inputs, outputs, cotangents) gives the cotangents of
/// the inputs.
using Backward = std::function<Arrays(const Arrays&, const Arrays&, const Arrays&)>;
ArraysFunction custom_vjp(ArraysFunction f, Backward backward);

}  // namespace mica
