// The ops behind index.h. Gathering and scatter-summing are each other's derivative.
//
// Kernels throw Error (ErrorKind::kUsage) for the first index, in row-major order, that is outside
// [-length, length).
#pragma once

#include "core/graph/op.h"

namespace mica {

/// x, indices -> x with `axis` replaced by the axes of `indices`.
class Take final : public OpWith<Take> {
 public:
  static constexpr std::string_view kName = "take";
  int axis = 0;
  FIELDS(Take, axis)
  explicit Take(int along) : axis(along) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// indices, updates -> zeros of `shape` with the updates added at the indices along `axis`.
class ScatterSum final : public OpWith<ScatterSum> {
 public:
  static constexpr std::string_view kName = "scatter_sum";
  Shape shape;
  int axis = 0;
  FIELDS(ScatterSum, shape, axis)
  ScatterSum(Shape result, int along) : shape(std::move(result)), axis(along) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// x, indices of the same shape but for `axis` -> the shape of indices.
class TakeAlongAxis final : public OpWith<TakeAlongAxis> {
 public:
  static constexpr std::string_view kName = "take_along_axis";
  int axis = 0;
  FIELDS(TakeAlongAxis, axis)
  explicit TakeAlongAxis(int along) : axis(along) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// indices, updates (of the same shape) -> zeros with `length` places along `axis` and the updates
/// added at the indices.
class ScatterSumAlongAxis final : public OpWith<ScatterSumAlongAxis> {
 public:
  static constexpr std::string_view kName = "scatter_sum_along_axis";
  int axis = 0;
  int64_t length = 0;
  FIELDS(ScatterSumAlongAxis, axis, length)
  ScatterSumAlongAxis(int along, int64_t places) : axis(along), length(places) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
