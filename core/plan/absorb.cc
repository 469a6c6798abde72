// A product that is only wanted transposed is computed that way round: (A B)^T = B^T A^T. The
// operands' transposes cost nothing, because matmul takes either order of its last two axes, and
// what follows reads rows instead of columns. The gradient of matmul(x, transpose(w)) by w is one.
#include <algorithm>
#include <numeric>

#include "core/ops/matmul.h"
#include "core/ops/view_op.h"
#include "core/plan/passes.h"

namespace mica {
namespace {

bool swaps_last_two(const FlatNode* node) {
  const auto* transpose = node ? dynamic_cast<const Transpose*>(node->op.get()) : nullptr;
  if (transpose == nullptr || transpose->axes.size() < 2) return false;
  Axes axes = transpose->axes;
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != static_cast<int>(i)) return false;
  }
  return true;
}

class Absorber {
 public:
  explicit Absorber(FlatGraph& graph) : graph_(graph) {}

  void run() {
    uses_ = uses_of(graph_);
    std::vector<FlatNode> nodes;
    producer_.assign(graph_.specs.size(), -1);
    for (FlatNode& node : graph_.nodes) {
      const int product = swaps_last_two(&node) ? producer(node.inputs[0]) : -1;
      const bool is_product =
          product >= 0 && dynamic_cast<const MatMul*>(nodes[static_cast<size_t>(product)].op.get());
      if (is_product && uses_[static_cast<size_t>(node.inputs[0])] == 1) {
        const SmallVector<int, 3> operands = nodes[static_cast<size_t>(product)].inputs;
        const int a = transposed(nodes, operands[1]);
        const int b = transposed(nodes, operands[0]);
        node.op = std::make_shared<const MatMul>();
        node.inputs = {a, b};
      }
      add(nodes, std::move(node));
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  int producer(int value) const { return producer_[static_cast<size_t>(value)]; }

  void add(std::vector<FlatNode>& nodes, FlatNode node) {
    for (int k = 0; k < node.output_count; ++k) {
      producer_[static_cast<size_t>(node.first_output + k)] = static_cast<int>(nodes.size());
    }
    nodes.push_back(std::move(node));
  }

  int transposed(std::vector<FlatNode>& nodes, int value) {
    const int from = producer(value);
    if (from >= 0 && swaps_last_two(&nodes[static_cast<size_t>(from)])) {
      return nodes[static_cast<size_t>(from)].inputs[0];
    }
    Spec spec = graph_.specs[static_cast<size_t>(value)];
    Axes axes(spec.shape.size());
    std::iota(axes.begin(), axes.end(), 0);
    std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
    std::swap(spec.shape[axes.size() - 1], spec.shape[axes.size() - 2]);
    const int result = static_cast<int>(graph_.specs.size());
    graph_.specs.push_back(std::move(spec));
    producer_.push_back(-1);
    add(nodes, {std::make_shared<const Transpose>(axes), {value}, result, 1});
    return result;
  }

  FlatGraph& graph_;
  std::vector<int> uses_;      // of values
  std::vector<int> producer_;  // node of a value, -1 for leaves
};

}  // namespace

void absorb_transposes(FlatGraph& graph) { Absorber(graph).run(); }

}  // namespace mica
