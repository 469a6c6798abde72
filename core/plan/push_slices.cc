// Elementwise results of which only slices are read are computed slice by slice, in the programs
// that read the slices:
//
//   slice(a + b) = slice(a) + slice(b)
//
// saves writing and reading a + b. The projection of all inputs of a recurrent layer, to which a
// bias is added, is so read step by step. Slices cut the first axis: others would have to be read
// row by row, which costs as much as it saves.
#include <algorithm>
#include <utility>
#include <vector>

#include "core/ops/elementwise.h"
#include "core/ops/view_op.h"
#include "core/plan/passes.h"

namespace mica {
namespace {

// Below this, an instruction of a program costs more than it saves.
constexpr size_t kSmallestSlice = 4096;  // bytes

class SlicePusher {
 public:
  explicit SlicePusher(FlatGraph& graph) : graph_(graph) {}

  void run() {
    describe();
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      if (pays(i)) push(i);
    }
    replace_nodes(graph_, replaced_);
  }

 private:
  const FlatNode& node(size_t i) const { return graph_.nodes[i]; }
  const Spec& spec(int value) const { return graph_.specs[static_cast<size_t>(value)]; }
  const std::vector<size_t>& readers(int value) const {
    return readers_[static_cast<size_t>(value)];
  }
  bool is_pointwise(size_t i) const {
    return dynamic_cast<const PointwiseOp*>(node(i).op.get()) != nullptr;
  }
  const Slice* slice_at(size_t i) const { return dynamic_cast<const Slice*>(node(i).op.get()); }

  void describe() {
    producer_ = producers_of(graph_);
    readers_.resize(graph_.specs.size());
    is_wanted_ = wanted_of(graph_);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      for (int input : node(i).inputs) readers_[static_cast<size_t>(input)].push_back(i);
    }
  }

  // Whether all but the first axis is whole.
  static bool cuts_first_axis(const Slice& op, const Shape& whole) {
    if (op.step[0] != 1) return false;
    for (size_t k = 1; k < whole.size(); ++k) {
      if (op.step[k] != 1 || op.shape[k] != whole[k]) return false;
    }
    return true;
  }

  // Whether only elementwise nodes of its shape read a slice.
  bool is_read_pointwise(int value) const {
    const Shape& shape = spec(value).shape;
    const size_t bytes = static_cast<size_t>(size_of(shape)) * size_of(spec(value).dtype);
    if (is_wanted_[static_cast<size_t>(value)] || bytes < kSmallestSlice) return false;
    return std::ranges::all_of(readers(value), [&](size_t reader) {
      return is_pointwise(reader) && spec(node(reader).first_output).shape == shape;
    });
  }

  // Whether a value is only read by such slices, which do not overlap.
  bool is_read_in_slices(int value) const {
    if (is_wanted_[static_cast<size_t>(value)] || readers(value).empty()) return false;
    std::vector<std::pair<int64_t, int64_t>> parts;  // start and end
    for (size_t reader : readers(value)) {
      const Slice* slice = slice_at(reader);
      if (slice == nullptr || slice->shape.empty()) return false;
      if (!cuts_first_axis(*slice, spec(value).shape)) return false;
      if (!is_read_pointwise(node(reader).first_output)) return false;
      parts.push_back({slice->start[0], slice->start[0] + slice->shape[0]});
    }
    std::ranges::sort(parts);
    for (size_t i = 1; i < parts.size(); ++i) {
      if (parts[i].first < parts[i - 1].second) return false;
    }
    return true;
  }

  // Operands that a program computes on the way and that others read too would have to be stored
  // in the place of the result.
  bool pays(size_t i) const {
    if (!is_pointwise(i) || !is_read_in_slices(node(i).first_output)) return false;
    const Shape& shape = spec(node(i).first_output).shape;
    return std::ranges::all_of(node(i).inputs, [&](int input) {
      const int from = producer_[static_cast<size_t>(input)];
      if (from < 0 || spec(input).shape != shape || !is_pointwise(static_cast<size_t>(from))) {
        return true;
      }
      return !is_wanted_[static_cast<size_t>(input)] &&
             std::ranges::all_of(readers(input), [&](size_t reader) { return reader == i; });
    });
  }

  // Each slice's node becomes the op on slices of its operands.
  void push(size_t i) {
    for (size_t reader : readers(node(i).first_output)) {
      std::vector<FlatNode> nodes;
      FlatNode result = node(i);
      for (int& input : result.inputs) input = sliced(nodes, input, *slice_at(reader));
      result.first_output = node(reader).first_output;
      nodes.push_back(std::move(result));
      replaced_[reader] = std::move(nodes);
    }
  }

  // The part of an operand, which may be broadcast, that a slice of the result needs.
  int sliced(std::vector<FlatNode>& nodes, int value, const Slice& slice) {
    const Spec whole = spec(value);
    const size_t rank = whole.shape.size();
    const size_t extra = slice.shape.size() - rank;
    Shape start(rank, 0), shape(rank, 1);
    for (size_t k = 0; k < rank; ++k) {
      if (whole.shape[k] == 1) continue;
      start[k] = slice.start[extra + k];
      shape[k] = slice.shape[extra + k];
    }
    if (shape == whole.shape) return value;
    const int result = static_cast<int>(graph_.specs.size());
    graph_.specs.push_back({shape, whole.dtype});
    nodes.push_back(
        {std::make_shared<const Slice>(start, Shape(rank, 1), shape), {value}, result, 1});
    return result;
  }

  FlatGraph& graph_;
  std::vector<int> producer_;                 // node of a value, -1 for leaves
  std::vector<std::vector<size_t>> readers_;  // of values
  std::vector<char> is_wanted_;               // values
  Replacements replaced_;
};

}  // namespace

void push_slices(FlatGraph& graph) { SlicePusher(graph).run(); }

}  // namespace mica
