// Mixed precision: products of matrices and convolutions in a shorter type, the rest in float32.
//
//   nn::PrecisionScope bf16(bfloat16);
//   Array loss = nn::nll(astype(model(x), float32), y);     // parameters stay float32
//
// While a scope exists on a thread, Linear and Conv2d cast their input and parameters, and give
// results of that type; normalisations and softmax take theirs back to float32. Gradients come back
// through the casts, so those of the parameters are float32 again (Micikevicius et al. 2018;
// bfloat16 has float32's range and needs no scaling of the loss).
#pragma once

#include "core/graph/array.h"

namespace mica::nn {

class PrecisionScope {
 public:
  /// float32 means: as without a scope. Throws Error for a type that is not floating.
  explicit PrecisionScope(Dtype products);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  Dtype outer_;
};

/// For layers that multiply: x in the scope's type. Without a scope, x.
Array for_product(const Array& x);
/// For layers that sum many values or take exponentials: x in float32. Without a scope, x.
Array for_statistics(const Array& x);

}  // namespace mica::nn
