// A sum of many thin products is one product of their operands joined along the inner axis:
//
//   A1 B1 + A2 B2 + ... + An Bn = [A1 A2 ... An] [B1; B2; ...; Bn]
//
// which saves the sums and is a shape that matmul is good at. The gradient of a weight that a loop
// over time uses in every step is such a sum.
#include <algorithm>
#include <map>
#include <set>

#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/view_op.h"
#include "core/plan/passes.h"

namespace mica {
namespace {

// Below this many, joining gains little.
constexpr size_t kFewestProducts = 4;

class Joiner {
 public:
  explicit Joiner(FlatGraph& graph) : graph_(graph) {}

  void run() {
    describe();
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      if (!is_add(i) || is_inner_[i]) continue;
      const auto [products, others] = terms_of(i);
      if (products.size() >= kFewestProducts && pays(products)) replace(i, products, others);
    }
    replace_nodes(graph_, replaced_);
  }

 private:
  struct Terms {
    std::vector<size_t> products;  // nodes
    std::vector<int> others;       // values
  };

  const Shape& shape_of(int value) const { return graph_.specs[static_cast<size_t>(value)].shape; }

  // The node of a value, or -1.
  int producer(int value) const { return producer_[static_cast<size_t>(value)]; }

  template <class T>
  const T* op_at(int node) const {
    if (node < 0) return nullptr;
    return dynamic_cast<const T*>(graph_.nodes[static_cast<size_t>(node)].op.get());
  }

  bool is_add(size_t node) const {
    const auto* row = op_at<Elementwise>(static_cast<int>(node));
    return row != nullptr && row->function == Function::k_add;
  }

  // A term that only this sum reads, and that has its shape.
  bool is_own_term(int value, const Shape& shape) const {
    return producer(value) >= 0 && uses_[static_cast<size_t>(value)] == 1 &&
           shape_of(value) == shape;
  }

  void describe() {
    producer_ = producers_of(graph_);
    uses_ = uses_of(graph_);
    is_inner_.assign(graph_.nodes.size(), false);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!is_add(i)) continue;
      const FlatNode& node = graph_.nodes[i];
      for (int input : node.inputs) {
        if (!is_own_term(input, shape_of(node.first_output))) continue;
        is_inner_[static_cast<size_t>(producer(input))] = true;
      }
    }
  }

  Terms terms_of(size_t root) const {
    Terms terms;
    const Shape& shape = shape_of(graph_.nodes[root].first_output);
    std::vector<int> left = {graph_.nodes[root].inputs[1], graph_.nodes[root].inputs[0]};
    while (!left.empty()) {
      const int value = left.back();
      left.pop_back();
      const int node = producer(value);
      const bool own = is_own_term(value, shape);
      if (own && is_add(static_cast<size_t>(node))) {
        left.push_back(graph_.nodes[static_cast<size_t>(node)].inputs[1]);
        left.push_back(graph_.nodes[static_cast<size_t>(node)].inputs[0]);
      } else if (own && shape.size() == 2 && op_at<MatMul>(node)) {
        terms.products.push_back(static_cast<size_t>(node));
      } else {
        terms.others.push_back(value);
      }
    }
    return terms;
  }

  // Copying the operands together moves less memory than adding the products up.
  bool pays(const std::vector<size_t>& products) const {
    int64_t copied = 0, added = 0;
    for (const size_t product : products) {
      const FlatNode& node = graph_.nodes[product];
      copied += 2 * (size_of(shape_of(node.inputs[0])) + size_of(shape_of(node.inputs[1])));
      added += 3 * size_of(shape_of(node.first_output));
    }
    return copied <= added;
  }

  // In the order of a concatenation of the right operands that is there anyway, if there is one.
  std::vector<size_t> ordered(const std::vector<size_t>& products) const {
    std::map<int, size_t> by_right;
    for (const size_t product : products) by_right[graph_.nodes[product].inputs[1]] = product;
    if (by_right.size() != products.size()) return products;
    for (const FlatNode& node : graph_.nodes) {
      const auto* join = dynamic_cast<const Concatenate*>(node.op.get());
      if (join == nullptr || join->axis != 0 || node.inputs.size() != products.size()) continue;
      std::vector<size_t> order;
      std::set<int> seen;
      for (int input : node.inputs) {
        const auto found = by_right.find(input);
        if (found == by_right.end() || !seen.insert(input).second) break;
        order.push_back(found->second);
      }
      if (order.size() == products.size()) return order;
    }
    return products;
  }

  int add_node(std::vector<FlatNode>& nodes, std::shared_ptr<const Op> op,
               const std::vector<int>& inputs, const Spec& spec) {
    FlatNode node;
    node.op = std::move(op);
    node.inputs = SmallVector<int, 3>(inputs.begin(), inputs.end());
    node.first_output = static_cast<int>(graph_.specs.size());
    graph_.specs.push_back(spec);
    nodes.push_back(std::move(node));
    return nodes.back().first_output;
  }

  int concatenate(std::vector<FlatNode>& nodes, const std::vector<int>& values, int axis) {
    Spec spec = graph_.specs[static_cast<size_t>(values[0])];
    int64_t& length = spec.shape[static_cast<size_t>(axis)];
    length = 0;
    for (const int value : values) length += shape_of(value)[static_cast<size_t>(axis)];
    return add_node(nodes, std::make_shared<const Concatenate>(axis), values, spec);
  }

  // The left operands beside each other; transposes of rows that lie below each other are taken
  // as one transpose, because rows are copied faster than columns.
  int join_left(std::vector<FlatNode>& nodes, const std::vector<int>& values) {
    std::vector<int> rows;
    for (const int value : values) {
      if (!op_at<Transpose>(producer(value))) break;
      rows.push_back(graph_.nodes[static_cast<size_t>(producer(value))].inputs[0]);
    }
    if (rows.size() != values.size()) return concatenate(nodes, values, 1);
    const int joined = concatenate(nodes, rows, 0);
    Spec spec = graph_.specs[static_cast<size_t>(joined)];
    std::swap(spec.shape[0], spec.shape[1]);
    return add_node(nodes, std::make_shared<const Transpose>(Axes{1, 0}), {joined}, spec);
  }

  void replace(size_t root, const std::vector<size_t>& products, const std::vector<int>& others) {
    static const auto add = std::make_shared<const Elementwise>(Function::k_add);
    const int result = graph_.nodes[root].first_output;
    const Spec spec = graph_.specs[static_cast<size_t>(result)];
    std::vector<int> left, right;
    for (const size_t product : ordered(products)) {
      left.push_back(graph_.nodes[product].inputs[0]);
      right.push_back(graph_.nodes[product].inputs[1]);
    }
    std::vector<FlatNode> nodes;
    const int a = join_left(nodes, left);
    const int b = concatenate(nodes, right, 0);
    int sum = add_node(nodes, std::make_shared<const MatMul>(), {a, b}, spec);
    for (const int other : others) sum = add_node(nodes, add, {sum, other}, spec);
    nodes.back().first_output = result;
    replaced_[root] = std::move(nodes);
  }

  FlatGraph& graph_;
  std::vector<int> producer_;   // node of a value, -1 for leaves
  std::vector<int> uses_;       // of values
  std::vector<char> is_inner_;  // nodes: a sum in a larger sum
  Replacements replaced_;       // nodes in the place of one
};

}  // namespace

void join_products(FlatGraph& graph) { Joiner(graph).run(); }

}  // namespace mica
