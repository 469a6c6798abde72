// The ops behind scan.h: a class per row of scan.def, and two that their derivatives need.
//
//   mica::apply(CumSum(axis, reverse, inclusive), {x});
#pragma once

#include "core/graph/op.h"

namespace mica {

#define SCAN(function, Class, ...)                                                   \
  class Class final : public OpWith<Class> {                                         \
   public:                                                                           \
    static constexpr std::string_view kName = #function;                             \
    int axis = 0;                                                                    \
    bool reverse = false;                                                            \
    bool inclusive = true;                                                           \
    FIELDS(Class, axis, reverse, inclusive)                                          \
    Class(int along, bool from_end, bool with_own)                                   \
        : axis(along), reverse(from_end), inclusive(with_own) {}                     \
    Specs infer(std::span<const Spec> in) const override;                            \
    Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override; \
    Arrays vmap(const Arrays& in, const Mapped& mapped) const override;              \
  };
#include "core/ops/scan.def"
#undef SCAN

/// int32 position of the running extreme, the first one met among equals; NaN wins.
class RunningArg final : public OpWith<RunningArg> {
 public:
  static constexpr std::string_view kName = "running_arg";
  int axis = 0;
  bool reverse = false;
  bool largest = true;
  FIELDS(RunningArg, axis, reverse, largest)
  RunningArg(int along, bool from_end, bool want_largest)
      : axis(along), reverse(from_end), largest(want_largest) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// y[k] = a[k] * y[k - 1] + b[k]; inputs a and b of one shape and dtype.
class LinearRecurrence final : public OpWith<LinearRecurrence> {
 public:
  static constexpr std::string_view kName = "linear_recurrence";
  int axis = 0;
  bool reverse = false;
  FIELDS(LinearRecurrence, axis, reverse)
  LinearRecurrence(int along, bool from_end) : axis(along), reverse(from_end) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
