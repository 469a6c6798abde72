// Matrix products.
//
//   Array y = matmul(x, w);               // (batch, in) x (in, out) -> (batch, out)
//   Array z = matmul(x, transpose(w));    // the transpose is not copied
#pragma once

#include "core/graph/op.h"

namespace mica {

/// NumPy's matmul: (..., M, K) x (..., K, N) -> (..., M, N); leading axes broadcast; a 1-d operand
/// is a row on the left, a column on the right, and that axis is dropped from the result.
/// Operands are promoted to a common type, which may not be bool. Throws Error when the inner
/// dimensions differ.
Array matmul(const Array& a, const Array& b);

/// The op behind it, for kernels: both operands have the same dtype and two axes or more.
class MatMul final : public OpWith<MatMul> {
 public:
  static constexpr std::string_view kName = "matmul";
  NO_FIELDS(MatMul)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
