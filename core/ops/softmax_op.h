// The ops behind softmax.h. All of them work along the last axis; the functions move it there.
//
// Rows are (..., columns): the leading axes are independent. Half types compute in float32.
#pragma once

#include "core/graph/op.h"

namespace mica {

/// (..., columns) -> the same shape: exp(x - max) / sum. A row with NaN or +inf gives NaN.
class Softmax final : public OpWith<Softmax> {
 public:
  static constexpr std::string_view kName = "softmax";
  NO_FIELDS(Softmax)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// (..., columns) -> the same shape: x - logsumexp(x).
class LogSoftmax final : public OpWith<LogSoftmax> {
 public:
  static constexpr std::string_view kName = "log_softmax";
  NO_FIELDS(LogSoftmax)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// (..., columns) -> (...). No columns, or all of them -inf, give -inf.
class LogSumExp final : public OpWith<LogSumExp> {
 public:
  static constexpr std::string_view kName = "logsumexp";
  NO_FIELDS(LogSumExp)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// logits (..., classes), integer labels (...) -> the loss, and for the gradient each row's maximum
/// and sum of exp(x - maximum), float32 for half types; (...) each.
class CrossEntropy final : public OpWith<CrossEntropy> {
 public:
  static constexpr std::string_view kName = "cross_entropy";
  bool strict;  // throw for labels that are no class
  FIELDS(CrossEntropy, strict)
  explicit CrossEntropy(bool s) : strict(s) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// Gradient of CrossEntropy by its logits: logits, labels, cotangent (...), maximum, sum ->
/// (..., classes), cotangent * (softmax(logits) - one_hot(labels)), zero in rows whose label is out
/// of range. A function of the first three; maximum and sum are those of the logits.
class CrossEntropyGrad final : public OpWith<CrossEntropyGrad> {
 public:
  static constexpr std::string_view kName = "cross_entropy_grad";
  NO_FIELDS(CrossEntropyGrad)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
