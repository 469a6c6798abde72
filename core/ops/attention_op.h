// The ops behind attention.h, of float32 or float64. Heads are all leading axes together.
#pragma once

#include "core/graph/op.h"

namespace mica {

/// q (..., L, D), k (..., S, D), v (..., S, E) -> softmax(scale q k^T) v of shape (..., L, E), and
/// for the gradient the logarithm of each query's sum of exp(scale q k^T), (..., L).
class Attention final : public OpWith<Attention> {
 public:
  static constexpr std::string_view kName = "attention";
  double scale;
  bool causal;
  FIELDS(Attention, scale, causal)
  Attention(double factor, bool masked) : scale(factor), causal(masked) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// q, k, v, cotangent, and both outputs of Attention -> the gradients by q, k and v. A function of
/// the first four; the others are what Attention found for them.
class AttentionGradient final : public OpWith<AttentionGradient> {
 public:
  static constexpr std::string_view kName = "attention_gradient";
  double scale;
  bool causal;
  FIELDS(AttentionGradient, scale, causal)
  AttentionGradient(double factor, bool masked) : scale(factor), causal(masked) {}
  Specs infer(std::span<const Spec> in) const override { return {in[0], in[1], in[2]}; }
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
