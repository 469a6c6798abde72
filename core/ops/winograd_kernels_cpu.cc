// Transforms vectorised over channels. AVX-512 only: 32 registers hold the lines of a tile.
#include "core/ops/winograd_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/winograd_kernels_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
namespace hn = hwy::HWY_NAMESPACE;

// Tiles of 6: the squares are 1/2 and 2, and the error half of that with 1 and 2.
constexpr double kRootHalf = 0.70710678118654752440, kRootTwo = 1.41421356237309504880;

template <int kPoints>
constexpr std::array<double, size_t(kPoints - 1)> finite_points() {
  if constexpr (kPoints == 6) {
    return {0, kRootHalf, -kRootHalf, kRootTwo, -kRootTwo};
  } else {
    return {0, 1, -1, 2, -2, 0.5, -0.5};
  }
}

// G: the values of a polynomial of kTaps coefficients at the points, divided by the values there
// of the product of the differences to the other points.
template <int kPoints, int kTaps>
struct WeightMatrix {
  float at[kPoints][kTaps] = {};

  constexpr WeightMatrix() {
    constexpr auto points = finite_points<kPoints>();
    for (int i = 0; i + 1 < kPoints; ++i) {
      double product = 1;
      for (int j = 0; j + 1 < kPoints; ++j) {
        if (j != i) product *= points[size_t(i)] - points[size_t(j)];
      }
      double power = 1 / product;
      for (int j = 0; j < kTaps; ++j, power *= points[size_t(i)]) at[i][j] = float(power);
    }
    at[kPoints - 1][kTaps - 1] = 1;
  }
};

// B^T x, in place.
template <class D, class V>
HWY_INLINE void input_line(D d, V (&x)[6]) {
  const auto c = [d](double value) HWY_ATTR { return hn::Set(d, static_cast<float>(value)); };
  const auto even1 = hn::MulAdd(c(-2), x[2], x[4]);
  const auto odd1 = hn::Mul(c(kRootHalf), hn::MulAdd(c(-2), x[1], x[3]));
  const auto even2 = hn::MulAdd(c(-0.5), x[2], x[4]);
  const auto odd2 = hn::Mul(c(kRootTwo), hn::MulAdd(c(-0.5), x[1], x[3]));
  x[0] = hn::Add(x[0], hn::MulAdd(c(-2.5), x[2], x[4]));
  x[5] = hn::Add(x[1], hn::MulAdd(c(-2.5), x[3], x[5]));
  x[1] = hn::Add(even1, odd1);
  x[2] = hn::Sub(even1, odd1);
  x[3] = hn::Add(even2, odd2);
  x[4] = hn::Sub(even2, odd2);
}

template <class D, class V>
HWY_INLINE void input_line(D d, V (&x)[8]) {
  const auto c = [d](float value) HWY_ATTR { return hn::Set(d, value); };
  const auto first = hn::MulAdd(c(5.25f), hn::Sub(x[2], x[4]), hn::Sub(x[6], x[0]));
  const auto last = hn::MulAdd(c(5.25f), hn::Sub(x[3], x[5]), hn::Sub(x[7], x[1]));
  const auto even1 = hn::MulAdd(c(-4.25f), x[4], hn::Add(x[2], x[6]));
  const auto odd1 = hn::MulAdd(c(-4.25f), x[3], hn::Add(x[1], x[5]));
  const auto even2 = hn::MulAdd(c(0.25f), x[2], hn::MulAdd(c(-1.25f), x[4], x[6]));
  const auto odd2 = hn::MulAdd(c(0.5f), x[1], hn::MulAdd(c(-2.5f), x[3], hn::Add(x[5], x[5])));
  const auto even3 = hn::MulAdd(c(4), x[2], hn::MulAdd(c(-5), x[4], x[6]));
  const auto odd3 = hn::MulAdd(c(0.5f), x[5], hn::MulAdd(c(-2.5f), x[3], hn::Add(x[1], x[1])));
  x[0] = first;
  x[1] = hn::Add(even1, odd1);
  x[2] = hn::Sub(even1, odd1);
  x[3] = hn::Add(even2, odd2);
  x[4] = hn::Sub(even2, odd2);
  x[5] = hn::Add(even3, odd3);
  x[6] = hn::Sub(even3, odd3);
  x[7] = last;
}

// A^T x: values at the points to four outputs.
template <class D, class V>
HWY_INLINE void output_line(D d, const V (&x)[6], V (&y)[4]) {
  const auto c = [d](double value) HWY_ATTR { return hn::Set(d, static_cast<float>(value)); };
  const auto sum1 = hn::Add(x[1], x[2]), difference1 = hn::Sub(x[1], x[2]);
  const auto sum2 = hn::Add(x[3], x[4]), difference2 = hn::Sub(x[3], x[4]);
  y[0] = hn::Add(hn::Add(x[0], sum1), sum2);
  y[1] = hn::MulAdd(c(kRootTwo), difference2, hn::Mul(c(kRootHalf), difference1));
  y[2] = hn::MulAdd(c(2), sum2, hn::Mul(c(0.5), sum1));
  y[3] =
      hn::MulAdd(c(2 * kRootTwo), difference2, hn::MulAdd(c(0.5 * kRootHalf), difference1, x[5]));
}

template <class D, class V>
HWY_INLINE void output_line(D d, const V (&x)[8], V (&y)[4]) {
  const auto c = [d](float value) HWY_ATTR { return hn::Set(d, value); };
  const auto sum1 = hn::Add(x[1], x[2]), difference1 = hn::Sub(x[1], x[2]);
  const auto sum2 = hn::Add(x[3], x[4]), difference2 = hn::Sub(x[3], x[4]);
  const auto sum3 = hn::Add(x[5], x[6]), difference3 = hn::Sub(x[5], x[6]);
  y[0] = hn::Add(hn::Add(x[0], sum1), hn::Add(sum2, sum3));
  y[1] = hn::MulAdd(c(2), difference2, hn::MulAdd(c(0.5f), difference3, difference1));
  y[2] = hn::MulAdd(c(4), sum2, hn::MulAdd(c(0.25f), sum3, sum1));
  y[3] =
      hn::MulAdd(c(8), difference2, hn::MulAdd(c(0.125f), difference3, hn::Add(difference1, x[7])));
}

// A y, the transpose of output_line.
template <class D, class V>
HWY_INLINE void cotangent_line(D d, const V (&y)[4], V (&x)[6]) {
  const auto c = [d](double value) HWY_ATTR { return hn::Set(d, static_cast<float>(value)); };
  const auto even1 = hn::MulAdd(c(0.5), y[2], y[0]);
  const auto odd1 = hn::MulAdd(c(0.5 * kRootHalf), y[3], hn::Mul(c(kRootHalf), y[1]));
  const auto even2 = hn::MulAdd(c(2), y[2], y[0]);
  const auto odd2 = hn::MulAdd(c(2 * kRootTwo), y[3], hn::Mul(c(kRootTwo), y[1]));
  x[0] = y[0];
  x[1] = hn::Add(even1, odd1);
  x[2] = hn::Sub(even1, odd1);
  x[3] = hn::Add(even2, odd2);
  x[4] = hn::Sub(even2, odd2);
  x[5] = y[3];
}

template <class D, class V>
HWY_INLINE void cotangent_line(D d, const V (&y)[4], V (&x)[8]) {
  const auto c = [d](float value) HWY_ATTR { return hn::Set(d, value); };
  const auto even1 = hn::Add(y[0], y[2]), odd1 = hn::Add(y[1], y[3]);
  const auto even2 = hn::MulAdd(c(4), y[2], y[0]);
  const auto odd2 = hn::MulAdd(c(8), y[3], hn::Add(y[1], y[1]));
  const auto even3 = hn::MulAdd(c(0.25f), y[2], y[0]);
  const auto odd3 = hn::MulAdd(c(0.125f), y[3], hn::Mul(c(0.5f), y[1]));
  x[0] = y[0];
  x[1] = hn::Add(even1, odd1);
  x[2] = hn::Sub(even1, odd1);
  x[3] = hn::Add(even2, odd2);
  x[4] = hn::Sub(even2, odd2);
  x[5] = hn::Add(even3, odd3);
  x[6] = hn::Sub(even3, odd3);
  x[7] = y[3];
}

// Calls run(tag, first channel, mask) for vectors of 16 channels, the last of 8 where that will do.
template <class Run>
HWY_INLINE void for_each_vector(int64_t channels, Run run) {
  const hn::FixedTag<float, 16> wide;
  const hn::FixedTag<float, 8> half;
  int64_t at = 0;
  for (; at + 8 < channels; at += 16) {
    run(wide, at, hn::FirstN(wide, static_cast<size_t>(std::min<int64_t>(16, channels - at))));
  }
  if (at < channels) run(half, at, hn::FirstN(half, static_cast<size_t>(channels - at)));
}

// What the tile below this one adds; the strided rows are more than the machine guesses by itself.
template <int kFirst, int kStep>
HWY_INLINE void prefetch_below(const WinogradTile<const float>& tile, int64_t channel) {
  const float* from = tile.origin + kFirst * tile.row_step + channel;
#pragma GCC unroll 4
  for (int i = 0; i < kStep; ++i, from += tile.row_step) {
#pragma GCC unroll 4
    for (int j = 0; j < kStep; ++j) hwy::Prefetch(from + j * tile.column_step);
  }
}

// Reads column j of a tile of kSide rows.
template <int kSide, class D, class V, class M>
HWY_INLINE void load_column(D d, const WinogradTile<const float>& tile, int64_t channel, M mask,
                            int64_t j, V (&x)[kSide]) {
  const float* from = tile.origin + j * tile.column_step + channel;
  const M column = j >= tile.left && j < tile.right ? mask : hn::FirstN(d, 0);
  if (tile.top == 0 && tile.bottom == kSide) {
#pragma GCC unroll 8
    for (int i = 0; i < kSide; ++i) x[i] = hn::MaskedLoad(column, d, from + i * tile.row_step);
    return;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kSide; ++i) {
    x[i] = i >= tile.top && i < tile.bottom ? hn::MaskedLoad(column, d, from + i * tile.row_step)
                                            : hn::Zero(d);
  }
}

template <int kPoints>
void transform_input(const WinogradTile<const float>& tile, int64_t channels, float* to,
                     int64_t point_step) {
  for_each_vector(channels, [&](auto d, int64_t channel, auto mask) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V lines[kPoints][kPoints];
    prefetch_below<kPoints, 4>(tile, channel);
    for (int j = 0; j < kPoints; ++j) {
      V x[kPoints];
      load_column<kPoints>(d, tile, channel, mask, j, x);
      input_line(d, x);
#pragma GCC unroll 8
      for (int i = 0; i < kPoints; ++i) lines[i][j] = x[i];
    }
    float* out = to + channel;
    for (int i = 0; i < kPoints; ++i) {
      input_line(d, lines[i]);
#pragma GCC unroll 8
      for (int j = 0; j < kPoints; ++j, out += point_step) hn::StoreU(lines[i][j], d, out);
    }
  });
}

template <int kPoints, int kOutputs>
void transform_output(const float* from, int64_t point_step, int64_t channels,
                      const WinogradTile<float>& tile) {
  for_each_vector(channels, [&](auto d, int64_t channel, auto mask) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V lines[kOutputs][kPoints];
    for (int j = 0; j < kPoints; ++j) {
      V x[kPoints], y[kOutputs];
#pragma GCC unroll 8
      for (int i = 0; i < kPoints; ++i) {
        x[i] = hn::LoadU(d, from + channel + (i * kPoints + j) * point_step);
      }
      output_line(d, x, y);
#pragma GCC unroll 8
      for (int i = 0; i < kOutputs; ++i) lines[i][j] = y[i];
    }
    for (int i = 0; i < std::min<int64_t>(kOutputs, tile.bottom); ++i) {
      V y[kOutputs];
      output_line(d, lines[i], y);
      float* to = tile.origin + i * tile.row_step + channel;
      // What the tile on the right will write: the machine would fetch it only then.
      const float* next = to + kOutputs * tile.column_step;
#pragma GCC unroll 8
      for (int j = 0; j < kOutputs; ++j, next += tile.column_step) __builtin_prefetch(next, 1);
#pragma GCC unroll 8
      for (int j = 0; j < kOutputs; ++j) {
        if (j < tile.right) hn::BlendedStore(y[j], mask, d, to + j * tile.column_step);
      }
    }
  });
}

template <int kPoints, int kOutputs>
void transform_cotangent(const WinogradTile<const float>& tile, int64_t channels, float* to,
                         int64_t point_step) {
  for_each_vector(channels, [&](auto d, int64_t channel, auto mask) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V lines[kPoints][kOutputs];
    prefetch_below<kOutputs, 4>(tile, channel);
    for (int j = 0; j < kOutputs; ++j) {
      V y[kOutputs], x[kPoints];
      load_column<kOutputs>(d, tile, channel, mask, j, y);
      cotangent_line(d, y, x);
#pragma GCC unroll 8
      for (int i = 0; i < kPoints; ++i) lines[i][j] = x[i];
    }
    float* out = to + channel;
    for (int i = 0; i < kPoints; ++i) {
      V x[kPoints];
      cotangent_line(d, lines[i], x);
#pragma GCC unroll 8
      for (int j = 0; j < kPoints; ++j, out += point_step) hn::StoreU(x[j], d, out);
    }
  });
}

// G g G^T.
template <int kPoints, int kTaps>
void transform_weight(const float* weight, int64_t tap_step, int64_t count, float* to,
                      int64_t point_step) {
  static constexpr WeightMatrix<kPoints, kTaps> g;
  for_each_vector(count, [&](auto d, int64_t at, auto mask) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V lines[kPoints][kTaps];
    for (int j = 0; j < kTaps; ++j) {
      V x[kTaps];
      for (int i = 0; i < kTaps; ++i) {
        x[i] = hn::MaskedLoad(mask, d, weight + (i * kTaps + j) * tap_step + at);
      }
      for (int i = 0; i < kPoints; ++i) {
        lines[i][j] = hn::Zero(d);
        for (int k = 0; k < kTaps; ++k) {
          lines[i][j] = hn::MulAdd(hn::Set(d, g.at[i][k]), x[k], lines[i][j]);
        }
      }
    }
    float* out = to + at;
    for (int i = 0; i < kPoints; ++i) {
      for (int j = 0; j < kPoints; ++j, out += point_step) {
        V sum = hn::Zero(d);
        for (int k = 0; k < kTaps; ++k) sum = hn::MulAdd(hn::Set(d, g.at[j][k]), lines[i][k], sum);
        hn::StoreU(sum, d, out);
      }
    }
  });
}

// G^T x G.
template <int kPoints, int kTaps>
void transform_weight_gradient(const float* from, int64_t point_step, int64_t count, float* weight,
                               int64_t tap_step) {
  static constexpr WeightMatrix<kPoints, kTaps> g;
  for_each_vector(count, [&](auto d, int64_t at, auto mask) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V lines[kTaps][kPoints];
    for (int j = 0; j < kPoints; ++j) {
      V x[kPoints];
      for (int i = 0; i < kPoints; ++i) {
        x[i] = hn::LoadU(d, from + at + (i * kPoints + j) * point_step);
      }
      for (int i = 0; i < kTaps; ++i) {
        lines[i][j] = hn::Zero(d);
        for (int k = 0; k < kPoints; ++k) {
          lines[i][j] = hn::MulAdd(hn::Set(d, g.at[k][i]), x[k], lines[i][j]);
        }
      }
    }
    for (int i = 0; i < kTaps; ++i) {
      for (int j = 0; j < kTaps; ++j) {
        V sum = hn::Zero(d);
        for (int k = 0; k < kPoints; ++k) {
          sum = hn::MulAdd(hn::Set(d, g.at[k][j]), lines[i][k], sum);
        }
        hn::BlendedStore(sum, mask, d, weight + (i * kTaps + j) * tap_step + at);
      }
    }
  });
}

template <int kOutputs, int kTaps>
constexpr Winograd make() {
  constexpr int kPoints = kOutputs + kTaps - 1;
  return {kOutputs,
          kTaps,
          kPoints,
          transform_input<kPoints>,
          transform_output<kPoints, kOutputs>,
          transform_cotangent<kPoints, kOutputs>,
          transform_weight<kPoints, kTaps>,
          transform_weight_gradient<kPoints, kTaps>};
}

std::span<const Winograd> winograd_functions() {
  static constexpr Winograd kAll[] = {make<4, 3>(), make<4, 5>()};
  return kAll;
}

#else
std::span<const Winograd> winograd_functions() { return {}; }
#endif

}  // namespace
}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace mica {
namespace {

HWY_EXPORT(winograd_functions);

}  // namespace

std::span<const Winograd> winograds() {
  static const std::span<const Winograd> best = HWY_DYNAMIC_DISPATCH(winograd_functions)();
  return best;
}

}  // namespace mica

#endif  // HWY_ONCE
