// Winograd convolution on NHWC images: tiles are transformed, multiplied point by point with the
// transformed weights as small matrix products (tiles x channels), and transformed back.
//
// A task takes some rows of tiles, few enough for its transformed tiles to stay in the L2 cache,
// and writes whole rows of the result. winograd_kernels.h has the transforms.
#include <algorithm>
#include <bit>
#include <cmath>

#include "core/cpu/gemm_micro.h"
#include "core/ops/conv_kernels.h"
#include "core/ops/winograd_kernels.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

float* floats(const Buffer& buffer) { return reinterpret_cast<float*>(buffer.data()); }

Buffer allocate(int64_t count) {
  return Buffer::allocate(static_cast<size_t>(count) * sizeof(float));
}

int64_t padded(int64_t channels) { return (channels + 7) / 8 * 8; }

const Winograd* winograd_for(const ConvGeometry& g) {
  constexpr std::array<int64_t, 2> one = {1, 1};
  const Conv2dOptions& o = g.options;
  if (o.stride != one || o.dilation != one || o.groups != 1 || g.kernel_height != g.kernel_width) {
    return nullptr;
  }
  for (const Winograd& w : winograds()) {
    if (w.taps == g.kernel_height) return &w;
  }
  return nullptr;
}

// Transformed weights of this many floats do not stay in an L2 cache.
constexpr int64_t kLargeWeight = 1 << 18;

// The tiles of a convolution's output, in rows over the whole batch, and how a task's share of
// their transforms lies in memory: (point, tile, channel).
struct Tiles {
  const ConvGeometry& g;
  const Winograd& w;
  int64_t down, across;  // tiles of one image
  int64_t rows_per_task;

  Tiles(const ConvGeometry& g, const Winograd& w) : g(g), w(w) {
    down = (g.out_height + w.outputs - 1) / w.outputs;
    across = (g.out_width + w.outputs - 1) / w.outputs;
    // The transformed tiles stay in half of an L2 cache, but are enough for one pass over the
    // weights to be worth it.
    constexpr int64_t kFloats = 1 << 16;
    const int64_t line = point_count() * (padded(g.channels) + padded(g.out_channels));
    const bool large = weight_size() > kLargeWeight;
    const int64_t most = std::clamp<int64_t>(kFloats / line, large ? 96 : 24, 96);
    const int64_t fewest = large ? 4 : 8;
    rows_per_task = std::clamp<int64_t>(most / across, 1, (rows() + fewest - 1) / fewest);
    // An even number of equal tasks: two cores have the same to do.
    const int64_t tasks = (rows() + rows_per_task - 1) / rows_per_task;
    rows_per_task = (rows() + (tasks + 1) / 2 * 2 - 1) / ((tasks + 1) / 2 * 2);
  }
  int64_t rows() const { return g.batch * down; }
  int64_t tiles_per_task() const { return rows_per_task * across; }
  int64_t point_count() const { return w.points * w.points; }
  int64_t weight_size() const { return point_count() * g.channels * padded(g.out_channels); }
  // Not a power of two, which would send all points to the same lines of the cache.
  int64_t point_step(int64_t channels) const { return tiles_per_task() * padded(channels) + 16; }

  WinogradTile<const float> input(const float* x, int64_t row, int64_t column) const {
    const int64_t image = row / down;
    const int64_t y = row % down * w.outputs - g.options.padding[0];
    const int64_t z = column * w.outputs - g.options.padding[1];
    const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at, 0, w.points); };
    return {x + ((image * g.height + y) * g.width + z) * g.channels,
            g.width * g.channels,
            g.channels,
            bound(-y),
            bound(g.height - y),
            bound(-z),
            bound(g.width - z)};
  }
  template <class T>
  WinogradTile<T> output(T* y, int64_t row, int64_t column) const {
    const int64_t image = row / down, top = row % down * w.outputs, left = column * w.outputs;
    return {y + ((image * g.out_height + top) * g.out_width + left) * g.out_channels,
            g.out_width * g.out_channels,
            g.out_channels,
            0,
            std::min(w.outputs, g.out_height - top),
            0,
            std::min(w.outputs, g.out_width - left)};
  }
  // Calls visit(tile's index, row, column) for the tiles of rows [begin, end).
  template <class Visit>
  void for_each(int64_t begin, int64_t end, Visit&& visit) const {
    int64_t index = 0;
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t column = 0; column < across; ++column) visit(index++, row, column);
    }
  }
};

// `u` holds the transformed weights as (point, channel, padded output channel).
void convolve(const Tiles& tiles, const float* x, const float* u, float* y) {
  const ConvGeometry& g = tiles.g;
  const MicroGemm multiply = micro_gemm();
  const int64_t in = padded(g.channels), out = padded(g.out_channels);
  const int64_t in_step = tiles.point_step(in), out_step = tiles.point_step(out);
  parallel_for(tiles.rows(), tiles.rows_per_task, [&](int64_t begin, int64_t end) {
    const Buffer memory = allocate(tiles.point_count() * (in_step + out_step));
    float* from = floats(memory);
    float* to = from + tiles.point_count() * in_step;
    tiles.for_each(begin, end, [&](int64_t i, int64_t row, int64_t column) {
      tiles.w.input(tiles.input(x, row, column), g.channels, from + i * in, in_step);
    });
    const int64_t count = (end - begin) * tiles.across;
    for (int64_t p = 0; p < tiles.point_count(); ++p) {
      multiply({count, out, g.channels, from + p * in_step, in, 1, u + p * g.channels * out, out,
                to + p * out_step, out, false});
    }
    tiles.for_each(begin, end, [&](int64_t i, int64_t row, int64_t column) {
      tiles.w.output(to + i * out, out_step, g.out_channels, tiles.output(y, row, column));
    });
  });
}

// (out channels, taps * channels) to (taps * channels, out channels).
Buffer transposed(const float* weight, int64_t rows, int64_t columns) {
  const Buffer memory = allocate(rows * columns);
  float* to = floats(memory);
  parallel_for(columns, std::max<int64_t>(16, 65536 / rows), [&](int64_t begin, int64_t end) {
    constexpr int64_t kBlock = 16;
    for (int64_t left = begin; left < end; left += kBlock) {
      const int64_t right = std::min(end, left + kBlock);
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t column = left; column < right; ++column) {
          to[column * rows + row] = weight[row * columns + column];
        }
      }
    }
  });
  return memory;
}

}  // namespace

// Measured on one core of a Zen 4: a vector multiply-add of the products takes a cycle, moving a
// vector in or out by a transform 10 with tiles of 8 x 8 and 14 with the less regular memory of
// 6 x 6, and large weights come from the L3 cache.
double conv_winograd_seconds(const ConvGeometry& g) {
  const Winograd* w = winograd_for(g);
  if (w == nullptr) return HUGE_VAL;
  const Tiles tiles(g, *w);
  const double count = double(tiles.rows()) * double(tiles.across * tiles.point_count());
  const double in = double(padded(g.channels)) / 16, out = double(padded(g.out_channels)) / 16;
  const double tasks = std::ceil(double(tiles.rows()) / double(tiles.rows_per_task));
  const double weight = double(tiles.weight_size());
  const double move = w->points == 8 ? 10 : 14;
  double cycles = count * (double(g.channels) * out + move * (in + out)) + 1.5 * weight;
  if (tiles.weight_size() > kLargeWeight) cycles += tasks * weight;
  return cycles / 3.6e9;
}

bool conv_winograd(const ConvGeometry& g, const float* x, const float* weight, float* y) {
  const Winograd* w = winograd_for(g);
  if (w == nullptr) return false;
  const Tiles tiles(g, *w);
  const int64_t out = padded(g.out_channels), step = g.channels * out;
  const Buffer turned = transposed(weight, g.out_channels, g.taps());
  const Buffer memory = allocate(tiles.point_count() * step);
  parallel_for(g.channels, std::max<int64_t>(1, 1024 / out), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      w->weight(floats(turned) + c * g.out_channels, g.channels * g.out_channels, g.out_channels,
                floats(memory) + c * out, step);
    }
  });
  convolve(tiles, x, floats(memory), y);
  return true;
}

// The convolution of the cotangent with the kernel turned around.
bool conv_input_winograd(const ConvGeometry& g, const float* cotangent, const float* weight,
                         float* dx) {
  const Winograd* w = winograd_for(g);
  if (w == nullptr || !turns(g)) return false;
  const ConvGeometry by_input = turned(g);
  const Tiles tiles(by_input, *w);
  const int64_t out = padded(g.channels), step = g.out_channels * out;
  const Buffer memory = allocate(tiles.point_count() * step);
  parallel_for(g.out_channels, std::max<int64_t>(1, 1024 / out), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      w->weight(weight + (o + 1) * g.taps() - g.channels, -g.channels, g.channels,
                floats(memory) + o * out, step);
    }
  });
  convolve(tiles, cotangent, floats(memory), dx);
  return true;
}

bool conv_weight_winograd(const ConvGeometry& g, const float* x, const float* cotangent,
                          float* dweight) {
  const Winograd* w = winograd_for(g);
  if (w == nullptr) return false;
  const Tiles tiles(g, *w);
  const MicroGemm multiply = micro_gemm();
  const int64_t in = padded(g.channels), out = padded(g.out_channels);
  const int64_t in_step = tiles.point_step(in), out_step = tiles.point_step(out);
  const int64_t step = g.out_channels * in, size = tiles.point_count() * step;
  // Parts of the batch have sums of their own (point, out channel, channel), added in order.
  constexpr int64_t kFloats = 1 << 21;
  const int64_t tasks = (tiles.rows() + tiles.rows_per_task - 1) / tiles.rows_per_task;
  const int64_t most = std::clamp<int64_t>(std::min(tasks / 2, kFloats / size), 1, 8);
  // A power of two, so that they divide evenly among cores.
  const auto parts = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(most)));
  const Buffer memory = allocate(parts * size);
  parallel_for(parts, 1, [&](int64_t part, int64_t) {
    const Buffer part_memory = allocate(tiles.point_count() * (in_step + out_step));
    float* from = floats(part_memory);
    float* to = from + tiles.point_count() * in_step;
    float* sums = floats(memory) + part * size;
    const int64_t first = part * tasks / parts, last = (part + 1) * tasks / parts;
    for (int64_t task = first; task < last; ++task) {
      const int64_t begin = task * tiles.rows_per_task;
      const int64_t end = std::min(tiles.rows(), begin + tiles.rows_per_task);
      tiles.for_each(begin, end, [&](int64_t i, int64_t row, int64_t column) {
        w->input(tiles.input(x, row, column), g.channels, from + i * in, in_step);
        w->cotangent(tiles.output(cotangent, row, column), g.out_channels, to + i * out, out_step);
      });
      const int64_t count = (end - begin) * tiles.across;
      for (int64_t p = 0; p < tiles.point_count(); ++p) {
        multiply({g.out_channels, in, count, to + p * out_step, 1, out, from + p * in_step, in,
                  sums + p * step, in, task > first});
      }
    }
  });
  parallel_for(g.out_channels, std::max<int64_t>(1, 1024 / in), [&](int64_t begin, int64_t end) {
    float* total = floats(memory);
    for (int64_t part = 1; part < parts; ++part) {
      for (int64_t p = 0; p < tiles.point_count(); ++p) {
        float* sum = total + p * step;
        const float* more = sum + part * size;
        for (int64_t i = begin * in; i < end * in; ++i) sum[i] += more[i];
      }
    }
    for (int64_t o = begin; o < end; ++o) {
      w->weight_gradient(total + o * in, step, g.channels, dweight + o * g.taps(), g.channels);
    }
  });
  return true;
}

}  // namespace mica
