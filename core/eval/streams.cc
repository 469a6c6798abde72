#include "core/eval/streams.h"

#include <oneapi/tbb/task_group.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <utility>

#include "core/base/pointer_map.h"
#include "core/graph/node.h"
#include "core/graph/walk.h"

namespace mica {
namespace {

// A node's stage is how often the stream changes on the way to it: nodes of one stage and different
// streams do not depend on each other.
class Stages {
 public:
  void walk(Node* root) {
    walk_inputs_first(
        root, [&](Node* node) { return enter(node); }, [&](Node* node) { leave(node); });
  }
  void want(const Array& array) {
    const auto number = static_cast<size_t>(numbers_.find(array.node()));
    if (std::exchange(wanted_[number], true)) return;
    pieces_[{stage_[number], stream_numbers_.at(array.node()->stream)}].push_back(array);
  }
  std::vector<Piece> pieces() {
    std::vector<Piece> all;
    for (auto& [place, arrays] : pieces_) all.push_back({arrays[0].node()->stream, arrays});
    return all;
  }
  const Arrays& boundaries() const { return boundaries_; }

 private:
  bool enter(Node* node) {
    if (node->is_evaluated()) return false;
    const auto [number, is_new] = numbers_.insert(node, static_cast<int>(stage_.size()));
    if (!is_new) return false;
    stage_.push_back(0);
    wanted_.push_back(false);
    stream_numbers_.try_emplace(node->stream, stream_numbers_.size());
    return true;
  }

  void leave(Node* node) {
    int stage = 0;
    for (const Array& input : node->inputs) {
      if (input.node()->is_evaluated()) continue;
      const bool crosses = input.node()->stream != node->stream;
      stage = std::max(stage, stage_[static_cast<size_t>(numbers_.find(input.node()))] + crosses);
      if (crosses) boundaries_.push_back(input);
    }
    stage_[static_cast<size_t>(numbers_.find(node))] = stage;
  }

  PointerMap numbers_;
  std::vector<int> stage_;    // by number
  std::vector<char> wanted_;  // by number
  Arrays boundaries_;
  std::map<Stream*, size_t> stream_numbers_;  // in the order in which they are met
  std::map<std::pair<int, size_t>, Arrays> pieces_;
};

}  // namespace

std::vector<Piece> pieces_by_stream(const Arrays& roots) {
  Stages stages;
  for (const Array& root : roots) stages.walk(root.node());
  for (const Array& array : stages.boundaries()) stages.want(array);
  for (const Array& root : roots) stages.want(root);
  return stages.pieces();
}

void run_jobs(std::vector<Job> jobs) {
  // Jobs that wait are started by those that end, so that the group is never idle before the end.
  tbb::task_group group;
  struct Waiting {
    Waiting(Job next, size_t count) : job(std::move(next)), events(count) {}
    Job job;
    std::atomic<size_t> events;
  };
  std::vector<std::unique_ptr<Waiting>> all;
  for (Job& job : jobs) {
    const size_t events = job.after.size() + 1;
    all.push_back(std::make_unique<Waiting>(std::move(job), events));
  }
  const auto one_less = [&group](Waiting& waiting) {
    if (--waiting.events > 0) return;
    group.run([&waiting] {
      std::exception_ptr error;
      try {
        waiting.job.work();
      } catch (...) {
        error = std::current_exception();
      }
      waiting.job.work = nullptr;
      waiting.job.done->finish(error);
    });
  };
  for (const auto& waiting : all) {
    for (const EventPtr& event : waiting->job.after) event->then([&] { one_less(*waiting); });
  }
  for (const auto& waiting : all) one_less(*waiting);
  group.wait();
}

}  // namespace mica
