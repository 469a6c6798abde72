// Numbers that stand for rows: the same row has the same number, whatever lies around it.
//
//   std::vector<uint64_t> numbers = row_hashes(split.x, random_key(seed, 0));
//   uint64_t number = hash_bytes(key, std::as_bytes(std::span(text)));
//
// Different rows share a number about once in 2^64 pairs: where that matters, compare the rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/io/host_tensor.h"

namespace mica::data {

uint64_t hash_bytes(uint64_t hash, std::span<const std::byte> bytes);
/// Of every row's bytes; `start` begins each of them.
std::vector<uint64_t> row_hashes(const HostTensor& tensor, uint64_t start);

}  // namespace mica::data
