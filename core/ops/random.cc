#include "core/ops/random.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/mapping.h"
#include "core/ops/random_op.h"
#include "core/ops/reduce.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"

namespace mica {
namespace {

void check_key(const Spec& key, std::string_view op) {
  if (key == Spec{{2}, uint32}) return;
  fail("[{}] a key is a uint32 array of shape (2,), got {} {}", op, key.dtype,
       to_string(key.shape));
}

}  // namespace

Specs RandomBits::infer(std::span<const Spec> in) const {
  check_key(in[0], "random");
  return {Spec{shape, uint32}};
}

Arrays RandomBits::vjp(const Arrays&, const Arrays&, const Arrays&) const { return {Array()}; }
Arrays RandomBits::vmap(const Arrays& in, const Mapped& mapped) const {
  return map_by_loop(RandomBits(shape), in, mapped);
}

Specs RandomBlocks::infer(std::span<const Spec> in) const {
  check_key(in[0], "random");
  MICA_ASSERT(in[1].dtype == uint32 && in[1].shape.size() == 2 && in[1].shape[1] == 2);
  return {in[1]};
}

Arrays RandomBlocks::vjp(const Arrays&, const Arrays&, const Arrays&) const {
  return {Array(), Array()};
}
Arrays RandomBlocks::vmap(const Arrays& in, const Mapped& mapped) const {
  return map_by_loop(RandomBlocks(), in, mapped);
}

Specs Dropout::infer(std::span<const Spec> in) const {
  if (!is_floating(in[0].dtype)) fail("[dropout] needs a floating type, got {}", in[0].dtype);
  check_key(in[1], "dropout");
  return {in[0]};
}

Arrays Dropout::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {mica::apply(Dropout(p), {g[0], in[1]}), Array()};
}
Arrays Dropout::vmap(const Arrays& in, const Mapped& mapped) const {
  return map_by_loop(Dropout(p), in, mapped);
}

}  // namespace mica

namespace mica::random {
namespace {

// Counters of random words have the top two bits clear (random_op.h); keys are derived from
// counters with one of them set, so that a derived key never equals words drawn with its parent.
// Both are set for the streams of single elements (random_rejection_cpu.cc).
constexpr uint32_t kSplitting = 0x80000000u;
constexpr uint32_t kFolding = 0x40000000u;

Array words_array(const std::vector<Words>& words) {
  return Array::from_bytes(words.data(), {static_cast<int64_t>(words.size()), 2}, uint32);
}

Array key_array(Words words) { return Array::from_bytes(words.data(), {2}, uint32); }

// A block per counter, (n, 2): at once where the key is known, so that no plan is needed for it.
Array blocks(const Array& key, std::vector<Words> counters) {
  if (!key.is_evaluated()) return mica::apply(RandomBlocks(), {key, words_array(counters)});
  check_key(Spec{key.shape(), key.dtype()}, "random");
  const std::vector<uint32_t> known = key.to_vector<uint32_t>();
  for (Words& words : counters) words = threefry({known[0], known[1]}, words);
  return words_array(counters);
}

Words words_of(uint64_t number) {
  return {static_cast<uint32_t>(number >> 32), static_cast<uint32_t>(number)};
}

// This thread's default sequence.
struct Sequence {
  Words key = words_of(0);
  uint64_t drawn = 0;
  Array traced = {};  // the key, where a KeyScope gave it
};
thread_local Sequence sequence;

void check_floating(Dtype dtype, const char* op) {
  if (!is_floating(dtype)) fail("[random.{}] needs a floating type, got {}", op, dtype);
}

// Bits of a uniform number: all that a type holds of [0, 1) in equal steps.
int digits_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat16: return 11;
    case Dtype::kBfloat16: return 8;
    default: return 24;
  }
}

// Uniform in [0, 1), exact multiples of 2^-digits (2^-53 for float64).
Array unit(const Shape& shape, const Array& key, Dtype dtype) {
  if (dtype != float64) {
    const int digits = digits_of(dtype);
    const Array numbers = right_shift(bits(shape, key), Array::scalar(32 - digits, uint32));
    return astype(numbers, dtype) * std::ldexp(1.0, -digits);
  }
  const auto [first, second] = random::split(key);
  const Array upper = astype(right_shift(bits(shape, first), Array::scalar(5, uint32)), float64);
  const Array lower = astype(right_shift(bits(shape, second), Array::scalar(6, uint32)), float64);
  return (upper * 0x1p26 + lower) * 0x1p-53;
}

// The type in which numbers of type `dtype` are computed.
Dtype computed_in(Dtype dtype) { return dtype == float64 ? float64 : float32; }

// The 64 bits of any integer (numbers of other types are truncated towards zero first).
Array as_uint64(const Array& x) {
  return astype(x.dtype() == uint64 ? x : astype(x, int64), uint64);
}

void check_range(const Array& low, const Array& high) {
  if (low.size() != 1 || high.size() != 1 || !low.is_evaluated() || !high.is_evaluated()) return;
  const double from = low.item<double>();
  const double to = high.item<double>();
  if (from >= to) fail("[random.randint] needs low < high, got low {} and high {}", from, to);
}

}  // namespace

Array given_or_next(const Array& key) { return key.defined() ? key : next_key(); }

Array open_uniform(const Shape& shape, const Array& key, Dtype dtype) {
  if (dtype == float64) return unit(shape, key, float64) * (1 - 0x1p-52) + 0x1p-53;
  const Array numbers = right_shift(bits(shape, key), Array::scalar(9, uint32));
  return (astype(numbers, float32) + 0.5f) * 0x1p-23f;
}

Array key(uint64_t seed) { return key_array(words_of(seed)); }

std::pair<Array, Array> split(const Array& key) {
  const Array keys = random::split(key, int64_t{2});
  if (!keys.is_evaluated()) {
    return {take(keys, Array(0), 0), take(keys, Array(1), 0)};
  }
  const std::vector<uint32_t> words = keys.to_vector<uint32_t>();
  return {key_array({words[0], words[1]}), key_array({words[2], words[3]})};
}

Array split(const Array& key, int64_t count) {
  if (count < 0) fail("[random.split] the number of keys must not be negative, got {}", count);
  std::vector<Words> counters(static_cast<size_t>(count));
  for (size_t i = 0; i < counters.size(); ++i) {
    counters[i] = words_of(i);
    counters[i][0] |= kSplitting;
  }
  return blocks(key, std::move(counters));
}

Array fold_in(const Array& key, uint64_t data) {
  const Array folding = reshape(blocks(key, {Words{kFolding, 0}}), {2});
  return reshape(blocks(folding, {words_of(data)}), {2});
}

void seed(uint64_t seed) {
  sequence.key = words_of(seed);
  sequence.drawn = 0;
  sequence.traced = Array();
}

Array next_key() {
  Words counter = words_of(sequence.drawn++);
  counter[0] |= kSplitting;
  if (sequence.traced.defined()) return reshape(blocks(sequence.traced, {counter}), {2});
  return key_array(threefry(sequence.key, counter));
}

KeyScope::KeyScope(const Array& key) : outer_key_(sequence.traced), outer_drawn_(sequence.drawn) {
  check_key(Spec{key.shape(), key.dtype()}, "random.KeyScope");
  sequence.traced = key;
  sequence.drawn = 0;
}

KeyScope::~KeyScope() {
  sequence.traced = outer_key_;
  sequence.drawn = outer_drawn_;
}

Array bits(const Shape& shape, const Array& key) {
  return mica::apply(RandomBits(shape), {given_or_next(key)});
}

Array uniform(const Shape& shape, const Array& key, const Array& low, const Array& high,
              Dtype dtype) {
  check_floating(dtype, "uniform");
  const Array from = astype(low, dtype);
  const Array to = astype(high, dtype);
  const Array drawn = unit(shape, given_or_next(key), dtype) * (to - from) + from;
  // Rounding may reach `high`, which does not belong to the range.
  return broadcast_to(where(drawn < to, drawn, from), shape);
}

// Box and Muller's transform (1958), one of its two results.
Array normal(const Shape& shape, const Array& key, Dtype dtype) {
  check_floating(dtype, "normal");
  const Dtype type = computed_in(dtype);
  const auto [first, second] = random::split(given_or_next(key));
  // 1 - [0, 1) is never 0. float32 takes all 32 bits, for finer steps near 0 and so longer tails.
  const Array radius_from = type == float64
                                ? 1 - unit(shape, first, float64)
                                : (astype(bits(shape, first), float32) + 0.5f) * 0x1p-32f;
  const Array radius = sqrt(maximum(-2 * log(radius_from), 0));
  const Array angle = unit(shape, second, type) * (2 * std::numbers::pi);
  return astype(radius * cos(angle), dtype);
}

// By the inverse of the distribution function, in float64 for the tails' sake.
Array truncated_normal(const Shape& shape, const Array& low, const Array& high, const Array& key,
                       Dtype dtype) {
  check_floating(dtype, "truncated_normal");
  const Array from = astype(low, float64);
  const Array to = astype(high, float64);
  const Array least = erf(from * std::numbers::sqrt2 * 0.5);
  const Array most = erf(to * std::numbers::sqrt2 * 0.5);
  const Array between = least + open_uniform(shape, given_or_next(key), float64) * (most - least);
  const Array drawn = clip(erfinv(between) * std::numbers::sqrt2, from, to);
  return astype(broadcast_to(drawn, shape), dtype);
}

Array bernoulli(const Array& p, const Shape& shape, const Array& key) {
  return broadcast_to(unit(shape, given_or_next(key), float32) < p, shape);
}

Array dropout(const Array& x, double p, const Array& key) {
  if (!(p >= 0 && p < 1)) fail("[random.dropout] p must lie in [0, 1), got {}", p);
  return mica::apply(Dropout(p), {x, given_or_next(key)});
}

// 64 random bits modulo the length of the range: the bias is below length / 2^64.
Array randint(const Array& low, const Array& high, const Shape& shape, const Array& key,
              Dtype dtype) {
  if (!is_integer(dtype)) fail("[random.randint] needs an integer type, got {}", dtype);
  check_range(low, high);
  const auto [first, second] = random::split(given_or_next(key));
  const Array upper = left_shift(astype(bits(shape, first), uint64), Array::scalar(32, uint64));
  const Array word = bitwise_or(upper, astype(bits(shape, second), uint64));
  const Array from = as_uint64(low);
  const Array length = maximum(as_uint64(high) - from, Array::scalar(1, uint64));
  return astype(broadcast_to(from + remainder(word, length), shape), dtype);
}

Array permutation(int64_t n, const Array& key) {
  if (n < 0) fail("[random.permutation] the length must not be negative, got {}", n);
  return argsort(bits({n}, key));
}

Array permutation(const Array& x, int axis, const Array& key) {
  axis = normalize_axis(axis, x.shape().size(), "permutation");
  return take(x, permutation(x.dim(axis), key), axis);
}

Array shuffle(const Array& x, int axis, const Array& key) {
  axis = normalize_axis(axis, x.shape().size(), "shuffle");
  return take_along_axis(x, argsort(bits(x.shape(), key), axis), axis);
}

// The index of the largest of logits plus Gumbel noise has probabilities softmax(logits).
Array categorical(const Array& logits, int axis, const Array& key) {
  const Dtype type = computed_in(logits.dtype());
  const Array noise = -log(-log(open_uniform(logits.shape(), given_or_next(key), type)));
  return argmax(logits + noise, axis);
}

Array categorical(const Array& logits, int axis, int64_t count, const Array& key) {
  if (count < 0) fail("[random.categorical] the number of draws must not be negative: {}", count);
  axis = normalize_axis(axis, logits.shape().size(), "categorical");
  const Array last = expand_dims(moveaxis(logits, axis, -1), {-2});
  Shape shape = last.shape();
  shape[shape.size() - 2] = count;
  return categorical(broadcast_to(last, shape), -1, key);
}

}  // namespace mica::random
