// A function's derivative at a point as a linear map, for the other transforms.
//
//   const TracingScope tracing;
//   const Linearized at = linearize(f, primals);   // calls f once
//   at.pullback(cotangents);                       // of the outputs, to those of the primals
//   at.pushforward(tangents);                      // of the primals, to those of the outputs
//
// Forward derivatives need no rules of their own: t -> pushforward(t) is the transpose of the
// linear map pullback, and so its vjp (Townsend, "A new trick for calculating Jacobian vector
// products", 2017). Cotangents and tangents have the shapes and dtypes of outputs and primals. Both
// maps may be called until the TracingScope ends.
#pragma once

#include "core/transform/grad.h"

namespace mica {

struct Linearized {
  Arrays outputs;
  ArraysFunction pullback;
  /// Throws Error for outputs that are not of a floating or complex type.
  Arrays pushforward(const Arrays& tangents) const;
};

Linearized linearize(const ArraysFunction& f, const Arrays& primals);

}  // namespace mica
