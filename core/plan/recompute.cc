// Cheap elementwise values that a pass far behind reads are computed there, from what is in memory
// for it in any case:
//
//   s = sigmoid(x)   ...   g * s * (1 - s)
//
// 1 - s depends on s alone, so that the forward pass could compute it; but keeping it would cost a
// buffer, a write and a read, and keeping s is enough. The copies have the same inputs and so the
// same bits.
#include <algorithm>
#include <map>
#include <utility>

#include "core/ops/elementwise.h"
#include "core/plan/passes.h"

namespace mica {
namespace {

// Below this a buffer is not worth an instruction.
constexpr size_t kSmallestBuffer = 4096;
// How many ops deep a value is computed again.
constexpr int kMostDepth = 4;

// What costs no more than the loads and stores around it.
bool is_cheap(const Op& op) {
  if (dynamic_cast<const Where*>(&op) || dynamic_cast<const Cast*>(&op)) return true;
  const auto* row = dynamic_cast<const Elementwise*>(&op);
  if (row == nullptr) return false;
  if (row->row().gives_bool) return true;
  switch (row->function) {
    case Function::k_add:
    case Function::k_subtract:
    case Function::k_multiply:
    case Function::k_neg:
    case Function::k_abs:
    case Function::k_square:
    case Function::k_relu:
    case Function::k_maximum:
    case Function::k_minimum: return true;
    default: return false;
  }
}

class Recomputer {
 public:
  explicit Recomputer(FlatGraph& graph) : graph_(graph) {}

  void run() {
    describe();
    for (size_t i = 0; i < graph_.nodes.size(); ++i) consider(i);
    if (copies_.empty()) return;
    std::vector<FlatNode> nodes;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      nodes.push_back(std::move(graph_.nodes[i]));
      for (FlatNode& copy : copies_of_[i]) nodes.push_back(std::move(copy));
    }
    graph_.nodes = std::move(nodes);
    drop_unread(graph_);  // originals that only readers of copies have read
  }

 private:
  struct Value {
    int producer = -1;  // node
    std::vector<size_t> readers;
    bool is_kept = false;  // in memory for somebody in any case
    bool is_wanted = false;
  };

  Value& value_at(int value) { return values_[static_cast<size_t>(value)]; }
  const Spec& spec_at(int value) const { return graph_.specs[static_cast<size_t>(value)]; }
  size_t bytes_of(int value) const {
    const Spec& spec = spec_at(value);
    return static_cast<size_t>(size_of(spec.shape)) * size_of(spec.dtype);
  }
  int result_of(size_t node) const { return graph_.nodes[node].first_output; }
  bool is_pointwise(size_t node) const {
    return dynamic_cast<const PointwiseOp*>(graph_.nodes[node].op.get()) != nullptr;
  }
  // The reader may take the value from a register.
  bool may_fuse(int value, size_t reader) const {
    return is_pointwise(reader) && spec_at(result_of(reader)).shape == spec_at(value).shape;
  }
  // Stages are passes over memory, as fuse.cc forms them.
  void describe() {
    const size_t count = graph_.nodes.size();
    values_.resize(graph_.specs.size());
    stage_.assign(count, 0);
    copies_of_.resize(count);
    for (size_t i = 0; i < count; ++i) {
      const FlatNode& node = graph_.nodes[i];
      for (int input : node.inputs) {
        Value& read = value_at(input);
        read.readers.push_back(i);
        if (read.producer < 0) continue;
        const auto from = static_cast<size_t>(read.producer);
        const bool fused = is_pointwise(from) && may_fuse(input, i);
        stage_[i] = std::max(stage_[i], stage_[from] + (fused ? 0 : 1));
      }
      for (int k = 0; k < node.output_count; ++k) {
        value_at(node.first_output + k).producer = static_cast<int>(i);
      }
    }
    for (int leaf : graph_.leaves) value_at(leaf).is_kept = true;
    for (int output : graph_.outputs) value_at(output).is_wanted = true;
    for (size_t i = 0; i < count; ++i) describe_keeping(i);
  }

  void describe_keeping(size_t node) {
    const FlatNode& flat = graph_.nodes[node];
    for (int k = 0; k < flat.output_count; ++k) {
      const int number = flat.first_output + k;
      Value& value = value_at(number);
      value.is_kept = value.is_wanted || !is_pointwise(node) ||
                      std::ranges::any_of(value.readers, [&](size_t reader) {
                        return !may_fuse(number, reader) || stage_[reader] != stage_[node];
                      });
    }
  }

  void consider(size_t node) {
    if (!is_pointwise(node)) return;
    const int number = result_of(node);
    Value& value = value_at(number);
    if (value.is_wanted || bytes_of(number) < kSmallestBuffer) return;
    std::vector<size_t> late;
    for (size_t reader : value.readers) {
      if (!may_fuse(number, reader)) return;  // in memory anyway
      if (stage_[reader] > stage_[node]) late.push_back(reader);
    }
    if (late.empty()) return;
    std::vector<int> sources;
    if (!find_sources(number, kMostDepth, sources)) return;

    // One array is read, and kept if need be, in the place of another.
    size_t read = 0;
    for (int source : sources) read += bytes_of(source);
    if (read > bytes_of(number) + bytes_of(number) / 4) return;
    value.is_kept = false;
    for (size_t reader : late) {
      for (int& input : graph_.nodes[reader].inputs) {
        if (input == number) input = copy_for(number, stage_[reader]);
      }
    }
  }

  // The values in memory that `value` is computed from; false if that takes too much.
  bool find_sources(int value, int depth, std::vector<int>& sources) {
    if (depth == 0 || value_at(value).producer < 0) return false;  // a copy has no node yet
    const FlatNode& node = graph_.nodes[static_cast<size_t>(value_at(value).producer)];
    if (!is_cheap(*node.op)) return false;
    for (int input : node.inputs) {
      if (!value_at(input).is_kept) {
        if (!find_sources(input, depth - 1, sources)) return false;
      } else if (std::ranges::find(sources, input) == sources.end()) {
        sources.push_back(input);
      }
    }
    return true;
  }

  // One copy for every stage that reads it.
  int copy_for(int value, int stage) {
    const auto found = copies_.find({value, stage});
    if (found != copies_.end()) return found->second;
    const auto original = static_cast<size_t>(value_at(value).producer);
    FlatNode copy = graph_.nodes[original];
    copy.is_recomputed = true;
    for (int& input : copy.inputs) {
      if (!value_at(input).is_kept) input = copy_for(input, stage);
    }
    copy.first_output = static_cast<int>(graph_.specs.size());
    graph_.specs.push_back(Spec(spec_at(value)));
    values_.emplace_back();
    copies_[{value, stage}] = copy.first_output;
    copies_of_[original].push_back(copy);
    return copy.first_output;
  }

  FlatGraph& graph_;
  std::vector<Value> values_;
  std::vector<int> stage_;                        // by node
  std::map<std::pair<int, int>, int> copies_;     // by value and stage
  std::vector<std::vector<FlatNode>> copies_of_;  // by node
};

}  // namespace

void recompute_cheap_values(FlatGraph& graph) { Recomputer(graph).run(); }

}  // namespace mica
