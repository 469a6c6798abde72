// Plan: a flat list of kernel calls on numbered storages, made once for a graph's structure.
//
//   auto plan = find_plan(trace.graph);             // from the cache, or built
//   PlanRun run = plan->prepare(trace.leaves);      // memory for the results
//   plan->execute(run);                             // computes them
//
// Plans are immutable and may be executed by several threads at once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/error.h"
#include "core/graph/kernels.h"
#include "core/plan/flat_graph.h"

namespace mica {

struct Storage {
  enum class Kind : uint8_t { kLeaf, kArena, kOwned };
  Kind kind = Kind::kArena;
  int number = 0;     // of the leaf, or of the owned buffer
  bool dies = false;  // a leaf that may be written over
  size_t bytes = 0;
  size_t offset = 0;   // in the arena
  int first_step = 0;  // life range, both ends included
  int last_step = 0;
};

/// Where a value lies.
struct Place {
  int storage = -1;
  Dtype dtype = Dtype::kFloat32;
  Layout layout;  // elements from the storage's start
};

struct Step {
  const Kernel* kernel = nullptr;
  std::shared_ptr<const Op> op;
  std::vector<Place> in;
  std::vector<Place> out;
  std::unique_ptr<const PreparedKernel> prepared;  // where the kernel has something to prepare
};

/// The operands of all steps, inputs before outputs, with the addresses of one execution.
struct Frame {
  std::vector<Operand> operands;
  const std::byte* arena = nullptr;  // that the addresses are set for
};

/// Frames at rest. Several executions of a plan at once have a frame each.
class FramePool {
 public:
  FramePool() = default;
  FramePool(FramePool&&) = delete;
  std::unique_ptr<Frame> take();  // null when there is none
  void give(std::unique_ptr<Frame> frame);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Frame>> frames_;
};

/// One execution: the leaves it reads, its scratch memory and the buffers of its results.
struct PlanRun {
  std::vector<Array> leaves;
  Buffer arena;
  std::vector<Buffer> owned;
  std::vector<Value> outputs;  // parallel to the graph's outputs
};

class Plan {
 public:
  std::vector<Storage> storages;
  std::vector<Step> steps;
  std::vector<Place> outputs;
  size_t arena_bytes = 0;
  int owned_count = 0;

  /// Prepares the kernels. To be called once, when the lists above are complete.
  void bind();
  /// Throws Error naming the largest value when there is not enough memory.
  PlanRun prepare(std::vector<Array> leaves) const;
  void execute(const PlanRun& run) const;

 private:
  // An operand that has to be given the address of a storage, plus `offset` bytes.
  struct Address {
    size_t operand;
    size_t storage;
    ptrdiff_t offset;
  };
  std::unique_ptr<Frame> take_frame(const PlanRun& run) const;
  [[noreturn]] void explain_shortage(const Error& error) const;

  std::vector<Operand> operands_;  // without addresses
  std::vector<Address> arena_addresses_;
  std::vector<Address> run_addresses_;  // of leaves and results
  mutable FramePool frames_;
};

/// What an observer is told of every step while one is set.
struct StepTiming {
  const Op& op;
  Inputs in;
  Outputs out;
  std::chrono::steady_clock::time_point begin;
  std::chrono::steady_clock::time_point end;
};
using StepObserver = std::function<void(const StepTiming&)>;
/// For profiles: called after every step on the thread that ran it; an empty function ends it.
/// Not to be changed while something is being evaluated.
void set_step_observer(StepObserver observer);

/// The plan for a graph, from a bounded cache where one of the same structure was planned before.
std::shared_ptr<const Plan> find_plan(const FlatGraph& graph);

/// Turns fusion of pointwise chains off (and on), for tests: results are the same bit for bit.
void set_fusion(bool enabled);

struct PlanCacheUse {
  size_t plans = 0;
  size_t hits = 0;
  size_t misses = 0;
};
PlanCacheUse plan_cache_use();

}  // namespace mica
