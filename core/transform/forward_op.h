// Ops of the transforms: they pass arrays on unchanged and only matter to derivatives.
#pragma once

#include "core/graph/op.h"
#include "core/transform/grad.h"

namespace mica {

/// The input itself: a point for derivatives to start from or (with `stop`) to end at.
class Forward final : public OpWith<Forward> {
 public:
  static constexpr std::string_view kName = "forward";
  bool stop;
  FIELDS(Forward, stop)
  explicit Forward(bool s) : stop(s) {}
  Specs infer(std::span<const Spec> in) const override { return {in[0]}; }
  Arrays vjp(const Arrays&, const Arrays&, const Arrays& g) const override {
    return {stop ? Array() : g[0]};
  }
  Arrays vmap(const Arrays& in, const Mapped&) const override { return {apply(*this, in)}; }
  int forwarded_input(int) const override { return 0; }
};

/// Inputs are a function's arguments, then its results; outputs are the results.
class CustomVjp final : public Op {
 public:
  CustomVjp(size_t arguments, Backward backward)
      : arguments_(arguments), backward_(std::move(backward)) {}

  std::string_view name() const override { return "custom_vjp"; }
  Specs infer(std::span<const Spec> in) const override {
    return Specs(in.begin() + static_cast<ptrdiff_t>(arguments_), in.end());
  }
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override {
    Arrays cotangents = backward_(Arrays(in.begin(), in.begin() + arguments_), out, g);
    if (cotangents.size() != arguments_) {
      fail("[custom_vjp] {} cotangents for {} arguments", cotangents.size(), arguments_);
    }
    cotangents.resize(in.size());
    return cotangents;
  }
  /// `backward` is mapped as well. Arguments that are not mapped count as repeated.
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
  int forwarded_input(int output) const override { return static_cast<int>(arguments_) + output; }
  // Forwarding nodes never reach a plan, so that identity is all there is to compare.
  size_t hash() const override { return std::hash<const Op*>()(this); }
  bool equals(const Op& other) const override { return this == &other; }
  std::string print() const override { return "custom_vjp"; }

 private:
  size_t arguments_;
  Backward backward_;
};

}  // namespace mica
