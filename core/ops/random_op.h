// The ops behind random.h. The generator is Threefry-2x32 with 20 rounds (Salmon et al., "Parallel
// random numbers: as easy as 1, 2, 3", 2011): a keyed bijection of 64-bit counters, so that any
// element can be computed on its own.
//
// A key is always an input, never a field, so that plans do not depend on it.
#pragma once

#include <array>

#include "core/graph/op.h"

namespace mica {

using Words = std::array<uint32_t, 2>;

/// One block of Threefry-2x32-20.
inline Words threefry(Words key, Words counter) {
  constexpr int kRotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const uint32_t keys[3] = {key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDAu};
  uint32_t x = counter[0] + keys[0];
  uint32_t y = counter[1] + keys[1];
  for (uint32_t round = 0; round < 20; ++round) {
    const int rotation = kRotations[round % 8];
    x += y;
    y = ((y << rotation) | (y >> (32 - rotation))) ^ x;
    if (round % 4 != 3) continue;
    const uint32_t injection = round / 4 + 1;
    x += keys[injection % 3];
    y += keys[(injection + 1) % 3] + injection;
  }
  return {x, y};
}

/// key (2,) -> uint32 words of `shape`. Words 2i and 2i + 1 are block (i >> 32, i), so that a
/// word's value depends on its place alone, not on how many are asked for. i stays below 2^62.
class RandomBits final : public OpWith<RandomBits> {
 public:
  static constexpr std::string_view kName = "random_bits";
  Shape shape;
  FIELDS(RandomBits, shape)
  explicit RandomBits(Shape result) : shape(std::move(result)) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// key (2,), counters (n, 2) -> (n, 2): a block per counter.
class RandomBlocks final : public OpWith<RandomBlocks> {
 public:
  static constexpr std::string_view kName = "random_blocks";
  NO_FIELDS(RandomBlocks)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// x, key (2,) -> x / (1 - p) where the element's uniform number in [0, 1), as bernoulli draws it,
/// lies below 1 - p, and 0 elsewhere. Linear in x: the gradient draws the same numbers again.
class Dropout final : public OpWith<Dropout> {
 public:
  static constexpr std::string_view kName = "dropout";
  double p;
  FIELDS(Dropout, p)
  explicit Dropout(double share) : p(share) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// key (2,), alpha float64 -> float64 numbers of the gamma distribution with scale 1. Element i
/// draws from a stream of blocks of its own, by the key that block (3 << 62 | i) is.
class RandomGamma final : public OpWith<RandomGamma> {
 public:
  static constexpr std::string_view kName = "random_gamma";
  NO_FIELDS(RandomGamma)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// key (2,), rate float64 -> counts as int64, with streams as RandomGamma's.
class RandomPoisson final : public OpWith<RandomPoisson> {
 public:
  static constexpr std::string_view kName = "random_poisson";
  NO_FIELDS(RandomPoisson)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica

namespace mica::random {

/// Uniform in (0, 1), both ends excluded: odd multiples of 2^-24 (2^-53 for float64).
Array open_uniform(const Shape& shape, const Array& key, Dtype dtype);
/// The key, or the next of this thread's default sequence where it is undefined.
Array given_or_next(const Array& key);

}  // namespace mica::random
