#include "data/row_hash.h"

#include <algorithm>
#include <cstring>

#include "data/sampler.h"

namespace mica::data {

uint64_t hash_bytes(uint64_t hash, std::span<const std::byte> bytes) {
  for (size_t at = 0; at < bytes.size(); at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min(sizeof(word), bytes.size() - at));
    hash = random_word(hash ^ word, at);
  }
  return hash;
}

std::vector<uint64_t> row_hashes(const HostTensor& tensor, uint64_t start) {
  std::vector<uint64_t> hashes(static_cast<size_t>(tensor.rows()));
  const size_t bytes = tensor.row_bytes();
  for (size_t row = 0; row < hashes.size(); ++row) {
    hashes[row] = hash_bytes(start, std::span(tensor.bytes).subspan(row * bytes, bytes));
  }
  return hashes;
}

}  // namespace mica::data
