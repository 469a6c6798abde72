// The ops behind norm.h. Statistics of half types are float32.
#pragma once

#include "core/graph/op.h"

namespace mica {

/// x (..., channels) -> mean and biased variance (channels,) over the leading axes.
class ChannelMoments final : public OpWith<ChannelMoments> {
 public:
  static constexpr std::string_view kName = "channel_moments";
  NO_FIELDS(ChannelMoments)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// g and x (..., channels), mean (channels,) -> the sums of g and of g * (x - mean) over the
/// leading axes: all that the derivatives of a batch norm need beside its arguments.
class ChannelDots final : public OpWith<ChannelDots> {
 public:
  static constexpr std::string_view kName = "channel_dots";
  NO_FIELDS(ChannelDots)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// x, mean, variance, y[, weight, bias] -> y, which is x normalised by graph code. It only brings
/// the derivative, in two passes over memory where that of the graph code would take five.
class BatchNormed final : public OpWith<BatchNormed> {
 public:
  static constexpr std::string_view kName = "batch_norm";
  double eps;
  FIELDS(BatchNormed, eps)
  explicit BatchNormed(double added) : eps(added) {}
  Specs infer(std::span<const Spec> in) const override { return {in[3]}; }
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
  int forwarded_input(int) const override { return 3; }
};

/// x (..., columns)[, weight[, bias]] -> y = (x - mean) root weight + bias, and for every row its
/// mean and root = 1 / sqrt(variance + eps). Where not `centred`, the mean is taken for 0, which
/// makes the variance the mean square.
class RowNorm final : public OpWith<RowNorm> {
 public:
  static constexpr std::string_view kName = "row_norm";
  double eps;
  bool centred;
  FIELDS(RowNorm, eps, centred)
  RowNorm(double added, bool off) : eps(added), centred(off) {}
  std::string_view name() const override { return centred ? "layer_norm" : "rms_norm"; }
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// The gradient of y: g, x, mean, root[, weight] -> dx[, dweight, dbias]. A function of g, x and
/// weight; mean and root are what RowNorm found for x.
class RowNormGradient final : public OpWith<RowNormGradient> {
 public:
  static constexpr std::string_view kName = "row_norm_gradient";
  double eps;
  bool centred;
  FIELDS(RowNormGradient, eps, centred)
  RowNormGradient(double added, bool off) : eps(added), centred(off) {}
  std::string_view name() const override {
    return centred ? "layer_norm_gradient" : "rms_norm_gradient";
  }
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
