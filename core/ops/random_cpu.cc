// Threefry on vectors: a lane a block, both words stored interleaved; and what is chosen by it.

#include <algorithm>
#include <cmath>

#include "core/cpu/install.h"
#include "core/ops/random_op.h"
#include "core/runtime/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/random_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mica {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D32 = hn::ScalableTag<uint32_t>;
using V32 = hn::Vec<D32>;

template <int kRotation>
HWY_INLINE void mix(V32& x, V32& y) {
  x = hn::Add(x, y);
  y = hn::Xor(hn::RotateRight<32 - kRotation>(y), x);
}

HWY_INLINE void inject(V32& x, V32& y, const V32* keys, uint32_t injection) {
  x = hn::Add(x, keys[injection % 3]);
  y = hn::Add(y, hn::Add(keys[(injection + 1) % 3], hn::Set(D32(), injection)));
}

HWY_INLINE void threefry_lanes(const V32* keys, V32& x, V32& y) {
  x = hn::Add(x, keys[0]);
  y = hn::Add(y, keys[1]);
  for (uint32_t injection = 1; injection <= 5; ++injection) {
    if (injection % 2 == 1) {
      mix<13>(x, y), mix<15>(x, y), mix<26>(x, y), mix<6>(x, y);
    } else {
      mix<17>(x, y), mix<29>(x, y), mix<16>(x, y), mix<24>(x, y);
    }
    inject(x, y, keys, injection);
  }
}

// Words of the blocks from `first` on, two a block, for a whole number of vectors. The blocks'
// upper counter words must be equal. Returns how many blocks were written.
int64_t fill_blocks(uint32_t key0, uint32_t key1, int64_t first, int64_t blocks, uint32_t* out) {
  const D32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const V32 keys[3] = {hn::Set(d, key0), hn::Set(d, key1), hn::Set(d, key0 ^ key1 ^ 0x1BD11BDAu)};
  const V32 upper = hn::Set(d, static_cast<uint32_t>(first >> 32));
  int64_t i = 0;
  for (; i + lanes <= blocks; i += lanes) {
    V32 x = upper;
    V32 y = hn::Iota(d, static_cast<uint32_t>(first + i));
    threefry_lanes(keys, x, y);
    hn::StoreInterleaved2(x, y, d, out + 2 * i);
  }
  return i;
}

// What a word chooses: x / kept, or 0.
template <class T, class Compute>
HWY_INLINE void choose(const uint32_t* words, uint32_t limit, Compute kept, const T* x,
                       int64_t count, T* out) {
  for (int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<Compute>(x[i]) / kept;
    out[i] = static_cast<T>(words[i] >> 8 < limit ? value : Compute(0));
  }
}
void choose_float(const uint32_t* words, uint32_t limit, float kept, const float* x, int64_t count,
                  float* out) {
  choose(words, limit, kept, x, count, out);
}
void choose_double(const uint32_t* words, uint32_t limit, double kept, const double* x,
                   int64_t count, double* out) {
  choose(words, limit, kept, x, count, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace mica
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

HWY_EXPORT(fill_blocks);
HWY_EXPORT(choose_float);
HWY_EXPORT(choose_double);

template <class T, class Compute>
void drop_tile(const uint32_t* words, uint32_t limit, Compute kept, const T* x, int64_t count,
               T* out) {
  if constexpr (std::is_same_v<T, float>)
    HWY_DYNAMIC_DISPATCH(choose_float)(words, limit, kept, x, count, out);
  else if constexpr (std::is_same_v<T, double>)
    HWY_DYNAMIC_DISPATCH(choose_double)(words, limit, kept, x, count, out);
  else
    HWY_STATIC_DISPATCH(choose)(words, limit, kept, x, count, out);
}

// A power of two, so that a chunk's upper counter words are all the same.
constexpr int64_t kBlocksPerChunk = 8192;

// `count` words from block `first` on. REQUIRES: no more than a chunk's blocks, of one chunk.
void fill_words(Words key, int64_t first, int64_t count, uint32_t* words) {
  const int64_t whole = count / 2;
  int64_t block = HWY_DYNAMIC_DISPATCH(fill_blocks)(key[0], key[1], first, whole, words);
  for (; 2 * block < count; ++block) {
    const int64_t number = first + block;
    const Words pair =
        threefry(key, {static_cast<uint32_t>(number >> 32), static_cast<uint32_t>(number)});
    words[2 * block] = pair[0];
    if (2 * block + 1 < count) words[2 * block + 1] = pair[1];
  }
}

Words key_of(const Operand& key) { return {key.as<uint32_t>()[0], key.as<uint32_t>()[1]}; }

void run_random_bits(const RandomBits&, Inputs in, Outputs out) {
  const Words key = key_of(in[0]);
  uint32_t* words = out[0].as<uint32_t>();
  parallel_for(out[0].size(), 2 * kBlocksPerChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 2 * kBlocksPerChunk) {
      fill_words(key, i / 2, std::min(end - i, 2 * kBlocksPerChunk), words + i);
    }
  });
}

// A tile's words and the elements they choose stay in the first-level cache.
template <class T>
void drop(Words key, double p, const T* x, int64_t count, T* out) {
  using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;
  // word / 2^8 < limit exactly where the uniform float32 number word / 2^8 / 2^24 < 1 - p.
  const auto limit = static_cast<uint32_t>(std::ceil(std::ldexp(static_cast<float>(1 - p), 24)));
  const auto kept = static_cast<Compute>(1 - p);
  constexpr int64_t kTile = 2048;
  static_assert(2 * kBlocksPerChunk % kTile == 0);
  parallel_for(count, 2 * kBlocksPerChunk, [&](int64_t begin, int64_t end) {
    alignas(64) uint32_t words[kTile];
    for (int64_t i = begin; i < end; i += kTile) {
      const int64_t here = std::min(kTile, end - i);
      fill_words(key, i / 2, here, words);
      drop_tile(words, limit, kept, x + i, here, out + i);
    }
  });
}

void run_dropout(const Dropout& op, Inputs in, Outputs out) {
  const Words key = key_of(in[1]);
  dispatch(out[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (is_floating(dtype_of<T>)) {
      drop(key, op.p, in[0].as<T>(), out[0].size(), out[0].as<T>());
    }
  });
}

void run_random_blocks(const RandomBlocks&, Inputs in, Outputs out) {
  const uint32_t* key = in[0].as<uint32_t>();
  const uint32_t* counters = in[1].as<uint32_t>();
  uint32_t* words = out[0].as<uint32_t>();
  for (int64_t i = 0; i + 1 < out[0].size(); i += 2) {
    const Words block = threefry({key[0], key[1]}, {counters[i], counters[i + 1]});
    std::copy(block.begin(), block.end(), words + i);
  }
}

}  // namespace

void install_random(KernelTable& table) {
  table.add<RandomBits>(run_random_bits, InputLayout::kContiguous);
  table.add<Dropout>(run_dropout, InputLayout::kContiguous);
  table.add<RandomBlocks>(run_random_blocks, InputLayout::kContiguous);
}

}  // namespace mica
#endif  // HWY_ONCE
