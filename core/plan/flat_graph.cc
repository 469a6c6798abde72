#include "core/plan/flat_graph.h"

#include <algorithm>
#include <unordered_map>

namespace mica {
namespace {

class Tracer {
 public:
  Trace run(const Arrays& roots) {
    for (const Array& root : roots) walk(root.node());
    for (const Array& root : roots) seen_.at(root.node()).wanted = true;
    for (Node* node : order_) {
      const Seen& seen = seen_.at(node);
      const bool held = node->references.load(std::memory_order_relaxed) > seen.references;
      if (held || seen.wanted) want(node, seen);
    }
    return std::move(trace_);
  }

 private:
  struct Seen {
    int references = 0;  // from inside the graph
    bool wanted = false;
    SmallVector<int, 1> values;
  };
  struct Frame {
    Node* node;
    size_t next_input;
  };

  // Inputs first, without recursion.
  void walk(Node* root) {
    std::vector<Frame> stack;
    if (enter(root)) stack.push_back({root, 0});
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (frame.next_input < frame.node->inputs.size()) {
        Node* input = frame.node->inputs[frame.next_input++].node();
        if (enter(input)) stack.push_back({input, 0});
        continue;
      }
      Node* node = frame.node;
      stack.pop_back();
      leave(node);
    }
  }

  // True for a pending node that is met for the first time.
  bool enter(Node* node) {
    const auto [at, fresh] = seen_.try_emplace(node);
    if (!fresh) return false;
    if (!node->is_evaluated()) return true;
    add_leaf(node, at->second);
    return false;
  }

  void add_leaf(Node* node, Seen& seen) {
    for (uint32_t i = 0; i < node->specs.size(); ++i) {
      const int value = static_cast<int>(trace_.graph.specs.size());
      trace_.graph.specs.push_back(node->specs[i]);
      trace_.graph.leaves.push_back(value);
      trace_.graph.leaf_strides.push_back(node->values[i].strides);
      trace_.leaves.push_back(Array(node, i));
      seen.values.push_back(value);
    }
  }

  void leave(Node* node) {
    FlatNode flat;
    for (const Array& input : node->inputs) {
      Seen& seen = seen_.at(input.node());
      ++seen.references;
      flat.inputs.push_back(seen.values[input.index()]);
    }
    Seen& seen = seen_.at(node);
    order_.push_back(node);
    if (node->op->forwarded_input(0) >= 0) {
      for (size_t i = 0; i < node->specs.size(); ++i) {
        const int input = node->op->forwarded_input(static_cast<int>(i));
        seen.values.push_back(flat.inputs[static_cast<size_t>(input)]);
      }
      return;
    }
    flat.op = node->op;
    flat.first_output = static_cast<int>(trace_.graph.specs.size());
    flat.output_count = static_cast<int>(node->specs.size());
    for (size_t i = 0; i < node->specs.size(); ++i) {
      seen.values.push_back(flat.first_output + static_cast<int>(i));
      trace_.graph.specs.push_back(node->specs[i]);
    }
    trace_.graph.nodes.push_back(std::move(flat));
  }

  void want(Node* node, const Seen& seen) {
    for (uint32_t i = 0; i < node->specs.size(); ++i) {
      trace_.graph.outputs.push_back(seen.values[i]);
      trace_.outputs.push_back({node, i});
    }
  }

  Trace trace_;
  std::unordered_map<Node*, Seen> seen_;
  std::vector<Node*> order_;
};

void hash_lengths(size_t& seed, const Shape& lengths) {
  hash_combine(seed, lengths.size());
  for (int64_t length : lengths) hash_combine(seed, static_cast<size_t>(length));
}

bool same_node(const FlatNode& a, const FlatNode& b) {
  return a.inputs == b.inputs && a.first_output == b.first_output &&
         a.output_count == b.output_count && (a.op == b.op || a.op->equals(*b.op));
}

}  // namespace

Trace trace_graph(const Arrays& roots) { return Tracer().run(roots); }

size_t FlatGraph::hash() const {
  size_t seed = nodes.size();
  for (const FlatNode& node : nodes) {
    hash_combine(seed, node.op->hash());
    for (int input : node.inputs) hash_combine(seed, static_cast<size_t>(input));
  }
  for (const Spec& spec : specs) {
    hash_combine(seed, static_cast<size_t>(spec.dtype));
    hash_lengths(seed, spec.shape);
  }
  for (const Strides& strides : leaf_strides) hash_lengths(seed, strides);
  for (int output : outputs) hash_combine(seed, static_cast<size_t>(output));
  return seed;
}

bool operator==(const FlatGraph& a, const FlatGraph& b) {
  return a.nodes.size() == b.nodes.size() && a.specs == b.specs && a.leaves == b.leaves &&
         a.leaf_strides == b.leaf_strides && a.outputs == b.outputs &&
         std::equal(a.nodes.begin(), a.nodes.end(), b.nodes.begin(), same_node);
}

}  // namespace mica
