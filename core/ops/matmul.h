// Matrix products.
//
//   Array y = matmul(x, w);               // (batch, in) x (in, out) -> (batch, out)
//   Array z = matmul(x, transpose(w));    // the transpose is not copied
#pragma once

#include "core/graph/array.h"

namespace mica {

/// NumPy's matmul: (..., M, K) x (..., K, N) -> (..., M, N); leading axes broadcast; a 1-d operand
/// is a row on the left, a column on the right, and that axis is dropped from the result.
/// Operands are promoted to a common type. Throws Error when the inner dimensions differ.
Array matmul(const Array& a, const Array& b);

}  // namespace mica
