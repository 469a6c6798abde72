#include "core/plan/flat_graph.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/pointer_map.h"

namespace mica {
namespace {

class Tracer {
 public:
  explicit Tracer(bool of_function) : of_function_(of_function) {
    // Room for a small step's graph at once: most traces are of those, and growing costs them more
    // than the walk.
    constexpr size_t kUsual = 64;
    seen_.reserve(kUsual);
    values_.reserve(kUsual);
    order_.reserve(kUsual);
    stack_.reserve(kUsual);
    trace_.graph.nodes.reserve(kUsual);
    trace_.graph.specs.reserve(kUsual);
    trace_.graph.leaves.reserve(kUsual);
    trace_.graph.leaf_strides.reserve(kUsual);
    trace_.leaves.reserve(kUsual);
  }

  Trace run(const Arrays& roots) {
    for (const Array& root : roots) walk(root.node());
    for (const Array& root : roots) seen_of(root).wanted = true;
    for (const int number : order_) {
      const Seen& seen = seen_[static_cast<size_t>(number)];
      if (seen.wanted || (!of_function_ && is_held_outside(seen))) want(seen);
    }
    mark_dying_leaves();
    return std::move(trace_);
  }

 private:
  struct Seen {
    Node* node;
    int references = 0;      // from inside the graph
    size_t first_value = 0;  // in values_, one for each output
    bool wanted = false;
  };
  struct Frame {
    int number;
    size_t next_input;
  };

  static bool is_held_outside(const Seen& seen) {
    return seen.node->references.load(std::memory_order_relaxed) > seen.references;
  }

  Seen& seen_of(const Array& array) {
    return seen_[static_cast<size_t>(numbers_.find(array.node()))];
  }

  // Inputs first, without recursion.
  void walk(Node* root) {
    if (enter(root)) stack_.push_back({last_seen(), 0});
    while (!stack_.empty()) {
      Frame& frame = stack_.back();
      const Node* node = seen_[static_cast<size_t>(frame.number)].node;
      if (frame.next_input < node->inputs.size()) {
        if (enter(node->inputs[frame.next_input++].node())) stack_.push_back({last_seen(), 0});
        continue;
      }
      const int number = frame.number;
      stack_.pop_back();
      leave(number);
    }
  }

  int last_seen() const { return static_cast<int>(seen_.size()) - 1; }

  // True for a pending node that is met for the first time.
  bool enter(Node* node) {
    const auto [number, is_new] = numbers_.insert(node, static_cast<int>(seen_.size()));
    if (!is_new) return false;
    seen_.push_back({node});
    if (node->is_evaluated()) {
      add_leaf(seen_.back(), node->values);
      return false;
    }
    const auto* placeholder =
        node->inputs.empty() ? dynamic_cast<const Placeholder*>(node->op.get()) : nullptr;
    if (placeholder == nullptr) return true;
    if (!of_function_) {
      fail(
          "[compile] the function reads a value that depends on its arguments; it is traced "
          "before there are any");
    }
    add_leaf(seen_.back(), {{Buffer(), nullptr, placeholder->strides}});
    return false;
  }

  void add_leaf(Seen& seen, const SmallVector<Value, 1>& values) {
    seen.first_value = values_.size();
    for (uint32_t i = 0; i < seen.node->specs.size(); ++i) {
      const int value = static_cast<int>(trace_.graph.specs.size());
      trace_.graph.specs.push_back(seen.node->specs[i]);
      trace_.graph.leaves.push_back(value);
      trace_.graph.leaf_strides.push_back(values[i].strides);
      trace_.leaves.push_back(Array(seen.node, i));
      values_.push_back(value);
    }
  }

  void leave(int number) {
    Node* node = seen_[static_cast<size_t>(number)].node;
    SmallVector<int, 3> inputs;
    for (const Array& input : node->inputs) {
      Seen& from = seen_of(input);
      ++from.references;
      inputs.push_back(values_[from.first_value + input.index()]);
    }
    order_.push_back(number);
    trace_.several_streams |= trace_.stream != nullptr && trace_.stream != node->stream;
    trace_.stream = node->stream;
    seen_[static_cast<size_t>(number)].first_value = values_.size();
    if (node->op->forwarded_input(0) >= 0) {
      for (size_t i = 0; i < node->specs.size(); ++i) {
        values_.push_back(
            inputs[static_cast<size_t>(node->op->forwarded_input(static_cast<int>(i)))]);
      }
      return;
    }
    FlatGraph& graph = trace_.graph;
    const int first_output = static_cast<int>(graph.specs.size());
    graph.nodes.push_back(
        {node->op, std::move(inputs), first_output, static_cast<int>(node->specs.size())});
    for (size_t i = 0; i < node->specs.size(); ++i) {
      values_.push_back(first_output + static_cast<int>(i));
      graph.specs.push_back(node->specs[i]);
    }
  }

  // A leaf that only this graph holds goes with it, unless a derivative will still ask for it.
  void mark_dying_leaves() {
    trace_.graph.leaf_dies.assign(trace_.leaves.size(), 0);
    if (!of_function_ && TracingScope::is_active()) return;
    for (size_t i = 0; i < trace_.leaves.size(); ++i) {
      const Seen& seen = seen_of(trace_.leaves[i]);
      trace_.graph.leaf_dies[i] = !seen.wanted && (of_function_ ? is_given_up(seen) : dies(seen));
    }
  }

  static bool is_given_up(const Seen& seen) {
    const auto* placeholder = dynamic_cast<const Placeholder*>(seen.node->op.get());
    return placeholder != nullptr && placeholder->dies;
  }

  static bool dies(const Seen& seen) {
    const Node& node = *seen.node;
    const int handles = 1;  // in trace_.leaves
    const Value& value = node.values[0];
    return node.values.size() == 1 && node.op == nullptr &&
           node.references.load(std::memory_order_acquire) == seen.references + handles &&
           value.buffer.may_overwrite() && value.data == value.buffer.data();
  }

  void want(const Seen& seen) {
    for (uint32_t i = 0; i < seen.node->specs.size(); ++i) {
      trace_.graph.outputs.push_back(values_[seen.first_value + i]);
      trace_.outputs.push_back({seen.node, i});
    }
  }

  bool of_function_;
  Trace trace_;
  PointerMap numbers_;  // of nodes, in seen_
  std::vector<Seen> seen_;
  std::vector<int> values_;
  std::vector<int> order_;  // pending nodes, inputs first
  std::vector<Frame> stack_;
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

Trace trace_graph(const Arrays& roots) { return Tracer(false).run(roots); }
Trace trace_function(const Arrays& results) { return Tracer(true).run(results); }

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
  for (const char dies : leaf_dies) hash_combine(seed, static_cast<size_t>(dies));
  for (int output : outputs) hash_combine(seed, static_cast<size_t>(output));
  return seed;
}

bool operator==(const FlatGraph& a, const FlatGraph& b) {
  return a.nodes.size() == b.nodes.size() && a.specs == b.specs && a.leaves == b.leaves &&
         a.leaf_strides == b.leaf_strides && a.leaf_dies == b.leaf_dies && a.outputs == b.outputs &&
         std::equal(a.nodes.begin(), a.nodes.end(), b.nodes.begin(), same_node);
}

std::vector<int> producers_of(const FlatGraph& graph) {
  std::vector<int> producers(graph.specs.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const FlatNode& node = graph.nodes[i];
    for (int k = 0; k < node.output_count; ++k) {
      producers[static_cast<size_t>(node.first_output + k)] = static_cast<int>(i);
    }
  }
  return producers;
}

std::vector<int> uses_of(const FlatGraph& graph) {
  std::vector<int> uses(graph.specs.size(), 0);
  for (const FlatNode& node : graph.nodes) {
    for (int input : node.inputs) ++uses[static_cast<size_t>(input)];
  }
  for (int output : graph.outputs) ++uses[static_cast<size_t>(output)];
  return uses;
}

std::vector<char> wanted_of(const FlatGraph& graph) {
  std::vector<char> wanted(graph.specs.size(), false);
  for (int output : graph.outputs) wanted[static_cast<size_t>(output)] = true;
  return wanted;
}

void replace_nodes(FlatGraph& graph, const Replacements& replacements) {
  if (replacements.empty()) return;
  std::vector<FlatNode> nodes;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto at = replacements.find(i);
    if (at == replacements.end())
      nodes.push_back(std::move(graph.nodes[i]));
    else
      nodes.insert(nodes.end(), at->second.begin(), at->second.end());
  }
  graph.nodes = std::move(nodes);
}

void drop_unread(FlatGraph& graph) {
  std::vector<char> read(graph.specs.size(), false);
  for (int output : graph.outputs) read[static_cast<size_t>(output)] = true;
  std::vector<FlatNode> kept;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    FlatNode& node = graph.nodes[i];
    bool wanted = false;
    for (int k = 0; k < node.output_count; ++k) {
      wanted = wanted || read[static_cast<size_t>(node.first_output + k)];
    }
    if (!wanted) continue;
    for (int input : node.inputs) read[static_cast<size_t>(input)] = true;
    kept.push_back(std::move(node));
  }
  std::ranges::reverse(kept);
  graph.nodes = std::move(kept);
}

}  // namespace mica
