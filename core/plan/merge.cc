#include <algorithm>
#include <unordered_map>

#include "core/plan/passes.h"

namespace mica {

void merge_equal_nodes(FlatGraph& graph) {
  std::vector<int> renamed(graph.specs.size());
  for (size_t i = 0; i < renamed.size(); ++i) renamed[i] = static_cast<int>(i);

  std::unordered_multimap<size_t, size_t> by_hash;  // to numbers of kept nodes
  std::vector<FlatNode> kept;
  for (FlatNode& node : graph.nodes) {
    size_t hash = node.op->hash();
    for (int& input : node.inputs) {
      input = renamed[static_cast<size_t>(input)];
      hash_combine(hash, static_cast<size_t>(input));
    }
    const auto [first, last] = by_hash.equal_range(hash);
    const auto same = std::find_if(first, last, [&](const auto& entry) {
      const FlatNode& other = kept[entry.second];
      return other.inputs == node.inputs && (other.op == node.op || other.op->equals(*node.op));
    });
    if (same == last) {
      by_hash.emplace(hash, kept.size());
      kept.push_back(std::move(node));
      continue;
    }
    for (int i = 0; i < node.output_count; ++i) {
      renamed[static_cast<size_t>(node.first_output + i)] = kept[same->second].first_output + i;
    }
  }
  graph.nodes = std::move(kept);
  for (int& output : graph.outputs) output = renamed[static_cast<size_t>(output)];
}

}  // namespace mica
