// The ops behind scatter.h.
//
// Kernels throw Error (ErrorKind::kUsage) for the first index, in row-major order, that is outside
// [-length, length).
#pragma once

#include "core/graph/op.h"

namespace mica {

/// What becomes of a place that an update meets.
enum class Scatter : uint8_t { kSet, kProd, kMax, kMin };
/// "scatter", "scatter_prod", ...
std::string_view name_of(Scatter how);

/// x, indices, updates -> x with the updates written at the indices along `axis`, one after the
/// other. `along`: indices and updates have one shape, that of x but for the axis; otherwise
/// indices is a vector, and updates have its length along the axis.
class ScatterInto final : public OpWith<ScatterInto> {
 public:
  static constexpr std::string_view kName = "scatter";
  Scatter how = Scatter::kSet;
  int axis = 0;
  bool along = false;
  FIELDS(ScatterInto, how, axis, along)
  ScatterInto(Scatter h, int a, bool each) : how(h), axis(a), along(each) {}
  std::string_view name() const override { return name_of(how); }
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// An index array for each axis of `shape`, all of one shape -> int64 row-major positions.
class RavelIndex final : public OpWith<RavelIndex> {
 public:
  static constexpr std::string_view kName = "ravel_multi_index";
  Shape shape;
  FIELDS(RavelIndex, shape)
  explicit RavelIndex(const Shape& s) : shape(s) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica

template <>
struct fmt::formatter<mica::Scatter> : fmt::formatter<std::string_view> {
  auto format(mica::Scatter how, format_context& context) const {
    return fmt::formatter<std::string_view>::format(mica::name_of(how), context);
  }
};
