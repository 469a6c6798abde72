#include "optim/clip.h"

#include "core/base/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"

namespace mica::optim {

Array global_norm(const NamedArrays& gradients) {
  Array total = 0.0f;
  for (const auto& [name, gradient] : gradients) {
    total = total + sum(square(astype(gradient, float32)));
  }
  return sqrt(total);
}

std::pair<NamedArrays, Array> clip_by_global_norm(const NamedArrays& gradients, double max_norm) {
  if (!(max_norm > 0)) fail("[clip_by_global_norm] max_norm must be above 0, got {}", max_norm);
  const Array norm = global_norm(gradients);
  const Array factor = minimum(max_norm / (norm + 1e-6), 1);
  NamedArrays clipped;
  for (const auto& [name, gradient] : gradients) {
    clipped[name] = gradient * astype(factor, gradient.dtype());
  }
  return {std::move(clipped), norm};
}

NamedArrays clip_by_value(const NamedArrays& gradients, double limit) {
  if (!(limit > 0)) fail("[clip_by_value] limit must be above 0, got {}", limit);
  NamedArrays clipped;
  for (const auto& [name, gradient] : gradients) clipped[name] = clip(gradient, -limit, limit);
  return clipped;
}

}  // namespace mica::optim
