#include <algorithm>
#include <numeric>

#include "core/plan/passes.h"

namespace mica {
namespace {

constexpr size_t kAlignment = 64;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool lives_overlap(const Storage& a, const Storage& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

}  // namespace

// Largest first, each at the lowest offset where nothing that lives at the same time is in the way
// (greedy by size, Pisarchyk and Lee 2020).
void place_in_arena(Plan& plan) {
  std::vector<Storage*> order;
  for (Storage& storage : plan.storages) {
    if (storage.kind == Storage::Kind::kArena && storage.bytes > 0) order.push_back(&storage);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const Storage* a, const Storage* b) { return a->bytes > b->bytes; });
  std::vector<Storage*> placed;  // by offset
  for (Storage* storage : order) {
    size_t offset = 0;
    for (const Storage* other : placed) {
      if (!lives_overlap(*storage, *other)) continue;
      if (offset + storage->bytes <= other->offset) break;
      offset = std::max(offset, aligned(other->offset + other->bytes));
    }
    storage->offset = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + storage->bytes);
    const auto at =
        std::upper_bound(placed.begin(), placed.end(), storage,
                         [](const Storage* a, const Storage* b) { return a->offset < b->offset; });
    placed.insert(at, storage);
  }
}

}  // namespace mica
