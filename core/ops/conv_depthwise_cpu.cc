// Depthwise convolution, one kernel a channel: tables of which lines and columns meet which taps,
// then lines of the result as tasks.
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "core/ops/conv_kernels.h"
#include "core/ops/depthwise_kernels.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

struct Axis {
  int64_t in, out, kernel, stride, padding, dilation;

  Axis(const ConvGeometry& g, int axis)
      : in(axis == 0 ? g.height : g.width),
        out(axis == 0 ? g.out_height : g.out_width),
        kernel(axis == 0 ? g.kernel_height : g.kernel_width),
        stride(g.options.stride[size_t(axis)]),
        padding(g.options.padding[size_t(axis)]),
        dilation(g.options.dilation[size_t(axis)]) {}

  // The inputs that make output i.
  DepthwiseTaps forward(int64_t i) const {
    const int64_t start = i * stride - padding;
    const int64_t first = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
    const int64_t last = start >= in ? -1 : std::min(kernel - 1, (in - 1 - start) / dilation);
    return {start + first * dilation, dilation, first, 1, std::max<int64_t>(0, last - first + 1)};
  }
  // Positions [first, last) whose taps are all inside, forward and backward.
  std::pair<int64_t, int64_t> inner(bool is_forward) const {
    const int64_t span = (kernel - 1) * dilation;
    if (!is_forward) return {span - padding, std::min(in, out * stride - padding)};
    return {(padding + stride - 1) / stride, (in - 1 + padding - span) / stride + 1};
  }
  // The taps of all positions; those inside repeat, which saves divisions.
  std::vector<DepthwiseTaps> table(bool is_forward) const {
    const int64_t count = is_forward ? out : in;
    const int64_t phases = is_forward ? 1 : stride, shift = is_forward ? stride : 1;
    const auto [first, last] = inner(is_forward);
    std::vector<DepthwiseTaps> all(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      DepthwiseTaps& taps = all[size_t(i)];
      if (i - phases >= first && i < last && i >= phases) {
        taps = all[size_t(i - phases)];
        taps.first_source += shift;
      } else {
        taps = is_forward ? forward(i) : backward(i);
      }
    }
    return all;
  }
  // The outputs that input i goes into: i + padding = output * stride + tap * dilation.
  DepthwiseTaps backward(int64_t i) const {
    const int64_t common = std::gcd(stride, dilation);
    const int64_t tap_step = stride / common, source_step = dilation / common;
    for (int64_t tap = 0; tap < kernel; ++tap) {
      const int64_t rest = i + padding - tap * dilation;
      if (rest < 0) break;
      if (rest % stride != 0 || rest / stride >= out) continue;
      const int64_t source = rest / stride;
      const int64_t count = std::min((kernel - 1 - tap) / tap_step, source / source_step) + 1;
      return {source, -source_step, tap, tap_step, count};
    }
    return {0, 0, 0, 0, 0};
  }
};

// A single channel with many kernels has faster ways than one channel at a time.
bool is_depthwise(const ConvGeometry& g) {
  return g.options.groups == g.channels && g.out_channels % g.channels == 0 &&
         (g.channels > 1 || g.out_channels == 1);
}

// Several results a channel: the convolution of an image that has each channel as many times.
ConvGeometry repeated(ConvGeometry g) {
  g.channels = g.options.groups = g.out_channels;
  return g;
}

template <class T>
T* allocate(Buffer& memory, int64_t count) {
  memory = Buffer::allocate(static_cast<size_t>(count) * sizeof(T));
  return reinterpret_cast<T*>(memory.data());
}

template <class T>
void transpose(const T* from, int64_t rows, int64_t columns, T* to) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  }
}

// x with every channel `times` times; x itself for one.
template <class T>
const T* repeat_channels(const T* x, int64_t count, int64_t times, Buffer& memory) {
  if (times == 1) return x;
  T* to = allocate<T>(memory, count * times);
  parallel_for(count, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::fill_n(to + i * times, times, x[i]);
  });
  return to;
}

struct Tables {
  std::vector<DepthwiseTaps> rows, columns;
  DepthwiseLine line;

  Tables(const ConvGeometry& g, bool forward) {
    const Axis down(g, 0), across(g, 1);
    const int64_t width = forward ? g.out_width : g.width;
    rows = down.table(forward);
    columns = across.table(forward);
    line = {.channels = g.channels,
            .kernel_width = g.kernel_width,
            .width = width,
            .phases = forward ? 1 : across.stride,
            .source_shift = forward ? across.stride : 1,
            .columns = columns.data(),
            .rows = {},
            .source_line = (forward ? g.width : g.out_width) * g.channels};
  }
  DepthwiseLine at(int64_t row) const {
    DepthwiseLine here = line;
    here.rows = rows[size_t(row)];
    return here;
  }
  int64_t height() const { return static_cast<int64_t>(rows.size()); }
};

// A stretch of columns of a line, as a line of its own.
DepthwiseLine part_of(DepthwiseLine line, int64_t begin, int64_t end) {
  line.columns += begin;
  line.width = end - begin;
  return line;
}

template <class T>
void convolve(const Tables& tables, int64_t batch, const T* source, int64_t image, const T* weight,
              int64_t taps, T* out) {
  Buffer memory;
  const int64_t channels = tables.line.channels, width = tables.line.width;
  T* turned = allocate<T>(memory, taps * channels);
  transpose(weight, channels, taps, turned);
  // Lines, or pieces of long lines, of a few tens of thousands of multiplications each.
  const int64_t phases = tables.line.phases;
  const int64_t wanted = std::max<int64_t>(1, 800'000 / std::max<int64_t>(1, taps * channels));
  const int64_t piece = std::min(width, (wanted + 12 * phases - 1) / (12 * phases) * 12 * phases);
  const int64_t pieces = (width + piece - 1) / piece;
  const int64_t lines = std::max<int64_t>(1, wanted / width);
  parallel_for(batch * tables.height() * pieces, lines, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t line = i / pieces, first = i % pieces * piece;
      depthwise<T>().convolve(
          part_of(tables.at(line % tables.height()), first, std::min(width, first + piece)),
          source + line / tables.height() * image, turned, out + (line * width + first) * channels);
    }
  });
}

}  // namespace

template <class T>
bool conv_depthwise(const ConvGeometry& single, const T* x, const T* weight, T* y) {
  if (!is_depthwise(single) || depthwise<T>().convolve == nullptr) return false;
  const ConvGeometry g = repeated(single);
  Buffer memory;
  x = repeat_channels(x, single.input_size(), g.channels / single.channels, memory);
  const Tables tables(g, true);
  convolve(tables, g.batch, x, g.height * g.width * g.channels, weight, g.taps(), y);
  return true;
}

template <class T>
bool conv_input_depthwise(const ConvGeometry& single, const T* cotangent, const T* weight, T* dx) {
  if (!is_depthwise(single) || depthwise<T>().convolve == nullptr) return false;
  const ConvGeometry g = repeated(single);
  const int64_t times = g.channels / single.channels;
  Buffer memory;
  T* all = times == 1 ? dx : allocate<T>(memory, g.input_size());
  const Tables tables(g, false);
  convolve(tables, g.batch, cotangent, g.out_height * g.out_width * g.channels, weight, g.taps(),
           all);
  if (times == 1) return true;
  parallel_for(single.input_size(), 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      dx[i] = std::accumulate(all + i * times, all + (i + 1) * times, T(0));
    }
  });
  return true;
}

template <class T>
bool conv_weight_depthwise(const ConvGeometry& single, const T* x, const T* cotangent, T* dweight) {
  if (!is_depthwise(single) || depthwise<T>().correlate == nullptr) return false;
  const ConvGeometry g = repeated(single);
  Buffer repeated_memory;
  x = repeat_channels(x, single.input_size(), g.channels / single.channels, repeated_memory);
  const Tables tables(g, true);
  const int64_t size = g.weight_size(), height = tables.height(), channels = g.channels;
  // Parts of the lines have sums of their own, added in order.
  const int64_t width = g.out_width, per_line = (width + 255) / 256;
  const int64_t pieces = g.batch * height * per_line;
  const auto wanted = static_cast<int64_t>(g.flops() / 2e6);
  const int64_t parts = std::clamp<int64_t>(std::min(wanted, pieces), 1, 16);
  Buffer memory;
  T* sums = allocate<T>(memory, (parts + 1) * size);
  parallel_for(parts, 1, [&](int64_t part, int64_t) {
    T* to = sums + part * size;
    std::fill_n(to, size, T(0));
    for (int64_t i = part * pieces / parts; i < (part + 1) * pieces / parts; ++i) {
      const int64_t line = i / per_line, first = i % per_line * 256;
      depthwise<T>().correlate(
          part_of(tables.at(line % height), first, std::min(width, first + 256)),
          x + line / height * g.height * g.width * channels,
          cotangent + (line * width + first) * channels, to);
    }
  });
  T* total = sums + parts * size;
  sum_parts<T>(sums, parts, size, total);
  transpose(total, g.taps(), channels, dweight);
  return true;
}

#define MICA_CONV(T)                                                               \
  template bool conv_depthwise(const ConvGeometry&, const T*, const T*, T*);       \
  template bool conv_input_depthwise(const ConvGeometry&, const T*, const T*, T*); \
  template bool conv_weight_depthwise(const ConvGeometry&, const T*, const T*, T*);
MICA_CONV(float)
MICA_CONV(double)
#undef MICA_CONV

}  // namespace mica
