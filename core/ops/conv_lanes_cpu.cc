// Convolution with an image per SIMD lane: 16 images side by side, one float of each in a vector.
//
// Then no channel count leaves lanes idle (oneDNN works on blocks of 16 channels) and taps in the
// padding are skipped exactly. Only for AVX-512: it has the registers, and its FMA takes a
// broadcast operand from memory for free. conv_cpu.cc decides when it pays.
#include "core/ops/conv_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/conv_lanes_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/ops/conv_lanes.h"

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kLanes = 16;
using Wide = hn::FixedTag<float, 16>;
using Half = hn::FixedTag<float, 8>;
using Quarter = hn::FixedTag<float, 4>;
using Vector = hn::Vec<Wide>;

// Four by four in every 128-bit block.
HWY_INLINE void transpose_blocks(Vector v[4]) {
  const Wide d;
  const hn::RepartitionToWide<Wide> dw;
  const auto t0 = hn::InterleaveLower(d, v[0], v[1]), t1 = hn::InterleaveUpper(d, v[0], v[1]);
  const auto t2 = hn::InterleaveLower(d, v[2], v[3]), t3 = hn::InterleaveUpper(d, v[2], v[3]);
  const auto pair = [&](auto low, auto high, int i) HWY_ATTR {
    const auto a = hn::BitCast(dw, low), b = hn::BitCast(dw, high);
    v[i] = hn::BitCast(d, hn::InterleaveLower(dw, a, b));
    v[i + 1] = hn::BitCast(d, hn::InterleaveUpper(dw, a, b));
  };
  pair(t0, t2, 0);
  pair(t1, t3, 2);
}

// to[i][lane] = from[lane][i]: the elements of 16 images side by side.
void pack(const float* const from[], int64_t count, float* to) {
  const Wide d;
  const Half dh;
  const Quarter dq;
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    Vector v[4];
    for (int j = 0; j < 4; ++j) {
      const auto low = hn::Combine(dh, hn::LoadU(dq, from[4 + j] + i), hn::LoadU(dq, from[j] + i));
      const auto high =
          hn::Combine(dh, hn::LoadU(dq, from[12 + j] + i), hn::LoadU(dq, from[8 + j] + i));
      v[j] = hn::Combine(d, high, low);
    }
    transpose_blocks(v);
    for (int j = 0; j < 4; ++j) hn::StoreU(v[j], d, to + (i + j) * kLanes);
  }
  for (; i < count; ++i) {
    for (int64_t lane = 0; lane < kLanes; ++lane) to[i * kLanes + lane] = from[lane][i];
  }
}

// The way back, for the first `images` lanes.
void unpack(const float* from, int64_t count, int64_t images, float* const to[]) {
  const Wide d;
  const Half dh;
  const Quarter dq;
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    Vector v[4];
    for (int j = 0; j < 4; ++j) v[j] = hn::LoadU(d, from + (i + j) * kLanes);
    transpose_blocks(v);
    for (int j = 0; j < 4; ++j) {
      const auto low = hn::LowerHalf(dh, v[j]), high = hn::UpperHalf(dh, v[j]);
      if (j < images) hn::StoreU(hn::LowerHalf(dq, low), dq, to[j] + i);
      if (4 + j < images) hn::StoreU(hn::UpperHalf(dq, low), dq, to[4 + j] + i);
      if (8 + j < images) hn::StoreU(hn::LowerHalf(dq, high), dq, to[8 + j] + i);
      if (12 + j < images) hn::StoreU(hn::UpperHalf(dq, high), dq, to[12 + j] + i);
    }
  }
  for (; i < count; ++i) {
    for (int64_t lane = 0; lane < images; ++lane) to[lane][i] = from[i * kLanes + lane];
  }
}

// A row of output pixels for kOutputs channels. x: packed block of images, weight: (tap, input
// channel, kOutputs), y: the packed row of all output channels.
template <int kOutputs>
void convolve_row(const ConvGeometry& g, const float* x, const float* weight, int64_t row,
                  int64_t outputs, float* y) {
  const Wide d;
  const Conv2dOptions& o = g.options;
  const int64_t top = row * o.stride[0] - o.padding[0];
  const int64_t first_row = std::max<int64_t>(0, -top);
  const int64_t last_row = std::min(g.kernel_height, g.height - top);
  for (int64_t column = 0; column < g.out_width; ++column) {
    const int64_t left = column * o.stride[1] - o.padding[1];
    const int64_t first = std::max<int64_t>(0, -left);
    const int64_t run = (std::min(g.kernel_width, g.width - left) - first) * g.channels;
    Vector sums[kOutputs];
#pragma GCC unroll 32
    for (int i = 0; i < kOutputs; ++i) sums[i] = hn::Zero(d);
    for (int64_t i = first_row; i < last_row; ++i) {
      // The taps of a kernel row lie side by side, in the image as in the weight.
      const float* from = x + ((top + i) * g.width + left + first) * g.channels * kLanes;
      const float* w = weight + (i * g.kernel_width + first) * g.channels * kOutputs;
      for (int64_t tap = 0; tap < run; ++tap, from += kLanes, w += kOutputs) {
        const auto value = hn::Load(d, from);
#pragma GCC unroll 32
        for (int j = 0; j < kOutputs; ++j) {
          sums[j] = hn::MulAdd(value, hn::Set(d, w[j]), sums[j]);
        }
      }
    }
    float* to = y + column * g.out_channels * kLanes;
#pragma GCC unroll 32
    for (int j = 0; j < kOutputs; ++j) {
      if (j < outputs) hn::Store(sums[j], d, to + j * kLanes);
    }
  }
}

// Sums over the lanes of four vectors.
HWY_INLINE void sum_lanes(Vector v[4], float* to) {
  const Half dh;
  const Quarter dq;
  transpose_blocks(v);
  const auto all = hn::Add(hn::Add(v[0], v[1]), hn::Add(v[2], v[3]));
  const auto half = hn::Add(hn::LowerHalf(dh, all), hn::UpperHalf(dh, all));
  hn::StoreU(hn::Add(hn::LowerHalf(dq, half), hn::UpperHalf(dq, half)), dq, to);
}

// Weight gradients of kOutputs output channels and all input channels for one block of images,
// added to dweight (OHWI, starting at the first of these output channels). kTaps is the kernel's
// width. x and dy are packed blocks, dy starting at the first output channel.
template <int kTaps, int kOutputs>
void correlate(const ConvGeometry& g, const float* x, const float* dy, int64_t outputs,
               float* dweight) {
  const Wide d;
  const Conv2dOptions& o = g.options;
  constexpr int kSums = kTaps * kOutputs;
  for (int64_t channel = 0; channel < g.channels; ++channel) {
    for (int64_t i = 0; i < g.kernel_height; ++i) {
      Vector sums[kSums];
#pragma GCC unroll 32
      for (int j = 0; j < kSums; ++j) sums[j] = hn::Zero(d);
      for (int64_t row = 0; row < g.out_height; ++row) {
        const int64_t at = row * o.stride[0] - o.padding[0] + i;
        if (at < 0 || at >= g.height) continue;
        const float* line = x + (at * g.width * g.channels + channel) * kLanes;
        const float* cotangent = dy + row * g.out_width * g.out_channels * kLanes;
        for (int64_t column = 0; column < g.out_width; ++column) {
          const int64_t left = column * o.stride[1] - o.padding[1];
          Vector weights[kOutputs];
#pragma GCC unroll 32
          for (int j = 0; j < kOutputs; ++j) {
            weights[j] = hn::Load(d, cotangent + (column * g.out_channels + j) * kLanes);
          }
#pragma GCC unroll 32
          for (int tap = 0; tap < kTaps; ++tap) {
            if (left + tap < 0 || left + tap >= g.width) continue;
            const auto value = hn::Load(d, line + (left + tap) * g.channels * kLanes);
#pragma GCC unroll 32
            for (int j = 0; j < kOutputs; ++j) {
              sums[tap * kOutputs + j] = hn::MulAdd(value, weights[j], sums[tap * kOutputs + j]);
            }
          }
        }
      }
      float totals[kSums + 3];
#pragma GCC unroll 32
      for (int j = 0; j < kSums; j += 4) {
        Vector four[4] = {sums[j], sums[std::min(j + 1, kSums - 1)],
                          sums[std::min(j + 2, kSums - 1)], sums[std::min(j + 3, kSums - 1)]};
        sum_lanes(four, totals + j);
      }
      for (int64_t j = 0; j < outputs; ++j) {
        for (int tap = 0; tap < kTaps; ++tap) {
          dweight[j * g.taps() + (i * kTaps + tap) * g.channels + channel] +=
              totals[tap * kOutputs + j];
        }
      }
    }
  }
}

ConvLanes functions() {
  return {kLanes,
          pack,
          unpack,
          {{4, convolve_row<4>},
           {8, convolve_row<8>},
           {10, convolve_row<10>},
           {13, convolve_row<13>},
           {16, convolve_row<16>},
           {20, convolve_row<20>},
           {25, convolve_row<25>},
           {28, convolve_row<28>}},
          {{3, 8, correlate<3, 8>}, {5, 5, correlate<5, 5>}}};
}

#else
ConvLanes functions() { return {}; }
#endif

}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "core/runtime/buffer.h"

namespace mica {
namespace {

HWY_EXPORT(functions);

const ConvLanes& lanes() {
  static const ConvLanes best = HWY_DYNAMIC_DISPATCH(functions)();
  return best;
}

float* floats(const Buffer& buffer) { return reinterpret_cast<float*>(buffer.data()); }

Buffer allocate(int64_t count) {
  return Buffer::allocate(static_cast<size_t>(count) * sizeof(float));
}

// The row kernel that wastes least for this many output channels.
const ConvLanes::Row& best_row(int64_t outputs) {
  const auto padded = [&](const ConvLanes::Row& row) {
    return (outputs + row.outputs - 1) / row.outputs * row.outputs;
  };
  const ConvLanes::Row* best = &lanes().rows.back();
  for (const ConvLanes::Row& row : lanes().rows) {
    if (padded(row) <= padded(*best)) best = &row;
  }
  return *best;
}

// weight(output, tap) in the order (block of outputs, tap, output in the block).
template <class Weight>
Buffer packed_weight(int64_t outputs, int64_t taps, int64_t block, Weight&& weight) {
  const int64_t blocks = (outputs + block - 1) / block;
  Buffer memory = allocate(blocks * taps * block);
  parallel_for(blocks * taps, 32768 / block, [&](int64_t begin, int64_t end) {
    float* to = floats(memory) + begin * block;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / taps * block, tap = i % taps;
      for (int64_t o = first; o < first + block; ++o) *to++ = o < outputs ? weight(o, tap) : 0;
    }
  });
  return memory;
}

// Images in blocks of lanes().count; the last block is filled up with zeros.
Buffer packed_images(const float* x, int64_t batch, int64_t size) {
  constexpr int64_t kPiece = 4096;
  const int64_t width = lanes().count, blocks = (batch + width - 1) / width;
  // What follows the last pixel's channels may be read, not used.
  const Buffer memory = allocate((blocks * size + 32) * width);
  const std::vector<float> zeros(static_cast<size_t>(batch % width == 0 ? 0 : size));
  const int64_t pieces = (size + kPiece - 1) / kPiece;
  parallel_for(blocks * pieces, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t block = i / pieces, start = i % pieces * kPiece;
      std::array<const float*, 16> from;
      for (int64_t lane = 0; lane < width; ++lane) {
        const int64_t image = block * width + lane;
        from[lane] = (image < batch ? x + image * size : zeros.data()) + start;
      }
      lanes().pack(from.data(), std::min(kPiece, size - start),
                   floats(memory) + (block * size + start) * width);
    }
  });
  return memory;
}

// `weight` comes from packed_weight.
void convolve(const ConvGeometry& g, const float* x, const float* weight,
              const ConvLanes::Row& kernel, float* y) {
  const int64_t width = lanes().count;
  const int64_t blocks = (g.batch + width - 1) / width;
  const int64_t image = g.height * g.width * g.channels;
  const Buffer memory = packed_images(x, g.batch, image);
  const float* packed = floats(memory);
  const int64_t row_size = g.out_width * g.out_channels;
  const int64_t grain =
      std::max<int64_t>(1, static_cast<int64_t>(4e6 / (2.0 * double(row_size * g.taps() * width))));
  parallel_for(blocks * g.out_height, grain, [&](int64_t begin, int64_t end) {
    const Buffer row_memory = allocate(row_size * width);
    float* row = floats(row_memory);
    for (int64_t line = begin; line < end; ++line) {
      const int64_t block = line / g.out_height, at = line % g.out_height;
      for (int64_t o = 0; o < g.out_channels; o += kernel.outputs) {
        kernel.run(g, packed + block * image * width, weight + o * g.taps(), at,
                   std::min(kernel.outputs, g.out_channels - o), row + o * width);
      }
      const int64_t images = std::min(width, g.batch - block * width);
      std::array<float*, 16> to;
      for (int64_t lane = 0; lane < images; ++lane) {
        to[lane] = y + ((block * width + lane) * g.out_height + at) * row_size;
      }
      lanes().unpack(row, row_size, images, to.data());
    }
  });
}

}  // namespace

bool conv_lanes(const ConvGeometry& g, const float* x, const float* weight, float* y) {
  if (lanes().count == 0 || g.options.groups != 1 ||
      g.options.dilation != std::array<int64_t, 2>{1, 1}) {
    return false;
  }
  const ConvLanes::Row& kernel = best_row(g.out_channels);
  const Buffer packed =
      packed_weight(g.out_channels, g.taps(), kernel.outputs,
                    [&](int64_t o, int64_t tap) { return weight[o * g.taps() + tap]; });
  convolve(g, x, floats(packed), kernel, y);
  return true;
}

bool conv_input_lanes(const ConvGeometry& g, const float* cotangent, const float* weight,
                      float* dx) {
  if (lanes().count == 0 || !turns(g)) return false;
  const ConvGeometry by_input = turned(g);
  const ConvLanes::Row& kernel = best_row(g.channels);
  const int64_t places = g.kernel_height * g.kernel_width;
  const Buffer packed =
      packed_weight(g.channels, by_input.taps(), kernel.outputs, [&](int64_t c, int64_t tap) {
        const int64_t place = places - 1 - tap / g.out_channels, o = tap % g.out_channels;
        return weight[(o * places + place) * g.channels + c];
      });
  convolve(by_input, cotangent, floats(packed), kernel, dx);
  return true;
}

bool conv_weight_lanes(const ConvGeometry& g, const float* x, const float* cotangent,
                       float* dweight) {
  if (lanes().count == 0 || g.options.groups != 1 ||
      g.options.dilation != std::array<int64_t, 2>{1, 1}) {
    return false;
  }
  const ConvLanes::Sums* kernel = nullptr;
  for (const ConvLanes::Sums& sums : lanes().sums) {
    if (sums.taps == g.kernel_width) kernel = &sums;
  }
  if (kernel == nullptr) return false;

  const int64_t width = lanes().count, blocks = (g.batch + width - 1) / width;
  const int64_t image = g.height * g.width * g.channels;
  const int64_t result = g.out_height * g.out_width * g.out_channels;
  const Buffer packed_x = packed_images(x, g.batch, image);
  const Buffer packed_dy = packed_images(cotangent, g.batch, result);
  // Parts of the batch have gradients of their own, added in order at the end.
  const int64_t parts = std::min<int64_t>(blocks, 8), size = g.weight_size();
  const Buffer memory = allocate(parts * size);
  const int64_t groups = (g.out_channels + kernel->outputs - 1) / kernel->outputs;
  parallel_for(parts * groups, std::max<int64_t>(1, groups / 4), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t part = i / groups, first = i % groups * kernel->outputs;
      const int64_t outputs = std::min(kernel->outputs, g.out_channels - first);
      float* to = floats(memory) + part * size + first * g.taps();
      std::fill_n(to, outputs * g.taps(), 0.0f);
      for (int64_t b = part * blocks / parts; b < (part + 1) * blocks / parts; ++b) {
        kernel->run(g, floats(packed_x) + b * image * width,
                    floats(packed_dy) + (b * result + first) * width, outputs, to);
      }
    }
  });
  sum_parts<float>(floats(memory), parts, size, dweight);
  return true;
}

}  // namespace mica

#endif  // HWY_ONCE
