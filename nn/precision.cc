#include "nn/precision.h"

#include "core/base/error.h"
#include "core/ops/elementwise.h"

namespace mica::nn {
namespace {

thread_local Dtype products_type = float32;

}  // namespace

PrecisionScope::PrecisionScope(Dtype products) : outer_(products_type) {
  if (!is_floating(products)) fail("[PrecisionScope] needs a floating type, got {}", products);
  products_type = products;
}

PrecisionScope::~PrecisionScope() { products_type = outer_; }

Array for_product(const Array& x) {
  const bool is_cast = products_type != float32 && is_floating(x.dtype());
  return is_cast ? astype(x, products_type) : x;
}

Array for_statistics(const Array& x) {
  const bool is_cast = products_type != float32 && x.dtype() == products_type;
  return is_cast ? astype(x, float32) : x;
}

}  // namespace mica::nn
