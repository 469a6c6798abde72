// The order of nodes is the order in which they run. It stays the order in which the graph was
// built, but a node that gives back more memory than it takes, because it is the last reader of
// what it reads, runs as soon as it can. So every weight is updated when its gradient is there,
// while that is in the caches, and the next gradient is written where it was.
#include <algorithm>
#include <set>

#include "core/plan/passes.h"

namespace mica {
namespace {

// Not for less than a page.
constexpr int64_t kWorthwhileBytes = 4096;

class Scheduler {
 public:
  explicit Scheduler(FlatGraph& graph) : graph_(graph) {}

  void run() {
    find_readers();
    std::vector<FlatNode> nodes;
    for (size_t first = 0; first < graph_.nodes.size(); ++first) {
      if (is_done_[first]) continue;
      soon_ = {first};
      while (!soon_.empty()) {
        const size_t next = *soon_.begin();
        soon_.erase(soon_.begin());
        finish(next);
        nodes.push_back(std::move(graph_.nodes[next]));
      }
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  void find_readers() {
    const size_t values = graph_.specs.size(), nodes = graph_.nodes.size();
    const std::vector<int> producer = producers_of(graph_);
    readers_.resize(values);
    waits_for_.assign(nodes, 0);
    is_done_.assign(nodes, false);
    for (size_t i = 0; i < nodes; ++i) {
      for (const int input : inputs_of(i)) {
        readers_[static_cast<size_t>(input)].push_back(i);
        if (producer[static_cast<size_t>(input)] >= 0) ++waits_for_[i];
      }
    }
    for (const auto& readers : readers_) left_.push_back(readers.size());
    stays_ = wanted_of(graph_);
    for (size_t i = 0; i < graph_.leaves.size(); ++i) {
      if (!graph_.leaf_dies[i]) stays_[static_cast<size_t>(graph_.leaves[i])] = true;
    }
  }

  // Each once.
  SmallVector<int, 3> inputs_of(size_t node) const {
    SmallVector<int, 3> inputs = graph_.nodes[node].inputs;
    std::sort(inputs.begin(), inputs.end());
    inputs.resize(static_cast<size_t>(std::unique(inputs.begin(), inputs.end()) - inputs.begin()));
    return inputs;
  }

  int64_t bytes_of(int value) const {
    const Spec& spec = graph_.specs[static_cast<size_t>(value)];
    return size_of(spec.shape) * static_cast<int64_t>(size_of(spec.dtype));
  }

  int64_t bytes_gained(size_t node) const {
    int64_t bytes = 0;
    for (const int input : inputs_of(node)) {
      const auto value = static_cast<size_t>(input);
      if (left_[value] == 1 && !stays_[value]) bytes += bytes_of(input);
    }
    const FlatNode& made = graph_.nodes[node];
    for (int k = 0; k < made.output_count; ++k) bytes -= bytes_of(made.first_output + k);
    return bytes;
  }

  void finish(size_t node) {
    is_done_[node] = true;
    for (const int input : inputs_of(node)) {
      const auto value = static_cast<size_t>(input);
      if (--left_[value] != 1) continue;
      for (const size_t reader : readers_[value]) consider(reader);
    }
    const FlatNode& made = graph_.nodes[node];
    for (int k = 0; k < made.output_count; ++k) {
      for (const size_t reader : readers_[static_cast<size_t>(made.first_output + k)]) {
        --waits_for_[reader];
        consider(reader);
      }
    }
  }

  void consider(size_t node) {
    if (is_done_[node] || waits_for_[node] > 0) return;
    if (bytes_gained(node) >= kWorthwhileBytes) soon_.insert(node);
  }

  FlatGraph& graph_;
  std::vector<std::vector<size_t>> readers_;  // of values: nodes
  std::vector<size_t> left_;                  // of values: readers that have not run yet
  std::vector<char> stays_;                   // values whose memory nobody gets
  std::vector<int> waits_for_;                // of nodes: values that are not computed yet
  std::vector<char> is_done_;                 // nodes
  std::set<size_t> soon_;                     // nodes to run next, in their old order
};

}  // namespace

void schedule(FlatGraph& graph) { Scheduler(graph).run(); }

}  // namespace mica
