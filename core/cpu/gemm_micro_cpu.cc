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

constexpr int64_t kNear = 8;    // how many lines of b ahead of use L2 is asked for one
constexpr int64_t kLong = 128;  // an inner axis in whose time lines of c arrive

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
  if (!p.accumulate && p.inner >= kLong) {
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) {
      for (int j = 0; j < kFull; ++j) __builtin_prefetch(c + i * p.c_line + j * 16, 1);
    }
  }
  const float* a = p.a + row * p.a_row_step;
  const float* b = p.b + column;
  const int64_t step = p.a_row_step;
  for (int64_t k = 0; k < p.inner; ++k, a += p.a_inner_step, b += p.b_line) {
    hn::Vec<Wide> line[kFull + 1];
    TailVector last;
#pragma GCC unroll 8
    for (int j = 0; j < kFull; ++j) {
      line[j] = hn::LoadU(d, b + j * 16);
      if constexpr (kTail == kNone) __builtin_prefetch(b + kNear * p.b_line + j * 16);
    }
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

// Sums over the lanes of four vectors.
HWY_INLINE hn::Vec<hn::FixedTag<float, 4>> sum_lanes(hn::Vec<Wide> a, hn::Vec<Wide> b,
                                                     hn::Vec<Wide> c, hn::Vec<Wide> e) {
  const Wide d;
  const hn::RepartitionToWide<Wide> pairs;
  const Half half;
  const hn::FixedTag<float, 4> quarter;
  const auto ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  const auto ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto x = hn::BitCast(pairs, ab), y = hn::BitCast(pairs, ce);
  const auto all = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, x, y)),
                           hn::BitCast(d, hn::InterleaveUpper(pairs, x, y)));
  const auto two = hn::Add(hn::LowerHalf(half, all), hn::UpperHalf(half, all));
  return hn::Add(hn::LowerHalf(quarter, two), hn::UpperHalf(quarter, two));
}

// Four or eight rows times x, so that x is read once for them and sums do not wait for each other.
template <int kRows>
HWY_INLINE void multiply_rows(const float* a, int64_t line, int64_t columns, const float* x,
                              float* y, int64_t step) {
  const Wide d;
  const hn::FixedTag<float, 4> quarter;
  hn::Vec<Wide> sums[kRows];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) sums[i] = hn::Zero(d);
  int64_t c = 0;
  for (; c + 16 <= columns; c += 16) {
    const auto factor = hn::LoadU(d, x + c);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      sums[i] = hn::MulAdd(hn::LoadU(d, a + i * line + c), factor, sums[i]);
    }
  }
  if (c < columns) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(columns - c));
    const auto factor = hn::MaskedLoad(mask, d, x + c);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      sums[i] = hn::MulAdd(hn::MaskedLoad(mask, d, a + i * line + c), factor, sums[i]);
    }
  }
#pragma GCC unroll 2
  for (int i = 0; i < kRows; i += 4) {
    float totals[4];
    hn::StoreU(sum_lanes(sums[i], sums[i + 1], sums[i + 2], sums[i + 3]), quarter, totals);
    for (int j = 0; j < 4; ++j) y[(i + j) * step] = totals[j];
  }
}

void multiply_vector(const float* a, int64_t line, int64_t rows, int64_t columns, const float* x,
                     float* y, int64_t step) {
  int64_t row = 0;
  for (; row + 8 <= rows; row += 8) {
    multiply_rows<8>(a + row * line, line, columns, x, y + row * step, step);
  }
  for (; row + 4 <= rows; row += 4) {
    multiply_rows<4>(a + row * line, line, columns, x, y + row * step, step);
  }
  for (; row < rows; ++row) {
    float four[4];  // the same row four times
    multiply_rows<4>(a + row * line, 0, columns, x, four, 1);
    y[row * step] = four[0];
  }
}

MicroGemm micro_kernel() { return multiply; }
MicroGemv micro_vector_kernel() { return multiply_vector; }
#else
MicroGemm micro_kernel() { return nullptr; }
MicroGemv micro_vector_kernel() { return nullptr; }
#endif

}  // namespace
}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace mica {
namespace {

HWY_EXPORT(micro_kernel);
HWY_EXPORT(micro_vector_kernel);

}  // namespace

MicroGemm micro_gemm() {
  static const MicroGemm best = HWY_DYNAMIC_DISPATCH(micro_kernel)();
  return best;
}

MicroGemv micro_gemv() {
  static const MicroGemv best = HWY_DYNAMIC_DISPATCH(micro_vector_kernel)();
  return best;
}

}  // namespace mica

#endif  // HWY_ONCE
