// FlatGraph: a pending graph as plain numbers, for the passes of the planner.
//
//   Trace trace = trace_graph({loss, weights});
//   std::shared_ptr<const Plan> plan = find_plan(trace.graph);
//
// Values are numbered: leaves' values are given, the others are produced by nodes, which stand
// behind the nodes they depend on. The graph holds structure, shapes, dtypes and the leaves'
// strides, never a leaf's contents: numbers, keys and rates are arguments.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "core/graph/node.h"
#include "core/graph/op.h"

namespace mica {

struct FlatNode {
  std::shared_ptr<const Op> op;
  SmallVector<int, 3> inputs;  // values
  int first_output = 0;        // outputs are consecutive values
  int output_count = 1;
  bool is_recomputed = false;  // a copy for readers far behind, not to be computed earlier
};

struct FlatGraph {
  std::vector<FlatNode> nodes;
  std::vector<Spec> specs;  // of every value
  std::vector<int> leaves;  // values that are given
  std::vector<Strides> leaf_strides;
  std::vector<char> leaf_dies;  // nobody else has the leaf: results may be written over it
  std::vector<int> outputs;     // values that are wanted

  size_t hash() const;
  friend bool operator==(const FlatGraph& a, const FlatGraph& b);
};

/// By value: the node that computes it, -1 for leaves.
std::vector<int> producers_of(const FlatGraph& graph);
/// By value: how many inputs of nodes and outputs of the graph it is.
std::vector<int> uses_of(const FlatGraph& graph);
/// By value: whether it is an output of the graph.
std::vector<char> wanted_of(const FlatGraph& graph);
/// Puts other nodes, with the same outputs, in the place of some.
using Replacements = std::map<size_t, std::vector<FlatNode>>;
void replace_nodes(FlatGraph& graph, const Replacements& replacements);
/// Drops nodes that no output of the graph depends on.
void drop_unread(FlatGraph& graph);

/// A flat graph and what its numbers stand for.
struct Trace {
  struct Output {
    Node* node;
    uint32_t index;  // of the node's outputs; several outputs may be one value
  };
  FlatGraph graph;
  std::vector<Array> leaves;    // parallel to graph.leaves
  std::vector<Output> outputs;  // parallel to graph.outputs
  Stream* stream = nullptr;     // of the nodes
  bool several_streams = false;
};

/// Everything pending that `roots` depend on. Wanted are the roots and all nodes that somebody
/// outside the graph still holds, so that nothing is computed twice later.
Trace trace_graph(const Arrays& roots);

/// Stands for an argument while a function is traced. Only trace_function knows it.
class Placeholder final : public OpWith<Placeholder> {
 public:
  static constexpr std::string_view kName = "placeholder";
  Shape shape;
  Dtype dtype;
  Strides strides;
  bool dies;  // its bytes may be written over
  FIELDS(Placeholder, shape, dtype, strides, dies)
  Placeholder(const Spec& spec, const Strides& s, bool d)
      : shape(spec.shape), dtype(spec.dtype), strides(s), dies(d) {}
  Specs infer(std::span<const Spec>) const override { return {{shape, dtype}}; }
  Arrays vjp(const Arrays&, const Arrays&, const Arrays&) const override { return {}; }
  Arrays vmap(const Arrays&, const Mapped&) const override { return {}; }
};

/// What `results` depend on, with placeholders as leaves. Nothing else is wanted.
Trace trace_function(const Arrays& results);

}  // namespace mica
