// The passes of the planner, in the order in which they run (plan.cc).
#pragma once

#include "core/plan/flat_graph.h"
#include "core/plan/plan.h"

namespace mica {

/// Types that are computed with in float32.
constexpr bool is_half(Dtype d) { return d == float16 || d == bfloat16; }

/// Equal ops on equal inputs become one node.
void merge_equal_nodes(FlatGraph& graph);

/// Rewrites what is the same with fewer or cheaper nodes, and drops what nobody reads.
void simplify(FlatGraph& graph);

/// Matrix products written out as sums of elementwise products become products.
void find_products(FlatGraph& graph);

/// Sums of many thin products become one product of their operands put together. Leaves the
/// products without readers, for simplify to drop.
void join_products(FlatGraph& graph);

/// Products that are only read transposed are computed so. What they were made from may be left
/// without readers, for simplify to drop.
void absorb_transposes(FlatGraph& graph);

/// Elementwise results of which only slices are read become results of slices. Leaves the results
/// without readers, for simplify to drop.
void push_slices(FlatGraph& graph);

/// Cheap elementwise values that are read again much later are computed again there.
void recompute_cheap_values(FlatGraph& graph);

/// Chains of pointwise ops over one shape become Fused nodes, with the reductions that end them;
/// with `chains` false, each pointwise op becomes a Fused node of its own.
void fuse_pointwise(FlatGraph& graph, bool chains);

/// Nodes that give back more memory than they take run as soon as they can.
void schedule(FlatGraph& graph);

/// Where a value is to be computed: in the array of a concatenation, `whole`, if it has one.
struct PartOf {
  int whole = -1;  // value
  Layout layout;   // in its elements
};
/// By value: which results are parts of an array that is put together from them.
std::vector<PartOf> find_parts(const FlatGraph& graph);

/// Nodes become steps on storages: views turn into layouts, copies go in where a kernel needs
/// another layout, and results are parts of larger arrays or take over the bytes of inputs that
/// die.
void lower_to_steps(const FlatGraph& graph, Plan& plan);

/// Places everything that lives only inside the plan in one arena, by life ranges.
void place_in_arena(Plan& plan);

}  // namespace mica
