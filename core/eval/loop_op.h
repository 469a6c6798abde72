// The op behind loop.h. Its body is a flat graph whose leaves are, in this order, the carry, a
// step's part of the xs, and what the body took from outside; its outputs are the next carry and a
// step's outputs.
#pragma once

#include <memory>
#include <vector>

#include "core/graph/op.h"
#include "core/plan/flat_graph.h"

namespace mica {

struct LoopGraph {
  FlatGraph graph;
  size_t carries = 0;  // how many
  size_t xs = 0;
  int64_t length = 0;  // steps
  bool reverse = false;
  bool keeps_carries = false;  // the carries before every step follow the outputs, stacked

  size_t outputs() const { return graph.outputs.size() - carries; }
  const Spec& leaf(size_t i) const { return graph.specs[static_cast<size_t>(graph.leaves[i])]; }
  const Spec& result(size_t i) const { return graph.specs[static_cast<size_t>(graph.outputs[i])]; }
  /// The body, built for these leaves.
  Arrays apply_body(const Arrays& leaves) const;
};

/// Inputs: the first carry, xs with the steps in front, what the body took. Outputs: the last
/// carry, the stacked outputs and, with keeps_carries, the stacked carries.
class Loop final : public Op {
 public:
  explicit Loop(LoopGraph body) : body_(std::move(body)) {}
  const LoopGraph& body() const { return body_; }

  std::string_view name() const override { return "scan"; }
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
  size_t hash() const override;
  bool equals(const Op& other) const override;
  std::string print() const override;

 private:
  LoopGraph body_;
};

}  // namespace mica
