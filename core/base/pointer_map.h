// A map from addresses to small integers, for walks over graphs.
//
//   PointerMap numbers;
//   const auto [number, is_new] = numbers.insert(node, 7);   // 7, true
//   numbers.find(other);                                     // -1: not there
//
// Open addressing with linear probing, because walks of every training step go through it; nothing
// is ever removed. Numbers are 0 or more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mica {

class PointerMap {
 public:
  /// The number of `key`, or -1.
  int find(const void* key) const { return entries_[slot_of(key)].number; }

  /// Gives `key` a number unless it has one. Returns its number, and whether it is new.
  std::pair<int, bool> insert(const void* key, int number) {
    Entry& entry = entries_[slot_of(key)];
    if (entry.number >= 0) return {entry.number, false};
    entry = {key, number};
    if (2 * ++size_ > entries_.size()) grow();
    return {number, true};
  }

 private:
  struct Entry {
    const void* key = nullptr;
    int number = -1;
  };

  size_t slot_of(const void* key) const {
    const size_t mask = entries_.size() - 1;
    // Fibonacci hashing (Knuth, vol. 3, 6.4); the top bits are the well mixed ones.
    size_t slot = (reinterpret_cast<uintptr_t>(key) * 0x9e3779b97f4a7c15ull >> 32) & mask;
    while (entries_[slot].number >= 0 && entries_[slot].key != key) slot = (slot + 1) & mask;
    return slot;
  }

  void grow() {
    std::vector<Entry> old(2 * entries_.size());
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.number >= 0) entries_[slot_of(entry.key)] = entry;
    }
  }

  std::vector<Entry> entries_ = std::vector<Entry>(64);
  size_t size_ = 0;
};

}  // namespace mica
