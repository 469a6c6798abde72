// Plan: a flat list of kernel calls on numbered storages, made once for a graph's structure.
//
//   auto plan = find_plan(trace.graph);             // from the cache, or built
//   PlanRun run = plan->prepare(trace.leaves);      // memory for the results
//   plan->execute(run);                             // computes them
//
// Plans are immutable and may be executed by several threads at once.
#pragma once

#include <memory>
#include <vector>

#include "core/graph/kernels.h"
#include "core/plan/flat_graph.h"

namespace mica {

struct Storage {
  enum class Kind : uint8_t { kLeaf, kArena, kOwned };
  Kind kind = Kind::kArena;
  int number = 0;  // of the leaf, or of the owned buffer
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
};

/// One execution: the leaves it reads and the buffers its results will be in.
struct PlanRun {
  std::vector<Array> leaves;
  std::vector<Buffer> owned;
  std::vector<Value> outputs;  // parallel to the graph's outputs
};

struct Plan {
  std::vector<Storage> storages;
  std::vector<Step> steps;
  std::vector<Place> outputs;
  size_t arena_bytes = 0;
  int owned_count = 0;

  PlanRun prepare(std::vector<Array> leaves) const;
  void execute(const PlanRun& run) const;
};

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
