// Bounds on gradients.
//
//   auto [clipped, norm] = optim::clip_by_global_norm(gradients, 1.0);
//   gradients = optim::clip_by_value(gradients, 0.5);
//
// Results are lazy and keep names, shapes and dtypes. Thread-safe.
#pragma once

#include <utility>

#include "optim/optimizer.h"

namespace mica::optim {

/// sqrt of the sum of all squares, a float32 scalar.
Array global_norm(const NamedArrays& gradients);
/// All gradients times min(1, max_norm / (norm + 1e-6)) (Pascanu et al. 2013; the 1e-6 is
/// PyTorch's), and the norm before. Throws Error unless max_norm is above 0.
std::pair<NamedArrays, Array> clip_by_global_norm(const NamedArrays& gradients, double max_norm);
/// Every element limited to [-limit, limit]. Throws Error unless limit is above 0.
NamedArrays clip_by_value(const NamedArrays& gradients, double limit);

}  // namespace mica::optim
