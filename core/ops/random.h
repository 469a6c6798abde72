// Counter-based random numbers with explicit, splittable keys.
//
//   Array key = random::key(42);
//   auto [a, b] = random::split(key);
//   Array noise = random::normal({3, 4}, a);
//
// A key is a uint32 array of shape (2,). The same key gives the same values on every device and
// with every number of threads. A function called without a key takes the next one of this thread's
// default sequence, which random::seed starts over.
#pragma once

#include <utility>

#include "core/graph/array.h"

namespace mica::random {

Array key(uint64_t seed);
/// Two independent keys.
std::pair<Array, Array> split(const Array& key);
/// `count` independent keys, shape (count, 2).
Array split(const Array& key, int64_t count);
/// A key that depends on `key` and a number (a step, a layer's index, ...).
Array fold_in(const Array& key, uint64_t data);

/// Starts this thread's default sequence of keys over.
void seed(uint64_t seed);
/// The next key of this thread's default sequence.
Array next_key();

/// While one exists, this thread's default sequence is the one that seed(n) starts, for the key
/// that key(n) gives. The key may be an argument of a compiled function, which then draws other
/// numbers for other keys. Afterwards the sequence before goes on.
class KeyScope {
 public:
  explicit KeyScope(const Array& key);
  ~KeyScope();
  KeyScope(const KeyScope&) = delete;
  KeyScope& operator=(const KeyScope&) = delete;

 private:
  Array outer_key_;
  uint64_t outer_drawn_;
};

/// Uniform uint32 words.
Array bits(const Shape& shape, const Array& key = {});
/// Uniform in [low, high).
Array uniform(const Shape& shape, const Array& key = {}, const Array& low = 0.0f,
              const Array& high = 1.0f, Dtype dtype = float32);
Array normal(const Shape& shape, const Array& key = {}, Dtype dtype = float32);
/// A standard normal restricted to [low, high].
Array truncated_normal(const Shape& shape, const Array& low, const Array& high,
                       const Array& key = {}, Dtype dtype = float32);
/// True with probability p. p broadcasts to the shape.
Array bernoulli(const Array& p, const Shape& shape, const Array& key = {});
/// where(bernoulli(1 - p, x.shape(), key), x / (1 - p), 0) without keeping a mask, 0 <= p < 1.
Array dropout(const Array& x, double p, const Array& key = {});
/// Integers in [low, high).
Array randint(const Array& low, const Array& high, const Shape& shape, const Array& key = {},
              Dtype dtype = int32);
/// 0 .. n-1 in random order (int32).
Array permutation(int64_t n, const Array& key = {});
/// x with its entries along `axis` in random order.
Array permutation(const Array& x, int axis = 0, const Array& key = {});
/// Indices drawn with probabilities softmax(logits) along `axis` (int32, that axis removed).
Array categorical(const Array& logits, int axis = -1, const Array& key = {});

}  // namespace mica::random
