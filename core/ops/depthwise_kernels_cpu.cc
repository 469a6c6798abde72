// Vectorised over channels; blocks of columns share the weights in registers.
#include "core/ops/depthwise_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/depthwise_kernels_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

#include <algorithm>
#include <cstdlib>
#include <type_traits>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kColumns = 4;

template <bool kMasked, class D, class M, class T>
HWY_INLINE auto load(D d, M mask, const T* from) {
  if constexpr (kMasked) {
    return hn::MaskedLoad(mask, d, from);
  } else {
    return hn::LoadU(d, from);
  }
}

template <bool kMasked, class V, class D, class M, class T>
HWY_INLINE void store(V value, D d, M mask, T* to) {
  if constexpr (kMasked) {
    hn::BlendedStore(value, mask, d, to);
  } else {
    hn::StoreU(value, d, to);
  }
}

// The columns after kCount of them: short runs of channels far apart are not guessed by the
// machine.
template <int kCount, int kVectors, class T>
HWY_INLINE void prefetch_next(const DepthwiseLine& line, int64_t column, int64_t channel,
                              const T* source, T* out) {
  const DepthwiseTaps& taps = line.columns[column];
  const DepthwiseTaps& rows = line.rows;
  constexpr int kStep = 64 / sizeof(T);
  const int64_t row =
      rows.first_source + (rows.source_step > 0 ? (rows.count - 1) * rows.source_step : 0);
  const int64_t last =
      taps.first_source + (taps.source_step > 0 ? (taps.count - 1) * taps.source_step : 0);
  const T* from = source + row * line.source_line +
                  (last + (2 * kCount + 1) * line.source_shift) * line.channels + channel;
  T* to = out + (column + 2 * kCount * line.phases) * line.channels + channel;
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      __builtin_prefetch(from + v * kStep);
      __builtin_prefetch(to + v * kStep, 1);
    }
    from += line.source_shift * line.channels;
    to += line.phases * line.channels;
  }
}

// kCount positions (phases apart, the first at `column`) of kVectors vectors of channels.
template <int kCount, int kVectors, bool kMasked, class D, class M, class T>
HWY_INLINE void convolve_block(D d, M mask, const DepthwiseLine& line, int64_t column,
                               int64_t channel, const T* source, const T* weight, T* out) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const DepthwiseTaps& taps = line.columns[column];
  hn::Vec<D> sums[kCount][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[i][v] = hn::Zero(d);
  }
  const int64_t shift = line.source_shift * line.channels;
  for (int64_t r = 0; r < line.rows.count; ++r) {
    const int64_t source_row = line.rows.first_source + r * line.rows.source_step;
    const int64_t tap_row = line.rows.first_tap + r * line.rows.tap_step;
    const T* from =
        source + source_row * line.source_line + taps.first_source * line.channels + channel;
    const T* w = weight + (tap_row * line.kernel_width + taps.first_tap) * line.channels + channel;
    const T* at[kCount];
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) at[i] = from + i * shift;
    for (int64_t k = 0; k < taps.count; ++k) {
      hn::Vec<D> factors[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) factors[v] = load<kMasked>(d, mask, w + v * lanes);
#pragma GCC unroll 8
      for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          const auto value = load<kMasked>(d, mask, at[i] + v * lanes);
          sums[i][v] = hn::MulAdd(value, factors[v], sums[i][v]);
        }
        at[i] += taps.source_step * line.channels;
      }
      w += taps.tap_step * line.channels;
    }
  }
  if constexpr (kCount > 1) prefetch_next<kCount, kVectors>(line, column, channel, source, out);
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) {
    T* to = out + (column + i * line.phases) * line.channels + channel;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) store<kMasked>(sums[i][v], d, mask, to + v * lanes);
  }
}

// All positions of kVectors vectors of channels. Few channels at a time keep what the next
// positions read again, and the weights, in the L1 cache.
template <int kVectors, bool kMasked, class D, class M, class T>
HWY_INLINE void convolve_channels(D d, M mask, const DepthwiseLine& line, int64_t channel,
                                  const T* source, const T* weight, T* out) {
  for (int64_t block = 0; block < line.width; block += line.phases * kColumns) {
    for (int64_t phase = 0; phase < line.phases; ++phase) {
      int64_t column = block + phase;
      const int64_t last = column + (kColumns - 1) * line.phases;
      const auto alike = [&](int64_t other) {
        const DepthwiseTaps &a = line.columns[column], &b = line.columns[other];
        return a.first_tap == b.first_tap && a.count == b.count;
      };
      if (last < line.width && alike(last)) {
        convolve_block<kColumns, kVectors, kMasked>(d, mask, line, column, channel, source, weight,
                                                    out);
        continue;
      }
      for (; column < line.width && column <= last; column += line.phases) {
        convolve_block<1, kVectors, kMasked>(d, mask, line, column, channel, source, weight, out);
      }
    }
  }
}

#include "core/ops/depthwise_slide.inc"

template <class T>
void convolve_line(const DepthwiseLine& line, const T* source, const T* weight, T* out) {
  if constexpr (kBlock > 0) {
    if (slides(line)) return slide_line(line, source, weight, out);
  }
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto all = hn::FirstN(d, static_cast<size_t>(lanes));
  int64_t c = 0;
  for (; c + 4 * lanes <= line.channels; c += 4 * lanes) {
    convolve_channels<4, false>(d, all, line, c, source, weight, out);
  }
  for (; c + lanes <= line.channels; c += lanes) {
    convolve_channels<1, false>(d, all, line, c, source, weight, out);
  }
  if (c < line.channels) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(line.channels - c));
    convolve_channels<1, true>(d, mask, line, c, source, weight, out);
  }
}

// kCount taps from `first` of one kernel row over columns [begin, end), which have them all.
template <int kCount, bool kMasked, class D, class M, class T>
HWY_INLINE void correlate_taps(D d, M mask, const DepthwiseLine& line, int64_t begin, int64_t end,
                               int64_t first, const T* source, const T* cotangent, T* sums) {
  const int64_t step = line.columns[begin].source_step * line.channels;
  const int64_t shift = line.source_shift * line.channels;
  const T* from = source + line.columns[begin].first_source * line.channels + first * step;
  const T* g = cotangent + begin * line.channels;
  hn::Vec<D> total[kCount];
#pragma GCC unroll 8
  for (int k = 0; k < kCount; ++k) total[k] = load<kMasked>(d, mask, sums + k * line.channels);
  for (int64_t i = begin; i < end; ++i, g += line.channels, from += shift) {
    const auto factor = load<kMasked>(d, mask, g);
#pragma GCC unroll 8
    for (int k = 0; k < kCount; ++k) {
      total[k] = hn::MulAdd(load<kMasked>(d, mask, from + k * step), factor, total[k]);
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < kCount; ++k) store<kMasked>(total[k], d, mask, sums + k * line.channels);
}

// Columns [begin, end), which have the same taps, for one vector of channels.
template <bool kMasked, class D, class M, class T>
HWY_INLINE void correlate_columns(D d, M mask, const DepthwiseLine& line, int64_t begin,
                                  int64_t end, const T* source, const T* cotangent, T* sums) {
  const DepthwiseTaps& taps = line.columns[begin];
  for (int64_t r = 0; r < line.rows.count; ++r) {
    const T* from =
        source + (line.rows.first_source + r * line.rows.source_step) * line.source_line;
    const int64_t row = line.rows.first_tap + r * line.rows.tap_step;
    T* to = sums + (row * line.kernel_width + taps.first_tap) * line.channels;
    int64_t k = 0;
    const auto run = [&]<int kCount>(std::integral_constant<int, kCount>) HWY_ATTR {
      for (; k + kCount <= taps.count; k += kCount) {
        correlate_taps<kCount, kMasked>(d, mask, line, begin, end, k, from, cotangent,
                                        to + k * line.channels);
      }
    };
    run(std::integral_constant<int, 8>());
    run(std::integral_constant<int, 5>());
    run(std::integral_constant<int, 3>());
    run(std::integral_constant<int, 1>());
  }
}

template <class T>
void correlate_line(const DepthwiseLine& line, const T* source, const T* cotangent, T* sums) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto all = hn::FirstN(d, static_cast<size_t>(lanes));
  constexpr int64_t kPart = 32;  // columns that stay in the L1 cache
  for (int64_t begin = 0, end = 0; begin < line.width; begin = end) {
    const DepthwiseTaps& taps = line.columns[begin];
    end = begin + 1;
    while (end < line.width && end < begin + kPart &&
           line.columns[end].first_tap == taps.first_tap && line.columns[end].count == taps.count) {
      ++end;
    }
    int64_t c = 0;
    for (; c + lanes <= line.channels; c += lanes) {
      correlate_columns<false>(d, all, line, begin, end, source + c, cotangent + c, sums + c);
    }
    if (c < line.channels) {
      const auto mask = hn::FirstN(d, static_cast<size_t>(line.channels - c));
      correlate_columns<true>(d, mask, line, begin, end, source + c, cotangent + c, sums + c);
    }
  }
}

Depthwise<float> depthwise_float() { return {convolve_line<float>, correlate_line<float>}; }
#if HWY_HAVE_FLOAT64
Depthwise<double> depthwise_double() { return {convolve_line<double>, correlate_line<double>}; }
#else
Depthwise<double> depthwise_double() { return {}; }
#endif

}  // namespace
}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace mica {
namespace {

HWY_EXPORT(depthwise_float);
HWY_EXPORT(depthwise_double);

}  // namespace

template <>
const Depthwise<float>& depthwise() {
  static const Depthwise<float> best = HWY_DYNAMIC_DISPATCH(depthwise_float)();
  return best;
}

template <>
const Depthwise<double>& depthwise() {
  static const Depthwise<double> best = HWY_DYNAMIC_DISPATCH(depthwise_double)();
  return best;
}

}  // namespace mica

#endif  // HWY_ONCE
