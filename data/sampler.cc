#include "data/sampler.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace mica::data {

uint64_t random_word(uint64_t key, uint64_t counter) {
  uint64_t word = key + (counter + 1) * 0x9e3779b97f4a7c15ull;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
  word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
  return word ^ (word >> 31);
}

uint64_t random_key(uint64_t seed, uint64_t stream) {
  return random_word(random_word(seed, 0), stream);
}

uint64_t bounded(uint64_t word, uint64_t bound) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(word) * bound) >> 64);
}

double random_normal(uint64_t key, uint64_t index) {
  // Half a step above 0, so that the logarithm is finite.
  const auto uniform = [](uint64_t word) {
    return (static_cast<double>(word >> 11) + 0.5) * 0x1p-53;
  };
  const double radius = std::sqrt(-2 * std::log(uniform(random_word(key, 2 * index))));
  return radius * std::cos(2 * std::numbers::pi * uniform(random_word(key, 2 * index + 1)));
}

std::vector<int64_t> permutation(int64_t count, uint64_t seed, uint64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  const uint64_t key = random_key(seed, epoch);
  for (size_t last = order.size(); last > 1; --last) {
    std::swap(order[last - 1], order[bounded(random_word(key, last), last)]);
  }
  return order;
}

}  // namespace mica::data
