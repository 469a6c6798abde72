// Threefry on vectors: a lane a block, both words stored interleaved.

#include <algorithm>

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

}  // namespace HWY_NAMESPACE
}  // namespace mica
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

HWY_EXPORT(fill_blocks);

void run_random_bits(const RandomBits&, Inputs in, Outputs out) {
  const Words key = {in[0].as<uint32_t>()[0], in[0].as<uint32_t>()[1]};
  uint32_t* words = out[0].as<uint32_t>();
  const int64_t count = out[0].size();
  // A power of two, so that a chunk's upper counter words are all the same.
  constexpr int64_t kBlocksPerChunk = 8192;
  parallel_for((count + 1) / 2, kBlocksPerChunk, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end; first += kBlocksPerChunk) {
      const int64_t last = std::min(end, first + kBlocksPerChunk);
      const int64_t whole = std::min(last, count / 2) - first;
      int64_t block = first + HWY_DYNAMIC_DISPATCH(fill_blocks)(key[0], key[1], first, whole,
                                                                words + 2 * first);
      for (; block < last; ++block) {
        const Words pair =
            threefry(key, {static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(block)});
        words[2 * block] = pair[0];
        if (2 * block + 1 < count) words[2 * block + 1] = pair[1];
      }
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
  table.add<RandomBlocks>(run_random_blocks, InputLayout::kContiguous);
}

}  // namespace mica
#endif  // HWY_ONCE
