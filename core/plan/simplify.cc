// Algebra on structure. Contents of leaves are arguments of a plan, so that nothing here asks for
// the value of a number: what is rewritten holds whatever they are (but for the sign of zeros).
//
//   neg(neg(x))                        x
//   x + neg(y), x - neg(y)             x - y, x + y
//   a reduction over axes of length 1  a reshape
//   a reduction of halves              one of float32, which it is inside, that a program can do
//   a sum of slices' gradients that    their concatenation
//     together fill the array
#include <algorithm>
#include <map>
#include <optional>

#include "core/ops/elementwise.h"
#include "core/ops/fused.h"
#include "core/ops/reduce_op.h"
#include "core/ops/view_op.h"
#include "core/plan/passes.h"

namespace mica {
namespace {

class Simplifier {
 public:
  explicit Simplifier(FlatGraph& graph) : graph_(graph) {}

  void run() {
    producer_ = producers_of(graph_);
    renamed_.assign(graph_.specs.size(), -1);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      for (int& input : graph_.nodes[i].inputs) input = renamed(input);
      drop_negations(i);
      drop_reduction(i);
      widen_reduction(i);
    }
    for (int& output : graph_.outputs) output = renamed(output);
    count_uses();
    // Roots of sums come after the sums below them, which they take with them.
    for (size_t i = graph_.nodes.size(); i-- > 0;) join_slices(i);
    replace_nodes(graph_, replaced_);
    drop_unread(graph_);
  }

 private:
  int renamed(int value) const {
    const int other = renamed_[static_cast<size_t>(value)];
    return other >= 0 ? other : value;
  }

  const Spec& spec(int value) const { return graph_.specs[static_cast<size_t>(value)]; }

  const FlatNode* producer(int value) const {
    const int node = producer_[static_cast<size_t>(value)];
    return node >= 0 ? &graph_.nodes[static_cast<size_t>(node)] : nullptr;
  }

  static bool is_row(const FlatNode* node, Function function) {
    if (node == nullptr) return false;
    const auto* row = dynamic_cast<const Elementwise*>(node->op.get());
    return row != nullptr && row->function == function;
  }

  void drop_negations(size_t i) {
    FlatNode& node = graph_.nodes[i];
    const bool adds = is_row(&node, Function::k_add);
    if (adds || is_row(&node, Function::k_subtract)) {
      const FlatNode* last = producer(node.inputs[1]);
      if (!is_row(last, Function::k_neg)) return;
      node.inputs[1] = last->inputs[0];
      node.op = std::make_shared<const Elementwise>(adds ? Function::k_subtract : Function::k_add);
    } else if (is_row(&node, Function::k_neg)) {
      const FlatNode* before = producer(node.inputs[0]);
      if (!is_row(before, Function::k_neg)) return;
      renamed_[static_cast<size_t>(node.first_output)] = before->inputs[0];
    }
  }

  void drop_reduction(size_t i) {
    FlatNode& node = graph_.nodes[i];
    if (dynamic_cast<const Reduce*>(node.op.get()) == nullptr) return;
    const Shape& shape = spec(node.first_output).shape;
    if (spec(node.inputs[0]).shape == shape) node.op = std::make_shared<const Reshape>(shape);
  }

  void widen_reduction(size_t i) {
    const FlatNode& node = graph_.nodes[i];
    const auto* reduce = dynamic_cast<const Reduce*>(node.op.get());
    const Spec narrow = spec(node.first_output);
    if (reduce == nullptr || !is_half(narrow.dtype)) return;
    const Spec wide = {spec(node.inputs[0]).shape, float32};
    if (!Fused::can_reduce(wide, *reduce)) return;
    const int widened = static_cast<int>(graph_.specs.size()), reduced = widened + 1;
    graph_.specs.push_back(wide);
    graph_.specs.push_back({narrow.shape, float32});
    replaced_[i] = {{std::make_shared<const Cast>(float32), {node.inputs[0]}, widened},
                    {node.op, {widened}, reduced},
                    {std::make_shared<const Cast>(narrow.dtype), {reduced}, node.first_output}};
  }

  // ---- Sums of slices' gradients

  struct Piece {
    int64_t start;
    int value;  // what was put there
  };

  // The terms of a sum, from left to right. Inner sums are taken apart if nobody else reads them.
  std::vector<int> terms_of(const FlatNode& root) const {
    std::vector<int> terms;
    std::vector<int> left(root.inputs.begin(), root.inputs.end());
    std::ranges::reverse(left);
    while (!left.empty()) {
      const int value = left.back();
      left.pop_back();
      const FlatNode* inner = producer(value);
      if (is_row(inner, Function::k_add) && uses_[static_cast<size_t>(value)] == 1 &&
          spec(value).shape == spec(root.first_output).shape) {
        left.push_back(inner->inputs[1]);
        left.push_back(inner->inputs[0]);
      } else {
        terms.push_back(value);
      }
    }
    return terms;
  }

  // The axis along which a gradient of a slice holds part of its array, all else being whole.
  static std::optional<int> cut_axis(const Unslice& op, const Shape& part) {
    std::optional<int> axis;
    for (size_t i = 0; i < part.size(); ++i) {
      if (part[i] == op.shape[i]) continue;
      if (axis || op.step[i] != 1) return {};
      axis = static_cast<int>(i);
    }
    return axis;
  }

  // The pieces in order, if they fill the array without gaps.
  std::vector<int> filled(std::vector<Piece> pieces, size_t axis, int64_t length) const {
    std::ranges::sort(pieces, {}, &Piece::start);
    std::vector<int> values;
    int64_t next = 0;
    for (const Piece& piece : pieces) {
      if (piece.start != next) return {};
      next += spec(piece.value).shape[axis];
      values.push_back(piece.value);
    }
    return next == length ? values : std::vector<int>();
  }

  void join_slices(size_t i) {
    const int result = graph_.nodes[i].first_output;
    if (!is_row(&graph_.nodes[i], Function::k_add) || is_inner_[i]) return;
    std::map<int, std::vector<Piece>> by_axis;
    std::vector<int> others;
    for (const int term : terms_of(graph_.nodes[i])) {
      const FlatNode* node = producer(term);
      const auto* op = node == nullptr ? nullptr : dynamic_cast<const Unslice*>(node->op.get());
      const auto axis =
          op == nullptr ? std::optional<int>() : cut_axis(*op, spec(node->inputs[0]).shape);
      if (axis)
        by_axis[*axis].push_back({op->start[static_cast<size_t>(*axis)], node->inputs[0]});
      else
        others.push_back(term);
    }
    if (by_axis.size() != 1) return;
    const auto& [axis, pieces] = *by_axis.begin();
    const auto at = static_cast<size_t>(axis);
    const std::vector<int> values = filled(pieces, at, spec(result).shape[at]);
    if (values.empty()) return;
    replace(i, axis, values, others);
  }

  void replace(size_t i, int axis, const std::vector<int>& values, const std::vector<int>& others) {
    const int result = graph_.nodes[i].first_output;
    static const auto add = std::make_shared<const Elementwise>(Function::k_add);
    std::vector<FlatNode> nodes(1 + others.size());
    nodes[0].op = std::make_shared<const Concatenate>(axis);
    nodes[0].inputs = SmallVector<int, 3>(values.begin(), values.end());
    for (size_t k = 0; k < nodes.size(); ++k) {
      const bool last = k + 1 == nodes.size();
      nodes[k].first_output = last ? result : static_cast<int>(graph_.specs.size());
      if (!last) graph_.specs.push_back(Spec(spec(result)));
      if (k == 0) continue;
      nodes[k].op = add;
      nodes[k].inputs = {nodes[k - 1].first_output, others[k - 1]};
    }
    replaced_[i] = std::move(nodes);
  }

  // How often values are read, and which sums are only read by another sum of their shape.
  void count_uses() {
    uses_ = uses_of(graph_);
    is_inner_.assign(graph_.nodes.size(), false);
    for (const FlatNode& node : graph_.nodes) {
      if (!is_row(&node, Function::k_add)) continue;
      for (int input : node.inputs) {
        const int from = producer_[static_cast<size_t>(input)];
        if (from < 0 || uses_[static_cast<size_t>(input)] != 1) continue;
        if (spec(input).shape != spec(node.first_output).shape) continue;
        is_inner_[static_cast<size_t>(from)] = true;
      }
    }
  }

  FlatGraph& graph_;
  std::vector<int> producer_;   // node of a value, -1 for leaves
  std::vector<int> renamed_;    // values that are other values
  std::vector<int> uses_;       // of values
  std::vector<char> is_inner_;  // nodes: a sum in a larger sum
  Replacements replaced_;       // nodes in the place of one
};

}  // namespace

void simplify(FlatGraph& graph) { Simplifier(graph).run(); }

}  // namespace mica
