#include "core/plan/plan.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>
#include <unordered_map>

#include "core/plan/passes.h"
#include "core/runtime/mapped_file.h"

namespace mica {
namespace {

std::atomic<bool> fusion = true;

std::shared_ptr<const Plan> build_plan(FlatGraph graph, bool chains) {
  merge_equal_nodes(graph);
  simplify(graph);
  find_products(graph);
  absorb_transposes(graph);
  join_products(graph);
  absorb_transposes(graph);  // of what was a sum before
  push_slices(graph);
  simplify(graph);  // drops what the passes before have left over
  merge_equal_nodes(graph);
  if (chains) recompute_cheap_values(graph);
  fuse_pointwise(graph, chains);
  schedule(graph);
  auto plan = std::make_shared<Plan>();
  lower_to_steps(graph, *plan);
  place_in_arena(*plan);
  plan->bind();
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

ptrdiff_t byte_offset(const Place& place) {
  return place.layout.offset * static_cast<ptrdiff_t>(size_of(place.dtype));
}

std::atomic<bool> is_observed = false;

StepObserver& step_observer() {
  static StepObserver observer;
  return observer;
}

void run_step(const Step& step, Inputs in, Outputs out) {
  if (step.prepared)
    step.prepared->run(in, out);
  else
    step.kernel->run(step.kernel->typed, *step.op, in, out);
}

void run_observed(const Step& step, Inputs in, Outputs out) {
  const auto begin = std::chrono::steady_clock::now();
  run_step(step, in, out);
  static std::mutex mutex;  // streams run at once
  std::lock_guard lock(mutex);
  step_observer()({*step.op, in, out, begin, std::chrono::steady_clock::now()});
}

}  // namespace

std::shared_ptr<const Plan> find_plan(const FlatGraph& graph) { return cache().find(graph); }
void set_fusion(bool enabled) { fusion = enabled; }
PlanCacheUse plan_cache_use() { return cache().use(); }

void set_step_observer(StepObserver observer) {
  is_observed = observer != nullptr;
  step_observer() = std::move(observer);
}

std::unique_ptr<Frame> FramePool::take() {
  std::lock_guard lock(mutex_);
  if (frames_.empty()) return nullptr;
  auto frame = std::move(frames_.back());
  frames_.pop_back();
  return frame;
}

void FramePool::give(std::unique_ptr<Frame> frame) {
  std::lock_guard lock(mutex_);
  frames_.push_back(std::move(frame));
}

void Plan::bind() {
  const auto add = [&](const Place& place) {
    const auto storage = static_cast<size_t>(place.storage);
    auto& addresses =
        storages[storage].kind == Storage::Kind::kArena ? arena_addresses_ : run_addresses_;
    addresses.push_back({operands_.size(), storage, byte_offset(place)});
    operands_.push_back({nullptr, place.dtype, place.layout.shape, place.layout.strides});
  };
  for (const Step& step : steps) {
    for (const Place& place : step.in) add(place);
    for (const Place& place : step.out) add(place);
  }
  const Operand* next = operands_.data();
  for (Step& step : steps) {
    const Inputs in(next, step.in.size());
    const Outputs out(next + step.in.size(), step.out.size());
    if (step.kernel->prepare) step.prepared = step.kernel->prepare(*step.op, in, out);
    next += step.in.size() + step.out.size();
  }
}

// Adds what the memory was wanted for.
void Plan::explain_shortage(const Error& error) const {
  const auto largest =
      std::max_element(storages.begin(), storages.end(),
                       [](const Storage& a, const Storage& b) { return a.bytes < b.bytes; });
  const int number = static_cast<int>(largest - storages.begin());
  for (const Step& step : steps) {
    for (const Place& place : step.out) {
      if (place.storage != number) continue;
      fail(ErrorKind::kRuntime, "{}; the largest of {} values is the {} of {} by {}: {} bytes",
           error.what(), storages.size(), place.dtype, mica::to_string(place.layout.shape),
           step.op->name(), largest->bytes);
    }
  }
  throw error;
}

PlanRun Plan::prepare(std::vector<Array> leaves) const try {
  PlanRun run;
  run.leaves = std::move(leaves);
  run.owned.reserve(static_cast<size_t>(owned_count));
  run.owned.resize(static_cast<size_t>(owned_count));
  for (const Storage& storage : storages) {
    if (storage.kind != Storage::Kind::kOwned) continue;
    run.owned[static_cast<size_t>(storage.number)] = Buffer::allocate(storage.bytes);
  }
  if (arena_bytes > 0) run.arena = Buffer::allocate(arena_bytes);
  run.outputs.reserve(outputs.size());
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
} catch (const Error& error) {
  explain_shortage(error);
}

std::unique_ptr<Frame> Plan::take_frame(const PlanRun& run) const {
  auto frame = frames_.take();
  if (frame == nullptr) {
    frame = std::make_unique<Frame>();
    frame->operands = operands_;
  }
  if (frame->arena != run.arena.data()) {
    frame->arena = run.arena.data();
    for (const Address& address : arena_addresses_) {
      frame->operands[address.operand].data =
          run.arena.data() + storages[address.storage].offset + address.offset;
    }
  }
  for (const Address& address : run_addresses_) {
    const Storage& storage = storages[address.storage];
    const auto number = static_cast<size_t>(storage.number);
    std::byte* base = nullptr;
    if (storage.kind == Storage::Kind::kLeaf) {
      const Array& leaf = run.leaves[number];
      base = leaf.node()->values[leaf.index()].data;
    } else {
      base = run.owned[number].data();
    }
    frame->operands[address.operand].data = base + address.offset;
  }
  return frame;
}

void Plan::execute(const PlanRun& run) const {
  std::unique_ptr<Frame> frame = take_frame(run);
  const bool observed = is_observed.load(std::memory_order_relaxed);
  const Operand* next = frame->operands.data();
  for (const Step& step : steps) {
    const Inputs in(next, step.in.size());
    const Outputs out(next + step.in.size(), step.out.size());
    next += step.in.size() + step.out.size();
    if (observed)
      run_observed(step, in, out);
    else
      run_step(step, in, out);
  }
  frames_.give(std::move(frame));
  check_mapped_files();
}

}  // namespace mica
