// The graph behind a function's results, built once more with other arguments.
//
//   Rewriter again([](Node& node, const Arrays& in, const Mapped&) {
//     return apply_all(node.op, in);
//   });
//   again.replace(x, y);
//   Array of_y = again.rewritten(f(x));   // f(y), without calling f
//
// Arguments to replace must be tracers, so that the walk need not look at what has none behind it.
#pragma once

#include <functional>
#include <vector>

#include "core/base/pointer_map.h"
#include "core/graph/node.h"
#include "core/graph/op.h"

namespace mica {

class Rewriter {
 public:
  /// The outputs of a node for these inputs, of which `replaced` marks those that are not the
  /// node's own.
  using Rule = std::function<Arrays(Node& node, const Arrays& in, const Mapped& replaced)>;
  explicit Rewriter(Rule rule) : rule_(std::move(rule)) {}

  /// REQUIRES: `from` is an output of a tracer node.
  void replace(const Array& from, const Array& to);
  /// What stands for the array; undefined if it depends on nothing that is replaced.
  Array rewritten(const Array& array);
  /// Tracers that do not depend on anything replaced, but that something rewritten depends on.
  const Arrays& captured() const { return captured_; }

 private:
  void walk(Node* root);
  bool is_new(const Node* node) const;
  int add(Node* node);
  Array image_of(const Array& array) const;
  Arrays rewrite(Node* node);

  Rule rule_;
  PointerMap numbers_;          // by node
  std::vector<Arrays> images_;  // by number: what stands for its outputs
  Arrays captured_;
};

}  // namespace mica
