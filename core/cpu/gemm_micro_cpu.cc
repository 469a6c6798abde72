// A block of the product lives in registers while the inner axis runs: rows of b come as vectors,
// elements of a as broadcasts, which AVX-512 reads from memory within the FMA. Hence only there.
#include "core/cpu/gemm_micro.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/gemm_micro_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
namespace hn = hwy::HWY_NAMESPACE;

using Wide = hn::FixedTag<float, 16>;
using Half = hn::FixedTag<float, 8>;

// How the columns beyond whole vectors of 16 are held.
enum Tail { kNone, kHalf, kMasked };

// Rows [0, kRows) and kFull vectors of columns with a tail of `rest`.
template <int kRows, int kFull, Tail kTail>
HWY_INLINE void multiply_block(const MicroProduct& p, int64_t row, int64_t column, int64_t rest) {
  const Wide d;
  const std::conditional_t<kTail == kHalf, Half, Wide> dt;
  using TailVector = hn::Vec<decltype(dt)>;
  const auto mask = hn::FirstN(dt, static_cast<size_t>(rest));
  hn::Vec<Wide> sums[kRows][kFull + 1];
  TailVector tails[kRows];
  float* c = p.c + row * p.c_line + column;
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kFull; ++j) {
      sums[i][j] = p.accumulate ? hn::LoadU(d, c + i * p.c_line + j * 16) : hn::Zero(d);
    }
    if constexpr (kTail != kNone) {
      tails[i] =
          p.accumulate ? hn::MaskedLoad(mask, dt, c + i * p.c_line + kFull * 16) : hn::Zero(dt);
    }
  }
  const float* a = p.a + row * p.a_row_step;
  const float* b = p.b + column;
  const int64_t step = p.a_row_step;
  for (int64_t k = 0; k < p.inner; ++k, a += p.a_inner_step, b += p.b_line) {
    hn::Vec<Wide> line[kFull + 1];
    TailVector last;
#pragma GCC unroll 8
    for (int j = 0; j < kFull; ++j) line[j] = hn::LoadU(d, b + j * 16);
    if constexpr (kTail != kNone) last = hn::MaskedLoad(mask, dt, b + kFull * 16);
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) {
      const float value = a[i * step];
#pragma GCC unroll 8
      for (int j = 0; j < kFull; ++j) {
        sums[i][j] = hn::MulAdd(hn::Set(d, value), line[j], sums[i][j]);
      }
      if constexpr (kTail != kNone) tails[i] = hn::MulAdd(hn::Set(dt, value), last, tails[i]);
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kFull; ++j) hn::StoreU(sums[i][j], d, c + i * p.c_line + j * 16);
    if constexpr (kTail != kNone) {
      hn::BlendedStore(tails[i], mask, dt, c + i * p.c_line + kFull * 16);
    }
  }
}

// All rows of some columns. The block is as high as 32 registers allow.
template <int kFull, Tail kTail>
void multiply_columns(const MicroProduct& p, int64_t column, int64_t rest) {
  constexpr int kVectors = kFull + (kTail == kNone ? 0 : 1);
  constexpr int kRows = kVectors == 1 ? 16 : kVectors == 2 ? 12 : kVectors == 3 ? 8 : 6;
  int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows) {
    multiply_block<kRows, kFull, kTail>(p, row, column, rest);
  }
  if constexpr (kRows > 8) {
    for (; row + 8 <= p.rows; row += 8) multiply_block<8, kFull, kTail>(p, row, column, rest);
  }
  for (; row + 4 <= p.rows; row += 4) multiply_block<4, kFull, kTail>(p, row, column, rest);
  for (; row + 2 <= p.rows; row += 2) multiply_block<2, kFull, kTail>(p, row, column, rest);
  if (row < p.rows) multiply_block<1, kFull, kTail>(p, row, column, rest);
}

template <Tail kTail>
void multiply_last(const MicroProduct& p, int64_t full, int64_t column, int64_t rest) {
  if constexpr (kTail != kNone) {
    if (full == 0) return multiply_columns<0, kTail>(p, column, rest);
  }
  if (full == 1) return multiply_columns<1, kTail>(p, column, rest);
  if (full == 2) return multiply_columns<2, kTail>(p, column, rest);
  return multiply_columns<3, kTail>(p, column, rest);
}

void multiply(const MicroProduct& p) {
  const int64_t rest = p.columns % 16;
  int64_t full = p.columns / 16, column = 0;
  for (int64_t left = full + (rest > 0); left > 4; left = full + (rest > 0)) {
    const int64_t now = left == 5 ? 3 : 4;  // never a thin block at the end
    now == 3 ? multiply_columns<3, kNone>(p, column, 0) : multiply_columns<4, kNone>(p, column, 0);
    full -= now;
    column += 16 * now;
  }
  if (rest > 8) return multiply_last<kMasked>(p, full, column, rest);
  if (rest > 0) return multiply_last<kHalf>(p, full, column, rest);
  if (full == 4) return multiply_columns<4, kNone>(p, column, 0);
  if (full > 0) multiply_last<kNone>(p, full, column, 0);
}

MicroGemm micro_kernel() { return multiply; }
#else
MicroGemm micro_kernel() { return nullptr; }
#endif

}  // namespace
}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace mica {
namespace {

HWY_EXPORT(micro_kernel);

}  // namespace

MicroGemm micro_gemm() {
  static const MicroGemm best = HWY_DYNAMIC_DISPATCH(micro_kernel)();
  return best;
}

}  // namespace mica

#endif  // HWY_ONCE
