// Convolution as matrix products over patches: a row of the patch matrix holds what one output
// pixel sees. Only a cache-sized piece of that matrix exists at a time.
#include <algorithm>
#include <cstring>

#include "core/cpu/gemm.h"
#include "core/ops/conv_kernels.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

// Output pixels whose patches fill about half of an L2 cache.
int64_t pixels_per_piece(const ConvGeometry& g) {
  return std::clamp<int64_t>(65536 / g.taps(), 16, 4096);
}

// Calls visit(patch offset, image offset or -1 in the padding) for every tap of an output pixel;
// both count runs of channels of one group.
template <class Visit>
void for_each_tap(const ConvGeometry& g, int64_t pixel, Visit&& visit) {
  const Conv2dOptions& o = g.options;
  const int64_t column = pixel % g.out_width, line = pixel / g.out_width;
  const int64_t row = line % g.out_height, image = line / g.out_height;
  int64_t tap = 0;
  for (int64_t i = 0; i < g.kernel_height; ++i) {
    const int64_t y = row * o.stride[0] - o.padding[0] + i * o.dilation[0];
    for (int64_t j = 0; j < g.kernel_width; ++j, ++tap) {
      const int64_t x = column * o.stride[1] - o.padding[1] + j * o.dilation[1];
      const bool inside = y >= 0 && y < g.height && x >= 0 && x < g.width;
      visit(tap, inside ? (image * g.height + y) * g.width + x : -1);
    }
  }
}

// The patches of pixels [begin, end) of one group, one a row.
template <class T>
void gather_patches(const ConvGeometry& g, const T* x, int64_t group, int64_t begin, int64_t end,
                    T* patches) {
  const int64_t run = g.channels / g.options.groups;
  for (int64_t pixel = begin; pixel < end; ++pixel, patches += g.taps()) {
    for_each_tap(g, pixel, [&](int64_t tap, int64_t place) {
      T* to = patches + tap * run;
      if (place < 0) {
        std::fill_n(to, run, T(0));
      } else {
        std::copy_n(x + place * g.channels + group * run, run, to);
      }
    });
  }
}

// The transpose of gather_patches.
template <class T>
void scatter_patches(const ConvGeometry& g, const T* patches, int64_t group, int64_t begin,
                     int64_t end, T* dx) {
  const int64_t run = g.channels / g.options.groups;
  for (int64_t pixel = begin; pixel < end; ++pixel, patches += g.taps()) {
    for_each_tap(g, pixel, [&](int64_t tap, int64_t place) {
      if (place < 0) return;
      const T* from = patches + tap * run;
      T* to = dx + place * g.channels + group * run;
      for (int64_t c = 0; c < run; ++c) to[c] += from[c];
    });
  }
}

template <class T>
T* allocate(Buffer& memory, int64_t count) {
  memory = Buffer::allocate(static_cast<size_t>(count) * sizeof(T));
  return reinterpret_cast<T*>(memory.data());
}

}  // namespace

template <class T>
void conv_im2col(const ConvGeometry& g, const T* x, const T* weight, T* y) {
  const int64_t outputs = g.out_channels / g.options.groups;
  const int64_t piece = pixels_per_piece(g);
  parallel_for(g.batch * g.out_height * g.out_width, piece, [&](int64_t begin, int64_t end) {
    Buffer memory;
    T* patches = allocate<T>(memory, (end - begin) * g.taps());
    for (int64_t group = 0; group < g.options.groups; ++group) {
      gather_patches(g, x, group, begin, end, patches);
      gemm_serial<T>(end - begin, outputs, g.taps(), {patches, g.taps()},
                     {weight + group * outputs * g.taps(), g.taps(), true},
                     y + begin * g.out_channels + group * outputs, g.out_channels);
    }
  });
}

template <class T>
void conv_input_im2col(const ConvGeometry& g, const T* cotangent, const T* weight, T* dx) {
  const int64_t outputs = g.out_channels / g.options.groups;
  const int64_t pixels = g.out_height * g.out_width;
  const int64_t piece = std::min(pixels, pixels_per_piece(g));
  const int64_t image_size = g.height * g.width * g.channels;
  // Patches of one image overlap, so an image belongs to one task.
  parallel_for(g.batch, 1, [&](int64_t first, int64_t last) {
    Buffer memory;
    T* patches = allocate<T>(memory, piece * g.taps());
    std::fill(dx + first * image_size, dx + last * image_size, T(0));
    for (int64_t begin = first * pixels; begin < last * pixels; begin += piece) {
      const int64_t end = std::min(begin + piece, last * pixels);
      for (int64_t group = 0; group < g.options.groups; ++group) {
        gemm_serial<T>(end - begin, g.taps(), outputs,
                       {cotangent + begin * g.out_channels + group * outputs, g.out_channels},
                       {weight + group * outputs * g.taps(), g.taps()}, patches, g.taps());
        scatter_patches(g, patches, group, begin, end, dx);
      }
    }
  });
}

template <class T>
void conv_weight_im2col(const ConvGeometry& g, const T* x, const T* cotangent, T* dweight) {
  const int64_t outputs = g.out_channels / g.options.groups;
  const int64_t pixels = g.batch * g.out_height * g.out_width;
  const int64_t piece = pixels_per_piece(g);
  // Every part sums its pieces into a gradient of its own; those are added in order at the end.
  constexpr int64_t kMostParts = 16;
  const int64_t pieces = (pixels + piece - 1) / piece;
  const int64_t parts = std::clamp<int64_t>(pieces, 1, kMostParts);
  const int64_t size = g.weight_size();
  Buffer memory;
  T* partial = allocate<T>(memory, parts * size);
  std::fill_n(partial, parts * size, T(0));
  parallel_for(parts, 1, [&](int64_t part, int64_t) {
    Buffer patch_memory;
    T* patches = allocate<T>(patch_memory, piece * g.taps());
    for (int64_t p = part * pieces / parts; p < (part + 1) * pieces / parts; ++p) {
      const int64_t begin = p * piece, end = std::min(pixels, begin + piece);
      for (int64_t group = 0; group < g.options.groups; ++group) {
        gather_patches(g, x, group, begin, end, patches);
        gemm_serial<T>(outputs, g.taps(), end - begin,
                       {cotangent + begin * g.out_channels + group * outputs, g.out_channels, true},
                       {patches, g.taps()}, partial + part * size + group * outputs * g.taps(),
                       g.taps(), true);
      }
    }
  });
  sum_parts(partial, parts, size, dweight);
}

#define MICA_CONV(T)                                                            \
  template void conv_im2col(const ConvGeometry&, const T*, const T*, T*);       \
  template void conv_input_im2col(const ConvGeometry&, const T*, const T*, T*); \
  template void conv_weight_im2col(const ConvGeometry&, const T*, const T*, T*);
MICA_CONV(float)
MICA_CONV(double)
#undef MICA_CONV

}  // namespace mica
