// Winograd convolution on NHWC images: tiles are transformed, multiplied point by point with the
// transformed weights as small matrix products (tiles x channels), and transformed back.
//
// A task takes some rows of tiles, few enough for its transformed tiles to stay in the L2 cache,
// and writes whole rows of the result. winograd_kernels.h has the transforms.
#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "core/cpu/floating.h"
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
};

// The images that tiles [begin, end) of rows belong to, as elements of input and output.
struct Images {
  const Tiles& tiles;
  int64_t begin, end, first;
  int64_t first_input, last_input, first_output, last_output;

  Images(const Tiles& tiles, int64_t begin, int64_t end)
      : tiles(tiles), begin(begin), end(end), first(begin / tiles.down) {
    const ConvGeometry& g = tiles.g;
    const int64_t last = (end + tiles.down - 1) / tiles.down;
    const int64_t input = g.height * g.width * g.channels;
    const int64_t output = g.out_height * g.out_width * g.out_channels;
    first_input = first * input;
    last_input = last * input;
    first_output = first * output;
    last_output = last * output;
  }
  // The first element of the output that a row of tiles makes.
  int64_t line(int64_t row) const {
    const ConvGeometry& g = tiles.g;
    const int64_t top = std::min(row % tiles.down * tiles.w.outputs, g.out_height);
    return (row / tiles.down * g.out_height + top) * g.out_width * g.out_channels;
  }
  // Calls visit(tile's index, row, column) for the tiles, rows counted from the first image's.
  template <class Visit>
  void for_each(Visit&& visit) const {
    int64_t index = 0;
    for (int64_t row = begin - first * tiles.down; row < end - first * tiles.down; ++row) {
      for (int64_t column = 0; column < tiles.across; ++column) visit(index++, row, column);
    }
  }
};

// Elements [begin, end) of x as floats: x itself, or converted into `memory`.
template <class T>
const float* as_floats(const T* x, int64_t begin, int64_t end, Buffer& memory) {
  if constexpr (std::is_same_v<T, float>) {
    return x + begin;
  } else {
    memory = allocate(end - begin);
    convert_part_by_float(x + begin, end - begin, floats(memory));
    return floats(memory);
  }
}

// Where floats for elements [begin, end) of y are to be written: y itself or `memory`.
template <class T>
float* floats_for(T* y, int64_t begin, int64_t end, Buffer& memory) {
  if constexpr (std::is_same_v<T, float>) {
    return y + begin;
  } else {
    memory = allocate(end - begin);
    return floats(memory);
  }
}

// Brings what was written there to y.
template <class T>
void deliver(const float* from, int64_t count, T* y) {
  if constexpr (!std::is_same_v<T, float>) convert_part_by_float(from, count, y);
}

// `u` holds the transformed weights as (point, channel, padded output channel). Images of another
// type are converted by the task that transforms them, while they are in its cache.
template <class T>
void convolve(const Tiles& tiles, const T* x, const float* u, T* y) {
  const ConvGeometry& g = tiles.g;
  const MicroGemm multiply = micro_gemm();
  const int64_t in = padded(g.channels), out = padded(g.out_channels);
  const int64_t in_step = tiles.point_step(in), out_step = tiles.point_step(out);
  parallel_for(tiles.rows(), tiles.rows_per_task, [&](int64_t begin, int64_t end) {
    const Images images(tiles, begin, end);
    Buffer x_memory, y_memory;
    const float* x_part = as_floats(x, images.first_input, images.last_input, x_memory);
    float* y_part = floats_for(y, images.first_output, images.last_output, y_memory);
    const Buffer memory = allocate(tiles.point_count() * (in_step + out_step));
    float* from = floats(memory);
    float* to = from + tiles.point_count() * in_step;
    images.for_each([&](int64_t i, int64_t row, int64_t column) {
      tiles.w.input(tiles.input(x_part, row, column), g.channels, from + i * in, in_step);
    });
    const int64_t count = (end - begin) * tiles.across;
    for (int64_t p = 0; p < tiles.point_count(); ++p) {
      multiply({count, out, g.channels, from + p * in_step, in, 1, u + p * g.channels * out, out,
                to + p * out_step, out, false});
    }
    images.for_each([&](int64_t i, int64_t row, int64_t column) {
      tiles.w.output(to + i * out, out_step, g.out_channels, tiles.output(y_part, row, column));
    });
    const int64_t first = images.line(begin);
    deliver(y_part + first - images.first_output, images.line(end) - first, y + first);
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

template <class T>
bool conv_winograd(const ConvGeometry& g, const T* x, const T* weight, T* y) {
  const Winograd* w = winograd_for(g);
  if (w == nullptr) return false;
  const Tiles tiles(g, *w);
  const int64_t out = padded(g.out_channels), step = g.channels * out;
  Buffer weight_memory;
  const float* wide = as_floats(weight, 0, g.weight_size(), weight_memory);
  const Buffer turned = transposed(wide, g.out_channels, g.taps());
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
template <class T>
bool conv_input_winograd(const ConvGeometry& g, const T* cotangent, const T* weight, T* dx) {
  const Winograd* w = winograd_for(g);
  if (w == nullptr || !turns(g)) return false;
  const ConvGeometry by_input = turned(g);
  const Tiles tiles(by_input, *w);
  const int64_t out = padded(g.channels), step = g.out_channels * out;
  Buffer weight_memory;
  const float* wide = as_floats(weight, 0, g.weight_size(), weight_memory);
  const Buffer memory = allocate(tiles.point_count() * step);
  parallel_for(g.out_channels, std::max<int64_t>(1, 1024 / out), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      w->weight(wide + (o + 1) * g.taps() - g.channels, -g.channels, g.channels,
                floats(memory) + o * out, step);
    }
  });
  convolve(tiles, cotangent, floats(memory), dx);
  return true;
}

template <class T>
bool conv_weight_winograd(const ConvGeometry& g, const T* x, const T* cotangent, T* dweight) {
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
      const Images images(tiles, begin, end);
      Buffer x_memory, dy_memory;
      const float* x_part = as_floats(x, images.first_input, images.last_input, x_memory);
      const float* dy_part =
          as_floats(cotangent, images.first_output, images.last_output, dy_memory);
      images.for_each([&](int64_t i, int64_t row, int64_t column) {
        w->input(tiles.input(x_part, row, column), g.channels, from + i * in, in_step);
        w->cotangent(tiles.output(dy_part, row, column), g.out_channels, to + i * out, out_step);
      });
      const int64_t count = (end - begin) * tiles.across;
      for (int64_t p = 0; p < tiles.point_count(); ++p) {
        multiply({g.out_channels, in, count, to + p * out_step, 1, out, from + p * in_step, in,
                  sums + p * step, in, task > first});
      }
    }
  });
  Buffer wide_memory;
  float* wide = floats_for(dweight, 0, g.weight_size(), wide_memory);
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
      w->weight_gradient(total + o * in, step, g.channels, wide + o * g.taps(), g.channels);
    }
    deliver(wide + begin * g.taps(), (end - begin) * g.taps(), dweight + begin * g.taps());
  });
  return true;
}

#define MICA_CONV(T)                                                              \
  template bool conv_winograd(const ConvGeometry&, const T*, const T*, T*);       \
  template bool conv_input_winograd(const ConvGeometry&, const T*, const T*, T*); \
  template bool conv_weight_winograd(const ConvGeometry&, const T*, const T*, T*);
MICA_CONV(float)
MICA_CONV(bfloat16_t)
#undef MICA_CONV

}  // namespace mica
