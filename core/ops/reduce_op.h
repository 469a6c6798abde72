// The op classes behind reduce.h, for kernels.
#pragma once

#include "core/graph/op.h"

namespace mica {

enum class Reduction : uint8_t {
#define REDUCE(name, ...) k_##name,
#include "core/ops/reduce.def"
#undef REDUCE
};
std::string_view name_of(Reduction reduction);

/// Reduces `axes`, which stay with length 1.
class Reduce final : public OpWith<Reduce> {
 public:
  static constexpr std::string_view kName = "reduce";
  Reduction reduction;
  Axes axes;
  FIELDS(Reduce, reduction, axes)
  Reduce(Reduction r, const Axes& a) : reduction(r), axes(a) {}
  std::string_view name() const override { return name_of(reduction); }
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// Position of the first largest (or smallest) element of one axis, which stays with length 1.
class ArgExtreme final : public OpWith<ArgExtreme> {
 public:
  static constexpr std::string_view kName = "argmax";
  int axis;
  bool largest;
  FIELDS(ArgExtreme, axis, largest)
  ArgExtreme(int a, bool l) : axis(a), largest(l) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays&, const Arrays&, const Arrays&) const override { return {Array()}; }
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica

template <>
struct fmt::formatter<mica::Reduction> : fmt::formatter<std::string_view> {
  auto format(mica::Reduction reduction, format_context& context) const {
    return fmt::formatter<std::string_view>::format(mica::name_of(reduction), context);
  }
};
