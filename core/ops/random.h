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

// Families with a location and a scale: loc + scale times a number of the standard distribution,
// so that gradients by both go through. loc and scale broadcast to the shape; a scale below 0
// mirrors. Throw Error for a dtype that is not floating and for arrays that do not broadcast.

Array normal(const Shape& shape, const Array& key, const Array& loc, const Array& scale,
             Dtype dtype = float32);
/// Density exp(-|x|) / 2.
Array laplace(const Shape& shape, const Array& key = {}, const Array& loc = 0.0f,
              const Array& scale = 1.0f, Dtype dtype = float32);
/// Distribution function exp(-exp(-x)).
Array gumbel(const Shape& shape, const Array& key = {}, const Array& loc = 0.0f,
             const Array& scale = 1.0f, Dtype dtype = float32);
/// Distribution function sigmoid(x).
Array logistic(const Shape& shape, const Array& key = {}, const Array& loc = 0.0f,
               const Array& scale = 1.0f, Dtype dtype = float32);
/// Density 1 / (pi (1 + x^2)).
Array cauchy(const Shape& shape, const Array& key = {}, const Array& loc = 0.0f,
             const Array& scale = 1.0f, Dtype dtype = float32);
/// Density exp(-x / scale) / scale for x > 0.
Array exponential(const Shape& shape, const Array& key = {}, const Array& scale = 1.0f,
                  Dtype dtype = float32);
/// mean (..., n), covariance (..., n, n) -> shape + (n): the mean plus the covariance's Cholesky
/// factor times standard normal numbers, so that gradients by both go through. The leading axes of
/// both broadcast to `shape`. Throws Error, when it is computed, unless the covariance is positive
/// definite.
Array multivariate_normal(const Array& mean, const Array& covariance, const Shape& shape,
                          const Array& key = {}, Dtype dtype = float32);

// Families with a shape parameter, drawn by rejection. Gradients go through `scale`; a gradient by
// alpha, beta or rate throws Error (stop_gradient them where they depend on what is learned).

/// Density x^(alpha - 1) exp(-x / scale) / (Gamma(alpha) scale^alpha) for x > 0; NaN unless
/// alpha > 0. Values below the smallest number of the type are 0, as small alpha makes them.
Array gamma(const Array& alpha, const Shape& shape, const Array& key = {},
            const Array& scale = 1.0f, Dtype dtype = float32);
/// Density proportional to x^(alpha - 1) (1 - x)^(beta - 1) in [0, 1]; NaN unless both are
/// positive.
Array beta(const Array& alpha, const Array& beta, const Shape& shape, const Array& key = {},
           Dtype dtype = float32);
/// (..., n) -> shape + (n): numbers from 0 to 1 with sum 1 along the last axis, of a density
/// proportional to the product of x_i^(alpha_i - 1). The other axes of alpha broadcast to `shape`.
Array dirichlet(const Array& alpha, const Shape& shape, const Array& key = {},
                Dtype dtype = float32);
/// Counts of events that happen `rate` times on average, cut at the largest of the integer type.
/// Throws Error when it is computed with a negative rate or NaN.
Array poisson(const Array& rate, const Shape& shape, const Array& key = {}, Dtype dtype = int32);
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
/// 0 .. n-1 in random order (int32). An axis of an array: permutation(x, axis) below.
Array permutation(int64_t n, const Array& key = {});
/// x with its entries along `axis` in random order.
Array permutation(const Array& x, int axis = 0, const Array& key = {});
/// The same, every line along `axis` in an order of its own.
Array shuffle(const Array& x, int axis = 0, const Array& key = {});
/// Indices drawn with probabilities softmax(logits) along `axis` (int32, that axis removed).
Array categorical(const Array& logits, int axis = -1, const Array& key = {});
/// The same, `count` draws with replacement of each, as the last axis.
Array categorical(const Array& logits, int axis, int64_t count, const Array& key = {});

}  // namespace mica::random
