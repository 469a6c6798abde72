// checkpoint: memory for time.
//
//   auto block = checkpoint([&](const Arrays& x) { return Arrays{layers(x[0])}; });
//   y = block({x})[0];            // the same values and gradients as without
//
// Between the forward pass and its gradient only the arguments and results of the function are
// kept; what it computes on the way is computed again when the gradient asks for it (Chen et al.,
// "Training deep nets with sublinear memory cost", 2016). What the function captures, such as
// weights, gets its gradients as well.
#pragma once

#include "core/transform/grad.h"

namespace mica {

ArraysFunction checkpoint(ArraysFunction f);

}  // namespace mica
