#include "core/plan/plan.h"

#include <atomic>
#include <list>
#include <mutex>
#include <unordered_map>

#include "core/plan/passes.h"

namespace mica {
namespace {

std::atomic<bool> fusion = true;

std::shared_ptr<const Plan> build_plan(FlatGraph graph, bool chains) {
  merge_equal_nodes(graph);
  fuse_pointwise(graph, chains);
  auto plan = std::make_shared<Plan>();
  lower_to_steps(graph, *plan);
  place_in_arena(*plan);
  return plan;
}

// Least recently used plans go first.
class Cache {
 public:
  std::shared_ptr<const Plan> find(const FlatGraph& graph) {
    const bool chains = fusion;
    size_t hash = graph.hash();
    hash_combine(hash, chains);
    {
      std::lock_guard lock(mutex_);
      const auto [first, last] = by_hash_.equal_range(hash);
      for (auto at = first; at != last; ++at) {
        if (at->second->chains != chains || !(at->second->graph == graph)) continue;
        entries_.splice(entries_.begin(), entries_, at->second);
        ++use_.hits;
        return at->second->plan;
      }
      ++use_.misses;
    }
    auto plan = build_plan(graph, chains);
    if (graph.nodes.size() <= kMostNodes) insert({hash, graph, chains, plan});
    return plan;
  }

  PlanCacheUse use() {
    std::lock_guard lock(mutex_);
    use_.plans = entries_.size();
    return use_;
  }

 private:
  struct Entry {
    size_t hash;
    FlatGraph graph;
    bool chains;
    std::shared_ptr<const Plan> plan;
  };
  using Entries = std::list<Entry>;

  // A graph beyond this size is hardly built the same way twice, and its copy would be large.
  static constexpr size_t kMostNodes = 20'000;
  static constexpr size_t kMostPlans = 512;

  void insert(Entry entry) {
    std::lock_guard lock(mutex_);
    entries_.push_front(std::move(entry));
    by_hash_.emplace(entries_.front().hash, entries_.begin());
    if (entries_.size() <= kMostPlans) return;
    const auto oldest = std::prev(entries_.end());
    const auto [first, last] = by_hash_.equal_range(oldest->hash);
    for (auto at = first; at != last; ++at) {
      if (at->second != oldest) continue;
      by_hash_.erase(at);
      break;
    }
    entries_.erase(oldest);
  }

  std::mutex mutex_;
  Entries entries_;
  std::unordered_multimap<size_t, Entries::iterator> by_hash_;
  PlanCacheUse use_;
};

Cache& cache() {
  static Cache instance;
  return instance;
}

int64_t byte_offset(const Place& place) {
  return place.layout.offset * static_cast<int64_t>(size_of(place.dtype));
}

}  // namespace

std::shared_ptr<const Plan> find_plan(const FlatGraph& graph) { return cache().find(graph); }
void set_fusion(bool enabled) { fusion = enabled; }
PlanCacheUse plan_cache_use() { return cache().use(); }

PlanRun Plan::prepare(std::vector<Array> leaves) const {
  PlanRun run;
  run.leaves = std::move(leaves);
  run.owned.resize(static_cast<size_t>(owned_count));
  for (const Storage& storage : storages) {
    if (storage.kind != Storage::Kind::kOwned) continue;
    run.owned[static_cast<size_t>(storage.number)] = Buffer::allocate(storage.bytes);
  }
  for (const Place& place : outputs) {
    const Storage& storage = storages[static_cast<size_t>(place.storage)];
    Value value;
    if (storage.kind == Storage::Kind::kLeaf) {
      const Array& leaf = run.leaves[static_cast<size_t>(storage.number)];
      value = leaf.node()->values[leaf.index()];
    } else {
      value.buffer = run.owned[static_cast<size_t>(storage.number)];
      value.data = value.buffer.data();
    }
    value.data += byte_offset(place);
    value.strides = place.layout.strides;
    run.outputs.push_back(std::move(value));
  }
  return run;
}

void Plan::execute(const PlanRun& run) const {
  const Buffer arena = arena_bytes > 0 ? Buffer::allocate(arena_bytes) : Buffer();
  std::vector<std::byte*> bases;
  bases.reserve(storages.size());
  for (const Storage& storage : storages) {
    const auto number = static_cast<size_t>(storage.number);
    switch (storage.kind) {
      case Storage::Kind::kLeaf: {
        const Array& leaf = run.leaves[number];
        bases.push_back(leaf.node()->values[leaf.index()].data);
        break;
      }
      case Storage::Kind::kOwned: bases.push_back(run.owned[number].data()); break;
      case Storage::Kind::kArena: bases.push_back(arena.data() + storage.offset); break;
    }
  }
  const auto operand = [&](const Place& place) {
    return Operand{bases[static_cast<size_t>(place.storage)] + byte_offset(place), place.dtype,
                   place.layout.shape, place.layout.strides};
  };
  std::vector<Operand> in;
  std::vector<Operand> out;
  for (const Step& step : steps) {
    in.clear();
    out.clear();
    for (const Place& place : step.in) in.push_back(operand(place));
    for (const Place& place : step.out) out.push_back(operand(place));
    step.kernel->run(step.kernel->typed, *step.op, in, out);
  }
}

}  // namespace mica
