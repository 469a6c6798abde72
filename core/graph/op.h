// Op: one operation of the graph, as rules. Kernels are elsewhere (kernels.h, *_cpu.cc).
//
//   class CumSum final : public OpWith<CumSum> {
//    public:
//     static constexpr std::string_view kName = "cumsum";
//     int axis = 0;
//     bool reverse = false;
//     FIELDS(CumSum, axis, reverse)
//     Specs infer(std::span<const Spec> in) const override { return {in[0]}; }
//     Arrays vjp(const Arrays&, const Arrays&, const Arrays& g) const override {
//       return {cumsum(g[0], axis, !reverse)};
//     }
//     Arrays vmap(const Arrays& in, const Mapped&) const override {
//       return {cumsum(in[0], axis + 1, reverse)};
//     }
//   };
//   Array cumsum(const Array& x, int axis, bool reverse) {
//     return apply(CumSum{axis, reverse}, {x});     // with a constructor or aggregate of your own
//   }
//
// A rule that is forgotten does not compile. FIELDS gives equality and hash, by which equal nodes
// are merged and plans are found again: every member that changes the result must be listed.
// Ops are immutable and may be shared between graphs and threads.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/fields.h"
#include "core/graph/array.h"

namespace mica {

/// What is known of an array before it is computed.
struct Spec {
  Shape shape;
  Dtype dtype = Dtype::kFloat32;
  friend bool operator==(const Spec&, const Spec&) = default;
};
using Specs = SmallVector<Spec, 1>;
/// By input: whether it has the axis that vmap goes along, in front of its own axes.
using Mapped = SmallVector<char, 3>;

class Op {
 public:
  virtual ~Op() = default;
  virtual std::string_view name() const = 0;
  /// Shape and dtype of every output. Throws Error for inputs that do not fit.
  virtual Specs infer(std::span<const Spec> in) const = 0;
  /// Cotangents of the inputs from those of the outputs, as graph code, so that it differentiates
  /// again. An empty Array stands for "no gradient" (integer inputs, for example). `g[i]` has the
  /// shape and dtype of `out[i]`, and a returned cotangent those of its input.
  virtual Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const = 0;
  /// The op for every position of the mapped axis at once, as graph code: at least one input has
  /// that axis, every output gets it in front (core/ops/mapping.h has what rules share).
  virtual Arrays vmap(const Arrays& in, const Mapped& mapped) const = 0;

  virtual size_t hash() const = 0;
  virtual bool equals(const Op& other) const = 0;
  virtual std::string print() const = 0;

  /// The number of the input that output `output` is, unchanged; -1 where there is work to do.
  virtual int forwarded_input(int output) const { return (void)output, -1; }
  /// Why there is no value to compute; empty for everything that has one.
  virtual std::string_view refusal() const { return {}; }
  /// Non-null for ops that only look at the same bytes in another way.
  virtual const class ViewOp* as_view() const { return nullptr; }
};

/// An op whose output is another layout over its only input's buffer. It has no kernel.
class ViewOp : public Op {
 public:
  /// The layout of the output, or nothing when the input has to be made contiguous first.
  /// A contiguous input always has an answer.
  virtual std::optional<Layout> view(const Layout& in) const = 0;
  const ViewOp* as_view() const final { return this; }
};

/// Fills name, hash, equality and printing in from kName and FIELDS.
template <class Self, class Base = Op>
class OpWith : public Base {
 public:
  std::string_view name() const override { return Self::kName; }
  size_t hash() const override {
    size_t seed = std::hash<std::string_view>()(Self::kTypeName);
    hash_combine(seed, hash_fields(self()));
    return seed;
  }
  bool equals(const Op& other) const override {
    const Self* same = dynamic_cast<const Self*>(&other);
    return same != nullptr && equal_fields(self(), *same);
  }
  std::string print() const override { return print_fields(self()); }

 private:
  const Self& self() const { return static_cast<const Self&>(*this); }
};

/// Adds a node to the graph. Returns its outputs.
Arrays apply_all(std::shared_ptr<const Op> op, Arrays inputs);
/// The same for an op with one output.
Array apply(std::shared_ptr<const Op> op, Arrays inputs);

template <class T>
  requires std::derived_from<T, Op> Array apply(T op, Arrays inputs) {
    // Qualified, or argument-dependent lookup would prefer std::apply.
    return mica::apply(std::shared_ptr<const Op>(std::make_shared<const T>(std::move(op))),
                       std::move(inputs));
  }
template <class T>
  requires std::derived_from<T, Op> Arrays apply_all(T op, Arrays inputs) {
    return apply_all(std::shared_ptr<const Op>(std::make_shared<const T>(std::move(op))),
                     std::move(inputs));
  }

}  // namespace mica
