// Results that a concatenation reads are computed where it would copy them to:
//
//   concatenate({f(x), g(y)})    f and g write to the two parts of one array
//
// saves reading and writing them once more. A value can be part of one array only, and keeps its
// place for all who read it. Whole arrays may be parts of larger ones.
#include "core/graph/kernels.h"
#include "core/ops/fused.h"
#include "core/ops/view_op.h"
#include "core/plan/passes.h"

namespace mica {
namespace {

// Kernels get outputs that begin and end with a cache line of their own.
constexpr int64_t kLine = 64;

class PartFinder {
 public:
  explicit PartFinder(const FlatGraph& graph) : graph_(graph), parts_(graph.specs.size()) {}

  std::vector<PartOf> run() {
    producer_ = producers_of(graph_);
    describe_readers();
    // Larger arrays come after the arrays that are parts of them.
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      const FlatNode& node = graph_.nodes[i];
      if (const auto* join = dynamic_cast<const Concatenate*>(node.op.get()))
        find_in(node, *join);
      else if (dynamic_cast<const Reshape*>(node.op.get()))
        pass_on(node);
    }
    return std::move(parts_);
  }

 private:
  const Spec& spec(int value) const { return graph_.specs[static_cast<size_t>(value)]; }
  PartOf& part(int value) { return parts_[static_cast<size_t>(value)]; }

  void describe_readers() {
    is_wanted_ = wanted_of(graph_);
    takes_strides_.assign(graph_.specs.size(), true);
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      const FlatNode& node = graph_.nodes[i];
      const bool is_view = node.op->as_view() != nullptr;
      const bool takes = is_view ? takes_strides_[static_cast<size_t>(node.first_output)] != 0
                                 : dynamic_cast<const Fused*>(node.op.get()) != nullptr ||
                                       dynamic_cast<const Concatenate*>(node.op.get()) != nullptr;
      if (takes) continue;
      for (int input : node.inputs) takes_strides_[static_cast<size_t>(input)] = false;
    }
  }

  void find_in(const FlatNode& node, const Concatenate& join) {
    const int result = node.first_output;
    const PartOf whole = part(result).whole >= 0
                             ? part(result)
                             : PartOf{result, Layout::contiguous(spec(result).shape)};
    const auto axis = static_cast<size_t>(join.axis);
    Shape start(spec(result).shape.size(), 0);
    for (int input : node.inputs) {
      const Shape& shape = spec(input).shape;
      offer(input, {whole.whole, *Slice(start, Shape(shape.size(), 1), shape).view(whole.layout)});
      start[axis] += shape[axis];
    }
  }

  // What is reshaped on its way into the array.
  void pass_on(const FlatNode& node) {
    const PartOf& result = part(node.first_output);
    if (result.whole < 0) return;
    const int input = node.inputs[0];
    const auto layout = Reshape(spec(input).shape).view(result.layout);
    if (layout) offer(input, {result.whole, *layout});
  }

  void offer(int value, const PartOf& place) {
    const int from = producer_[static_cast<size_t>(value)];
    if (from < 0 || part(value).whole >= 0 || is_wanted_[static_cast<size_t>(value)]) return;
    const FlatNode& node = graph_.nodes[static_cast<size_t>(from)];
    if (node.op->as_view() != nullptr && dynamic_cast<const Reshape*>(node.op.get()) == nullptr) {
      return;
    }
    const bool contiguous = place.layout.is_contiguous();
    if (!contiguous && !takes_strides_[static_cast<size_t>(value)]) return;
    if (writes_strides(node, value) || (contiguous && has_own_lines(value, place.layout))) {
      part(value) = place;
    }
  }

  // Programs write their elements anywhere, but not their reductions.
  static bool writes_strides(const FlatNode& node, int value) {
    if (const auto* fused = dynamic_cast<const Fused*>(node.op.get())) {
      return value - node.first_output < static_cast<int>(fused->outputs.size());
    }
    return node.op->as_view() != nullptr || dynamic_cast<const Concatenate*>(node.op.get());
  }

  bool has_own_lines(int value, const Layout& layout) const {
    const auto item = static_cast<int64_t>(size_of(spec(value).dtype));
    return layout.offset * item % kLine == 0 && size_of(layout.shape) * item % kLine == 0;
  }

  const FlatGraph& graph_;
  std::vector<PartOf> parts_;        // by value
  std::vector<int> producer_;        // node of a value, -1 for leaves
  std::vector<char> is_wanted_;      // values
  std::vector<char> takes_strides_;  // values: all readers read any layout without a copy
};

}  // namespace

std::vector<PartOf> find_parts(const FlatGraph& graph) { return PartFinder(graph).run(); }

}  // namespace mica
