// Convolution in groups of many channels, as small matrix products per group.
//
// The pixels of a group are copied side by side, with the zeros of the padding between them. Then
// the taps along a kernel's row are one run in memory, at a fixed step from output to output: the
// rows of a matrix that overlap, and need not be made.
#include <algorithm>

#include "core/cpu/gemm_micro.h"
#include "core/ops/conv_kernels.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

float* floats(const Buffer& buffer) { return reinterpret_cast<float*>(buffer.data()); }

Buffer allocate(int64_t count) {
  return Buffer::allocate(static_cast<size_t>(count) * sizeof(float));
}

// Whether the products have enough rows and columns for the kernel to be near its peak.
bool pays(const ConvGeometry& g) {
  const int64_t inputs = g.channels / g.options.groups, outputs = g.out_channels / g.options.groups;
  return micro_gemm() != nullptr && g.options.groups > 1 && inputs >= 8 && outputs >= 24 &&
         outputs % 8 == 0 && g.out_width >= 12;
}

// A stretch of output columns: what a task computes, for all groups.
struct Pieces {
  const ConvGeometry& g;
  int64_t groups, inputs, outputs;  // channels of a group
  int64_t columns, per_line;        // of a piece; pieces to a line

  explicit Pieces(const ConvGeometry& g)
      : g(g),
        groups(g.options.groups),
        inputs(g.channels / groups),
        outputs(g.out_channels / groups) {
    // A multiple of the kernels' rows, and few enough for their pixels to stay in the L2 cache.
    constexpr int64_t kRows = 24, kFloats = 1 << 15;
    const int64_t most = kFloats / (g.options.stride[1] * g.channels * g.kernel_height);
    columns = std::max(kRows, most / kRows * kRows);
    per_line = (g.out_width + columns - 1) / columns;
  }
  int64_t count() const { return g.batch * g.out_height * per_line; }
  int64_t kernel_span() const { return (g.kernel_width - 1) * g.options.dilation[1] + 1; }
  // The packed pixels are (row of the kernel, group, pixel, channel of the group).
  int64_t packed_line() const {
    return ((std::min(columns, g.out_width) - 1) * g.options.stride[1] + kernel_span()) * inputs;
  }
  int64_t packed_size() const { return g.kernel_height * groups * packed_line(); }
};

struct Piece {
  const Pieces& all;
  int64_t line, begin, end;  // line of the output over the batch, and its columns

  Piece(const Pieces& all, int64_t i)
      : all(all),
        line(i / all.per_line),
        begin(i % all.per_line * all.columns),
        end(std::min(all.g.out_width, begin + all.columns)) {}

  int64_t first_output() const { return (line * all.g.out_width + begin) * all.g.out_channels; }

  // The pixels that the outputs see.
  void pack(const float* x, float* to) const {
    const ConvGeometry& g = all.g;
    const Conv2dOptions& o = g.options;
    const int64_t left = begin * o.stride[1] - o.padding[1];
    const int64_t top = line % g.out_height * o.stride[0] - o.padding[0];
    const int64_t count = (end - begin - 1) * o.stride[1] + all.kernel_span();
    const int64_t packed_line = all.packed_line(), inputs = all.inputs;
    x += line / g.out_height * g.height * g.width * g.channels;
    for (int64_t k = 0; k < g.kernel_height; ++k, to += all.groups * packed_line) {
      const int64_t row = top + k * o.dilation[0];
      const bool is_inside = row >= 0 && row < g.height;
      for (int64_t i = 0; i < count; ++i) {
        const int64_t column = left + i;
        if (is_inside && column >= 0 && column < g.width) {
          const float* from = x + (row * g.width + column) * g.channels;
          for (int64_t group = 0; group < all.groups; ++group, from += inputs) {
            std::copy_n(from, inputs, to + group * packed_line + i * inputs);
          }
        } else {
          for (int64_t group = 0; group < all.groups; ++group) {
            std::fill_n(to + group * packed_line + i * inputs, inputs, 0.0f);
          }
        }
      }
    }
  }
  // Calls visit(packed pixels, number of taps, the first of them) for each run of taps of a group.
  template <class Visit>
  void for_each_run(const float* packed, int64_t group, Visit&& visit) const {
    const ConvGeometry& g = all.g;
    const int64_t taps = g.options.dilation[1] == 1 ? g.kernel_width : 1;
    for (int64_t k = 0; k < g.kernel_height; ++k) {
      const float* line = packed + (k * all.groups + group) * all.packed_line();
      for (int64_t tap = 0; tap < g.kernel_width; tap += taps) {
        visit(line + tap * g.options.dilation[1] * all.inputs, taps, k * g.kernel_width + tap);
      }
    }
  }
};

// `weight` is (group, tap, channel, out channel).
void convolve(const ConvGeometry& g, const float* x, const float* weight, float* y) {
  const Pieces pieces(g);
  const MicroGemm multiply = micro_gemm();
  const int64_t inputs = pieces.inputs, outputs = pieces.outputs;
  parallel_for(pieces.count(), 1, [&](int64_t i, int64_t) {
    const Piece piece(pieces, i);
    const Buffer packed = allocate(pieces.packed_size());
    piece.pack(x, floats(packed));
    for (int64_t group = 0; group < pieces.groups; ++group) {
      const float* of_group = weight + group * g.taps() * outputs;
      float* to = y + piece.first_output() + group * outputs;
      piece.for_each_run(floats(packed), group, [&](const float* from, int64_t taps, int64_t tap) {
        multiply({piece.end - piece.begin, outputs, taps * inputs, from,
                  g.options.stride[1] * inputs, 1, of_group + tap * inputs * outputs, outputs, to,
                  g.out_channels, tap > 0});
      });
    }
  });
}

// weight(group, tap, channel, out channel) in this order.
template <class Weight>
Buffer packed_weight(const ConvGeometry& g, Weight&& weight) {
  const Pieces pieces(g);
  const int64_t taps = g.kernel_height * g.kernel_width;
  Buffer memory = allocate(pieces.groups * taps * pieces.inputs * pieces.outputs);
  const int64_t grain = std::max<int64_t>(1, 16384 / (pieces.inputs * pieces.outputs));
  parallel_for(pieces.groups * taps, grain, [&](int64_t begin, int64_t end) {
    float* to = floats(memory) + begin * pieces.inputs * pieces.outputs;
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t c = 0; c < pieces.inputs; ++c) {
        for (int64_t o = 0; o < pieces.outputs; ++o) *to++ = weight(i / taps, i % taps, c, o);
      }
    }
  });
  return memory;
}

}  // namespace

bool conv_grouped(const ConvGeometry& g, const float* x, const float* weight, float* y) {
  if (!pays(g)) return false;
  const int64_t inputs = g.channels / g.options.groups, outputs = g.out_channels / g.options.groups;
  const Buffer packed = packed_weight(g, [&](int64_t group, int64_t tap, int64_t c, int64_t o) {
    return weight[(group * outputs + o) * g.taps() + tap * inputs + c];
  });
  convolve(g, x, floats(packed), y);
  return true;
}

// The convolution of the cotangent with the kernel turned around.
bool conv_input_grouped(const ConvGeometry& g, const float* cotangent, const float* weight,
                        float* dx) {
  ConvGeometry single = g;
  single.options.groups = 1;
  if (!turns(single)) return false;
  const ConvGeometry by_input = turned(g);
  if (!pays(by_input)) return false;
  const int64_t inputs = g.channels / g.options.groups, outputs = g.out_channels / g.options.groups;
  const int64_t taps = g.kernel_height * g.kernel_width;
  const Buffer packed =
      packed_weight(by_input, [&](int64_t group, int64_t tap, int64_t c, int64_t o) {
        return weight[(group * outputs + c) * g.taps() + (taps - 1 - tap) * inputs + o];
      });
  convolve(by_input, cotangent, floats(packed), dx);
  return true;
}

bool conv_weight_grouped(const ConvGeometry& g, const float* x, const float* cotangent,
                         float* dweight) {
  if (!pays(g)) return false;
  const Pieces pieces(g);
  const MicroGemm multiply = micro_gemm();
  // Parts of the pieces have sums of their own, added in order.
  const int64_t count = pieces.count(), parts = std::min<int64_t>(count, 8);
  const Buffer memory = allocate(parts * g.weight_size());
  parallel_for(parts, 1, [&](int64_t part, int64_t) {
    const Buffer packed = allocate(pieces.packed_size());
    float* sums = floats(memory) + part * g.weight_size();
    const int64_t first = part * count / parts, last = (part + 1) * count / parts;
    for (int64_t i = first; i < last; ++i) {
      const Piece piece(pieces, i);
      piece.pack(x, floats(packed));
      for (int64_t group = 0; group < pieces.groups; ++group) {
        const float* dy = cotangent + piece.first_output() + group * pieces.outputs;
        float* to = sums + group * pieces.outputs * g.taps();
        piece.for_each_run(
            floats(packed), group, [&](const float* from, int64_t taps, int64_t tap) {
              multiply({pieces.outputs, taps * pieces.inputs, piece.end - piece.begin, dy, 1,
                        g.out_channels, from, g.options.stride[1] * pieces.inputs,
                        to + tap * pieces.inputs, g.taps(), i > first});
            });
      }
    }
  });
  sum_parts(floats(memory), parts, g.weight_size(), dweight);
  return true;
}

}  // namespace mica
