// Whole Jacobians and Hessians, from linearized functions and vmap.
//
//   Array j = jacrev(f)(x);                  // (shape of f(x)..., shape of x...)
//   Array h = hessian(loss)(x);              // (shape of x..., shape of x...)
//   Array hv = hvp(loss, x, v);              // the Hessian times v, without the Hessian
#pragma once

#include "core/transform/grad.h"

namespace mica {

/// The Jacobian, (shape of f(x)..., shape of x...): row by row with vjp, best for few results, or
/// column by column with jvp, best for few arguments. Rows or columns are computed at once.
UnaryFunction jacrev(UnaryFunction f);
UnaryFunction jacfwd(UnaryFunction f);

/// The second derivatives of a function with a scalar result.
UnaryFunction hessian(UnaryFunction f);
/// The Hessian of a scalar function at x, times v.
Array hvp(const UnaryFunction& f, const Array& x, const Array& v);

}  // namespace mica
