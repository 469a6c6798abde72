// The order in which examples are visited, as a pure function.
//
//   std::vector<int64_t> order = permutation(60000, seed, epoch);    // order[position] is a row
//
// Written out here because std::shuffle and the std distributions may differ between libraries,
// and runs must not.
#pragma once

#include <cstdint>
#include <vector>

namespace mica::data {

/// Word number `counter` of the random sequence `key`: SplitMix64 (Steele, Lea, Flood 2014), which
/// reaches every word of its sequence in one step.
uint64_t random_word(uint64_t key, uint64_t counter);
/// A key for each (seed, stream).
uint64_t random_key(uint64_t seed, uint64_t stream);
/// A number in [0, bound) from a random word by multiplication (Lemire 2019 without the rejection:
/// the bias is below bound / 2^64).
uint64_t bounded(uint64_t word, uint64_t bound);
/// Number `index` of the sequence `key` of independent standard normal numbers (Box-Muller).
double random_normal(uint64_t key, uint64_t index);

/// 0 ... count-1 in an order that (seed, epoch) alone decide (Fisher-Yates).
std::vector<int64_t> permutation(int64_t count, uint64_t seed, uint64_t epoch);

}  // namespace mica::data
