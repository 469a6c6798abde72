#include <algorithm>
#include <map>

#include "core/ops/fused.h"
#include "core/ops/view_op.h"
#include "core/plan/passes.h"

namespace mica {
namespace {

bool has_broadcast_axis(const Layout& layout) {
  for (size_t i = 0; i < layout.shape.size(); ++i) {
    if (layout.strides[i] == 0 && layout.shape[i] > 1) return true;
  }
  return false;
}

// One of the last two axes runs densely and the other by at least its length.
bool is_matrix(const Layout& layout) {
  const size_t rank = layout.shape.size();
  if (rank < 2) return layout.is_contiguous();
  const int64_t rows = layout.shape[rank - 2];
  const int64_t columns = layout.shape[rank - 1];
  const int64_t row_step = layout.strides[rank - 2];
  const int64_t column_step = layout.strides[rank - 1];
  const bool row_major = (column_step == 1 || columns == 1) && (row_step >= columns || rows == 1);
  const bool column_major = (row_step == 1 || rows == 1) && (column_step >= rows || columns == 1);
  return row_major || column_major;
}

// Axes of length 1 have no stride that matters.
bool is_same(const Place& a, const Place& b) {
  if (a.storage != b.storage || a.layout.offset != b.layout.offset) return false;
  if (a.layout.shape != b.layout.shape) return false;
  for (size_t i = 0; i < a.layout.shape.size(); ++i) {
    if (a.layout.shape[i] > 1 && a.layout.strides[i] != b.layout.strides[i]) return false;
  }
  return true;
}

class Lowering {
 public:
  Lowering(const FlatGraph& graph, Plan& plan) : graph_(graph), plan_(plan) {}

  void run() {
    places_.resize(graph_.specs.size());
    parts_ = find_parts(graph_);
    uses_ = uses_of(graph_);
    add_leaves();
    for (const FlatNode& node : graph_.nodes) add_node(node);
    for (int output : graph_.outputs) add_output(output);
  }

 private:
  int new_storage(Storage::Kind kind, size_t bytes) {
    Storage storage;
    storage.kind = kind;
    storage.bytes = bytes;
    storage.first_step = storage.last_step = static_cast<int>(plan_.steps.size());
    if (kind == Storage::Kind::kOwned) storage.number = plan_.owned_count++;
    plan_.storages.push_back(storage);
    readers_.push_back(0);
    return static_cast<int>(plan_.storages.size()) - 1;
  }

  Storage& storage(const Place& place) {
    return plan_.storages[static_cast<size_t>(place.storage)];
  }

  Place new_place(const Spec& spec) {
    const size_t bytes = static_cast<size_t>(size_of(spec.shape)) * size_of(spec.dtype);
    const int number = new_storage(Storage::Kind::kArena, bytes);
    return {number, spec.dtype, Layout::contiguous(spec.shape)};
  }

  void add_leaves() {
    for (size_t i = 0; i < graph_.leaves.size(); ++i) {
      const auto value = static_cast<size_t>(graph_.leaves[i]);
      const Spec& spec = graph_.specs[value];
      const int number = new_storage(Storage::Kind::kLeaf, 0);
      Storage& leaf = plan_.storages.back();
      leaf.number = static_cast<int>(i);
      leaf.dies = graph_.leaf_dies[i] != 0;
      leaf.bytes = static_cast<size_t>(size_of(spec.shape)) * size_of(spec.dtype);
      own(value, {number, spec.dtype, {spec.shape, graph_.leaf_strides[i], 0}});
    }
  }

  void add_node(const FlatNode& node) {
    if (const ViewOp* view = node.op->as_view()) {
      add_view(node, *view);
      return;
    }
    if (const auto* join = dynamic_cast<const Concatenate*>(node.op.get())) {
      add_concatenation(node, *join);
      return;
    }
    Step step = step_of(node.op);
    for (int input : node.inputs) {
      step.in.push_back(arranged(places_[static_cast<size_t>(input)], step.kernel->layout));
    }
    for (const Place& place : step.in) storage(place).last_step = next_step();
    release_inputs(node);
    for (int i = 0; i < node.output_count; ++i) {
      const auto value = static_cast<size_t>(node.first_output + i);
      const bool is_part = parts_[value].whole >= 0;
      Place place = is_part ? place_as_part(value) : in_place(node, step, i);
      if (place.storage < 0) place = new_place(graph_.specs[value]);
      storage(place).last_step = next_step();
      own(value, place);
      step.out.push_back(place);
    }
    broadcast_fused_inputs(step);
    plan_.steps.push_back(std::move(step));
  }

  static Step step_of(std::shared_ptr<const Op> op) {
    Step step;
    step.kernel = &cpu_kernels().find(*op);
    step.op = std::move(op);
    return step;
  }

  // Where a part of a larger array, or an array with parts, lies. Its memory is had when the first
  // part is computed.
  Place place_as_part(size_t value) {
    const PartOf& part = parts_[value];
    const size_t whole = part.whole >= 0 ? static_cast<size_t>(part.whole) : value;
    auto at = arrays_.find(whole);
    if (at == arrays_.end()) at = arrays_.emplace(whole, new_place(graph_.specs[whole])).first;
    Place place = at->second;
    if (part.whole >= 0) place.layout = part.layout;
    return place;
  }

  // Copies the inputs that are not in their place yet.
  void add_concatenation(const FlatNode& node, const Concatenate& join) {
    const auto value = static_cast<size_t>(node.first_output);
    const Place whole = place_as_part(value);
    const auto axis = static_cast<size_t>(join.axis);
    Step step;
    Shape start(whole.layout.shape.size(), 0);
    for (int input : node.inputs) {
      const Place& from = places_[static_cast<size_t>(input)];
      const Shape& shape = from.layout.shape;
      Place part = whole;
      part.layout = *Slice(start, Shape(shape.size(), 1), shape).view(whole.layout);
      start[axis] += shape[axis];
      if (is_same(from, part)) continue;
      step.in.push_back(from);
      step.out.push_back(part);
    }
    release_inputs(node);
    own(value, whole);
    if (step.in.empty()) return;
    static const auto copy = std::make_shared<const Contiguous>();
    const bool copies_all = step.in.size() == node.inputs.size();
    if (copies_all) step.out = {whole};
    step.op = copies_all ? node.op : copy;
    step.kernel = &cpu_kernels().find(*step.op);
    for (const Place& place : step.in) storage(place).last_step = next_step();
    storage(whole).last_step = next_step();
    plan_.steps.push_back(std::move(step));
  }

  int next_step() const { return static_cast<int>(plan_.steps.size()); }

  void own(size_t value, const Place& place) {
    places_[value] = place;
    readers_[static_cast<size_t>(place.storage)] += uses_[value];
  }

  void release_inputs(const FlatNode& node) {
    for (int input : node.inputs) {
      --readers_[static_cast<size_t>(places_[static_cast<size_t>(input)].storage)];
    }
  }

  void add_view(const FlatNode& node, const ViewOp& view) {
    Place in = places_[static_cast<size_t>(node.inputs[0])];
    std::optional<Layout> layout = view.view(in.layout);
    release_inputs(node);
    if (!layout) {
      in = contiguous_copy(in);
      layout = view.view(in.layout);
      MICA_ASSERT(layout.has_value());
    }
    own(static_cast<size_t>(node.first_output), {in.storage, in.dtype, *layout});
  }

  Place arranged(const Place& place, InputLayout wanted) {
    if (wanted == InputLayout::kAny) return place;
    if (wanted == InputLayout::kContiguous && place.layout.is_contiguous()) return place;
    if (wanted == InputLayout::kMatrix && is_matrix(place.layout)) return place;
    return contiguous_copy(place);
  }

  Place contiguous_copy(const Place& place) {
    for (const auto& [from, copy] : copies_[place.storage]) {
      if (from.layout == place.layout && from.dtype == place.dtype) return copy;
    }
    static const auto op = std::make_shared<const Contiguous>();
    Step step = step_of(op);
    step.in.push_back(place);
    storage(place).last_step = next_step();
    const Place copy = new_place({place.layout.shape, place.dtype});
    // Copies may be shared by later nodes, so nothing is written over them.
    readers_[static_cast<size_t>(copy.storage)] = 1 << 20;
    step.out.push_back(copy);
    plan_.steps.push_back(std::move(step));
    copies_[place.storage].push_back({place, copy});
    return copy;
  }

  // The bytes of an input that nobody reads after this step, where the program allows it.
  Place in_place(const FlatNode& node, const Step& step, int output) {
    const auto* fused = dynamic_cast<const Fused*>(node.op.get());
    if (fused == nullptr) return {};
    const Spec& spec = graph_.specs[static_cast<size_t>(node.first_output + output)];
    for (size_t i = 0; i < step.in.size(); ++i) {
      const Place& in = step.in[i];
      const Storage& from = storage(in);
      if (from.kind != Storage::Kind::kArena && !from.dies) continue;
      if (readers_[static_cast<size_t>(in.storage)] != 0) continue;
      const bool shared = std::ranges::count_if(step.in, [&](const Place& other) {
                            return other.storage == in.storage;
                          }) > 1;
      const bool taken = std::ranges::any_of(
          step.out, [&](const Place& other) { return other.storage == in.storage; });
      const size_t bytes = static_cast<size_t>(size_of(spec.shape)) * size_of(spec.dtype);
      if (shared || taken || from.bytes != bytes || !in.layout.is_contiguous()) continue;
      if (!fused->allows_in_place(static_cast<int>(i), output)) continue;
      copies_.erase(in.storage);
      return {in.storage, spec.dtype, Layout::contiguous(spec.shape)};
    }
    return {};
  }

  // Inputs of a fused program are given in the program's shape, with strides of 0 where they
  // are broadcast.
  void broadcast_fused_inputs(Step& step) {
    const auto* fused = dynamic_cast<const Fused*>(step.op.get());
    if (fused == nullptr) return;
    for (Place& place : step.in) place.layout = *BroadcastTo(fused->shape).view(place.layout);
  }

  void add_output(int value) {
    Place place = places_[static_cast<size_t>(value)];
    if (!may_share_bytes(place)) place = contiguous_copy(place);
    Storage& target = storage(place);
    if (target.kind == Storage::Kind::kArena) {
      target.kind = Storage::Kind::kOwned;
      target.number = plan_.owned_count++;
    }
    target.last_step = next_step();
    plan_.outputs.push_back(place);
  }

  // Whether a result may be a view of the storage. Literals have no buffer to share, a view should
  // not keep far more alive than it shows, and nobody expects memory behind a broadcast.
  bool may_share_bytes(const Place& place) {
    const Storage& from = storage(place);
    if (from.kind == Storage::Kind::kLeaf && from.bytes <= Node::kLiteralBytes) return false;
    const auto shown = static_cast<size_t>(size_of(place.layout.shape)) * size_of(place.dtype);
    return !has_broadcast_axis(place.layout) && 2 * shown >= from.bytes;
  }

  const FlatGraph& graph_;
  Plan& plan_;
  std::vector<Place> places_;                                   // of values
  std::vector<PartOf> parts_;                                   // by value
  std::map<size_t, Place> arrays_;                              // with parts, by value
  std::vector<int> uses_;                                       // of values: outputs once more
  std::vector<int> readers_;                                    // of storages: reads still to come
  std::map<int, std::vector<std::pair<Place, Place>>> copies_;  // by the storage copied from
};

}  // namespace

void lower_to_steps(const FlatGraph& graph, Plan& plan) { Lowering(graph, plan).run(); }

}  // namespace mica
