// Attention without the matrix of all pairs.
//
//   Array y = scaled_dot_product_attention(q, k, v);                       // (B, H, L, D)
//   Array y = scaled_dot_product_attention(q, k, v, {.causal = true});
#pragma once

#include "core/graph/array.h"

namespace mica {

struct AttentionOptions {
  double scale = 0;     // of the products; 0 stands for 1 / sqrt(D)
  bool causal = false;  // query i sees keys 0 to i
};

/// softmax(scale q k^T + mask) v over the last two axes: q (..., L, D), k (..., S, D),
/// v (..., S, E) -> (..., L, E). Leading axes broadcast. A bool mask says which keys a query sees
/// (each query at least one), another is added; it broadcasts to (..., L, S). Half types are
/// computed in float32. Throws Error for shapes that do not fit and for types that are not
/// floating. Without a mask, memory grows with L and not with L S: tiles of the products are
/// computed when they are needed, and once more for the gradient.
Array scaled_dot_product_attention(const Array& q, const Array& k, const Array& v,
                                   const AttentionOptions& options = {}, const Array& mask = {});

}  // namespace mica
