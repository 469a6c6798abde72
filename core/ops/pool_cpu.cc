// Pooling over NHWC images, vectorised over channels. The file is compiled once for every SIMD
// target (Highway); the part below HWY_ONCE picks the best at run time.
#include "core/ops/pool_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/pool_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls visit(tag, channel) for blocks of channels: whole vectors, then fours, then ones.
template <class T, class Visit>
HWY_INLINE void for_each_block(int64_t channels, Visit&& visit) {
  const hn::ScalableTag<T> whole;
  const hn::CappedTag<T, 4> four;
  const hn::CappedTag<T, 1> one;
  int64_t c = 0;
  for (const auto n = int64_t(hn::Lanes(whole)); c + n <= channels; c += n) visit(whole, c);
  for (const auto n = int64_t(hn::Lanes(four)); c + n <= channels; c += n) visit(four, c);
  for (; c < channels; ++c) visit(one, c);
}

// Where `value` beats `best`: greater, or the first NaN.
template <class V>
HWY_INLINE auto beats(V value, V best) {
  return hn::And(hn::Not(hn::Le(value, best)), hn::Eq(best, best));
}

// The part of a window that lies inside the image.
struct Window {
  int64_t top, bottom, left, right;

  Window(const PoolGeometry& g, int64_t row, int64_t column) {
    const Pool2dOptions& o = g.options;
    const int64_t y = row * o.stride[0] - o.padding[0], x = column * o.stride[1] - o.padding[1];
    top = std::max<int64_t>(y, 0);
    bottom = std::min(y + o.kernel[0], g.height);
    left = std::max<int64_t>(x, 0);
    right = std::min(x + o.kernel[1], g.width);
  }
};

// Calls visit(first element of the pixel) for the window's pixels in row-major order.
template <class Visit>
HWY_INLINE void for_each_pixel(const PoolGeometry& g, const Window& w, Visit&& visit) {
  for (int64_t y = w.top; y < w.bottom; ++y) {
    for (int64_t x = w.left; x < w.right; ++x) visit((y * g.width + x) * g.channels);
  }
}

// Calls visit(window, offset of its image, offset of its output pixel) for lines [begin, end).
template <class Visit>
HWY_INLINE void for_each_window(const PoolGeometry& g, int64_t begin, int64_t end, Visit&& visit) {
  const int64_t image_size = g.height * g.width * g.channels;
  for (int64_t line = begin; line < end; ++line) {
    for (int64_t column = 0; column < g.out_width; ++column) {
      visit(Window(g, line % g.out_height, column), line / g.out_height * image_size,
            (line * g.out_width + column) * g.channels);
    }
  }
}

// The maximum of a window, and whether there is NaN in it, which then must be looked for. Taken by
// itself it waits for nothing but the maximum before.
template <class D>
struct WindowMaximum {
  hn::Vec<D> best;
  bool has_nan;

  HWY_INLINE WindowMaximum(D d, const PoolGeometry& g, const Window& w, const hn::TFromD<D>* x)
      : best(hn::LoadU(d, x + (w.top * g.width + w.left) * g.channels)) {
    auto nan = hn::IsNaN(best);
    for_each_pixel(g, w, [&](int64_t pixel) HWY_ATTR {
      const auto value = hn::LoadU(d, x + pixel);
      nan = hn::Or(nan, hn::IsNaN(value));
      best = hn::Max(value, best);
    });
    has_nan = !hn::AllFalse(d, nan);
  }
};

// Asks for the pixels that the window below reaches first, while this one is worked on: the lines
// of a tall window lie too far apart to be foreseen by the hardware.
template <class T>
HWY_INLINE void prefetch_below(const PoolGeometry& g, const Window& w, const T* image) {
  const int64_t width = std::min(g.options.stride[1], w.right - w.left) * g.channels;
  const int64_t bottom = std::min(g.height, w.bottom + g.options.stride[0]);
  for (int64_t y = w.bottom; y < bottom; ++y) {
    const T* from = image + (y * g.width + w.left) * g.channels;
    for (int64_t i = 0; i < width; i += 64 / static_cast<int64_t>(sizeof(T))) {
      hwy::Prefetch(from + i);
    }
  }
}

template <class T>
void max_lines(const PoolGeometry& g, const T* x, const T*, T* y, int64_t begin, int64_t end) {
  for_each_window(g, begin, end, [&](const Window& w, int64_t image, int64_t out) HWY_ATTR {
    prefetch_below(g, w, x + image);
    for_each_block<T>(g.channels, [&](auto d, int64_t c) HWY_ATTR {
      const T* from = x + image + c;
      const WindowMaximum<decltype(d)> maximum(d, g, w, from);
      auto best = maximum.best;
      if (maximum.has_nan) {
        best = hn::LoadU(d, from + (w.top * g.width + w.left) * g.channels);
        for_each_pixel(g, w, [&](int64_t pixel) HWY_ATTR {
          const auto value = hn::LoadU(d, from + pixel);
          best = hn::IfThenElse(beats(value, best), value, best);
        });
      }
      hn::StoreU(best, d, y + out + c);
    });
  });
}

template <class T>
void select_lines(const PoolGeometry& g, const T* x, const T* values, T* y, int64_t begin,
                  int64_t end) {
  for_each_window(g, begin, end, [&](const Window& w, int64_t image, int64_t out) HWY_ATTR {
    for_each_block<T>(g.channels, [&](auto d, int64_t c) HWY_ATTR {
      const int64_t first = image + c + (w.top * g.width + w.left) * g.channels;
      auto best = hn::LoadU(d, x + first);
      auto chosen = hn::LoadU(d, values + first);
      for_each_pixel(g, w, [&](int64_t pixel) HWY_ATTR {
        const auto value = hn::LoadU(d, x + image + c + pixel);
        const auto better = beats(value, best);
        best = hn::IfThenElse(better, value, best);
        chosen = hn::IfThenElse(better, hn::LoadU(d, values + image + c + pixel), chosen);
      });
      hn::StoreU(chosen, d, y + out + c);
    });
  });
}

// Lines of the input are the tasks' own where windows overlap: a task meets the windows that reach
// its lines in their order, and leaves out what lies in the lines of others. Calls visit(window,
// offset of its image, offset of its output pixel, first and last line to write) and sets lines to
// zero just before the first window reaches them.
template <class T, class Visit>
HWY_INLINE void for_each_window_on(const PoolGeometry& g, int64_t begin, int64_t end, T* dx,
                                   Visit&& visit) {
  const Pool2dOptions& o = g.options;
  const int64_t line_size = g.width * g.channels;
  while (begin < end) {
    const int64_t image = begin / g.height, top = begin % g.height;
    const int64_t bottom = std::min(g.height, top + end - begin);
    const int64_t first = image * g.height * line_size;
    int64_t zeroed = top;
    const auto zero_to = [&](int64_t line) {
      if (line <= zeroed) return;
      std::fill(dx + first + zeroed * line_size, dx + first + line * line_size, T(0));
      zeroed = line;
    };
    // The first row of windows that ends below `top`.
    const int64_t before = top + o.padding[0] - o.kernel[0] + 1;
    int64_t row = before <= 0 ? 0 : (before + o.stride[0] - 1) / o.stride[0];
    for (; row < g.out_height && row * o.stride[0] - o.padding[0] < bottom; ++row) {
      for (int64_t column = 0; column < g.out_width; ++column) {
        const Window w(g, row, column);
        zero_to(std::min(w.bottom, bottom));
        visit(w, first, ((image * g.out_height + row) * g.out_width + column) * g.channels,
              std::max(w.top, top), std::min(w.bottom, bottom));
      }
    }
    zero_to(bottom);
    begin += bottom - top;
  }
}

// Adds `share` where a window has its first maximum or NaN, if that lies in lines [top, bottom).
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void add_at_maximum(D d, const PoolGeometry& g, const Window& w, const T* x,
                               hn::Vec<D> share, int64_t top, int64_t bottom, T* dx) {
  const WindowMaximum<D> maximum(d, g, w, x);
  const auto nan = hn::MaskFromVec(hn::Zero(d));
  auto found = nan, has_nan = nan;
  if (maximum.has_nan) {
    for_each_pixel(g, w, [&](int64_t pixel) HWY_ATTR {
      has_nan = hn::Or(has_nan, hn::IsNaN(hn::LoadU(d, x + pixel)));
    });
  }
  for (int64_t y = w.top; y < bottom; ++y) {
    for (int64_t column = w.left; column < w.right; ++column) {
      const int64_t pixel = (y * g.width + column) * g.channels;
      const auto value = hn::LoadU(d, x + pixel);
      auto here = hn::Eq(value, maximum.best);
      if (maximum.has_nan) {
        here = hn::Or(hn::And(has_nan, hn::IsNaN(value)), hn::AndNot(has_nan, here));
      }
      const auto first = hn::AndNot(found, here);
      found = hn::Or(found, here);
      if (y < top) continue;
      hn::StoreU(hn::Add(hn::LoadU(d, dx + pixel), hn::IfThenElseZero(first, share)), d,
                 dx + pixel);
    }
  }
}

template <class T>
void gradient_lines(const PoolGeometry& g, const T* x, const T* cotangent, T* dx, int64_t begin,
                    int64_t end) {
  for_each_window_on(
      g, begin, end, dx,
      [&](const Window& w, int64_t image, int64_t out, int64_t top, int64_t bottom) HWY_ATTR {
        for_each_block<T>(g.channels, [&](auto d, int64_t c) HWY_ATTR {
          add_at_maximum(d, g, w, x + image + c, hn::LoadU(d, cotangent + out + c), top, bottom,
                         dx + image + c);
        });
      });
}

// bfloat16 is the upper half of a float32. Where values are only chosen among, going there and back
// changes none of them.
template <class T>
using Computed = std::conditional_t<std::is_same_v<T, uint16_t>, float, T>;

template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load(D d, const T* from) {
  return hn::LoadU(d, from);
}
template <class D>
HWY_INLINE hn::Vec<D> load(D d, const uint16_t* from) {
  const hn::Rebind<uint16_t, D> half;
  const hn::Rebind<uint32_t, D> whole;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(whole, hn::LoadU(half, from))));
}
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store(hn::Vec<D> value, D d, T* to) {
  hn::StoreU(value, d, to);
}
template <class D>
HWY_INLINE void store(hn::Vec<D> value, D, uint16_t* to) {
  const hn::Rebind<uint16_t, D> half;
  const hn::Rebind<uint32_t, D> whole;
  const hn::Rebind<int32_t, D> narrowed;
  const auto bits = hn::ShiftRight<16>(hn::BitCast(whole, value));
  hn::StoreU(hn::DemoteTo(half, hn::BitCast(narrowed, bits)), half, to);
}

template <class T>
void max_halving_lines(const PoolGeometry& g, const T* x, const T*, T* y, int64_t begin,
                       int64_t end) {
  const int64_t channels = g.channels, below = g.width * channels;
  for_each_window(g, begin, end, [&](const Window& w, int64_t image, int64_t out) HWY_ATTR {
    const T* from = x + image + (w.top * g.width + w.left) * channels;
    for_each_block<Computed<T>>(channels, [&](auto d, int64_t c) HWY_ATTR {
      auto best = load(d, from + c);
      for (const int64_t pixel : {channels, below, below + channels}) {
        const auto value = load(d, from + pixel + c);
        best = hn::IfThenElse(beats(value, best), value, best);
      }
      store(best, d, y + out + c);
    });
  });
}

// Rows and columns of an odd image that no window reaches.
template <class T>
void zero_rest(const PoolGeometry& g, int64_t line, T* image) {
  const int64_t row = line % g.out_height * 2;
  if (g.width % 2 != 0) {
    for (int64_t y = row; y < row + 2; ++y) {
      std::fill_n(image + (y * g.width + g.width - 1) * g.channels, g.channels, T(0));
    }
  }
  if (row + 3 == g.height)
    std::fill_n(image + (row + 2) * g.width * g.channels, g.width * g.channels, T(0));
}

template <class T>
void gradient_halving_lines(const PoolGeometry& g, const T* x, const T* cotangent, T* dx,
                            int64_t begin, int64_t end) {
  const int64_t channels = g.channels, below = g.width * channels;
  for_each_window(g, begin, end, [&](const Window& w, int64_t image, int64_t out) HWY_ATTR {
    const int64_t first = image + (w.top * g.width + w.left) * channels;
    for_each_block<Computed<T>>(channels, [&](auto d, int64_t c) HWY_ATTR {
      const T* from = x + first + c;
      T* to = dx + first + c;
      const auto x0 = load(d, from), x1 = load(d, from + channels);
      const auto x2 = load(d, from + below), x3 = load(d, from + below + channels);
      const auto take1 = beats(x1, x0);
      const auto best1 = hn::IfThenElse(take1, x1, x0);
      const auto take2 = beats(x2, best1);
      const auto best2 = hn::IfThenElse(take2, x2, best1);
      const auto take3 = beats(x3, best2);
      const auto share = load(d, cotangent + out + c);
      const auto upper = hn::IfThenZeroElse(hn::Or(take2, take3), share);
      store(hn::IfThenZeroElse(take1, upper), d, to);
      store(hn::IfThenElseZero(take1, upper), d, to + channels);
      store(hn::IfThenZeroElse(take3, hn::IfThenElseZero(take2, share)), d, to + below);
      store(hn::IfThenElseZero(take3, share), d, to + below + channels);
    });
  });
  const int64_t image_size = g.height * g.width * channels;
  for (int64_t line = begin; line < end; ++line) {
    zero_rest(g, line, dx + line / g.out_height * image_size);
  }
}

template <class T>
T one_over_area(const PoolGeometry& g) {
  return T(1) / T(g.options.kernel[0] * g.options.kernel[1]);
}

template <class T>
void avg_lines(const PoolGeometry& g, const T* x, const T*, T* y, int64_t begin, int64_t end) {
  for_each_window(g, begin, end, [&](const Window& w, int64_t image, int64_t out) HWY_ATTR {
    for_each_block<T>(g.channels, [&](auto d, int64_t c) HWY_ATTR {
      auto sum = hn::Zero(d);
      for_each_pixel(g, w, [&](int64_t pixel) HWY_ATTR {
        sum = hn::Add(sum, hn::LoadU(d, x + image + pixel + c));
      });
      hn::StoreU(hn::Mul(sum, hn::Set(d, one_over_area<T>(g))), d, y + out + c);
    });
  });
}

template <class T>
void avg_gradient_lines(const PoolGeometry& g, const T*, const T* cotangent, T* dx, int64_t begin,
                        int64_t end) {
  for_each_window_on(
      g, begin, end, dx,
      [&](const Window& w, int64_t image, int64_t out, int64_t top, int64_t bottom) HWY_ATTR {
        for_each_block<T>(g.channels, [&](auto d, int64_t c) HWY_ATTR {
          const auto share =
              hn::Mul(hn::LoadU(d, cotangent + out + c), hn::Set(d, one_over_area<T>(g)));
          for (int64_t y = top; y < bottom; ++y) {
            for (int64_t column = w.left; column < w.right; ++column) {
              T* to = dx + image + (y * g.width + column) * g.channels + c;
              hn::StoreU(hn::Add(hn::LoadU(d, to), share), d, to);
            }
          }
        });
      });
}

template <class T>
PoolFunctions<T> functions() {
  return {max_lines<T>,         max_halving_lines<T>,      select_lines<T>,
          gradient_lines<T>,    gradient_halving_lines<T>, avg_lines<T>,
          avg_gradient_lines<T>};
}
PoolFunctions<float> float_functions() { return functions<float>(); }
PoolFunctions<double> double_functions() { return functions<double>(); }
HalvingFunctions bfloat16_functions() {
  return {max_halving_lines<uint16_t>, gradient_halving_lines<uint16_t>};
}

}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "core/cpu/floating.h"
#include "core/cpu/install.h"

namespace mica {
namespace {

HWY_EXPORT(float_functions);
HWY_EXPORT(double_functions);
HWY_EXPORT(bfloat16_functions);

template <class T>
const PoolFunctions<T>& pool_functions() {
  static const PoolFunctions<T> best = [] {
    if constexpr (std::is_same_v<T, float>) {
      return HWY_DYNAMIC_DISPATCH(float_functions)();
    } else {
      return HWY_DYNAMIC_DISPATCH(double_functions)();
    }
  }();
  return best;
}

// Runs one of the functions over `count` lines of `size` elements each.
template <class T>
void run(PoolFunction<T> function, const PoolGeometry& g, const T* x, const T* other, T* out,
         int64_t count, int64_t size) {
  constexpr int64_t kTaskElements = 65536;
  parallel_for(count, std::max<int64_t>(1, kTaskElements / std::max<int64_t>(size, 1)),
               [&](int64_t begin, int64_t end) { function(g, x, other, out, begin, end); });
}

int64_t lines(const PoolGeometry& g) { return g.batch * g.out_height; }
// Input elements under a line of windows.
int64_t line_size(const PoolGeometry& g) { return g.options.kernel[0] * g.width * g.channels; }

void run_max(const MaxPool2d& op, Inputs in, Outputs out) {
  const PoolGeometry g = PoolGeometry::of(in[0].shape, op.options);
  if (out[0].dtype == bfloat16 && g.is_halving()) {
    return run<uint16_t>(HWY_DYNAMIC_DISPATCH(bfloat16_functions)().max, g, in[0].as<uint16_t>(),
                         nullptr, out[0].as<uint16_t>(), lines(g), line_size(g));
  }
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* y) {
    const PoolFunctions<T>& f = pool_functions<T>();
    run<T>(g.is_halving() ? f.max_halving : f.max, g, from[0], nullptr, y, lines(g), line_size(g));
  });
}

void run_max_gradient(const MaxPool2dGradient& op, Inputs in, Outputs out) {
  const PoolGeometry g = PoolGeometry::of(in[0].shape, op.options);
  if (out[0].dtype == bfloat16 && g.is_halving()) {
    return run<uint16_t>(HWY_DYNAMIC_DISPATCH(bfloat16_functions)().gradient, g,
                         in[0].as<uint16_t>(), in[1].as<uint16_t>(), out[0].as<uint16_t>(),
                         lines(g), line_size(g));
  }
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* dx) {
    const PoolFunctions<T>& f = pool_functions<T>();
    if (g.is_halving()) {
      run<T>(f.gradient_halving, g, from[0], from[1], dx, lines(g), line_size(g));
    } else {
      run<T>(f.gradient, g, from[0], from[1], dx, g.batch * g.height, g.width * g.channels);
    }
  });
}

void run_max_select(const MaxPool2dSelect& op, Inputs in, Outputs out) {
  const PoolGeometry g = PoolGeometry::of(in[0].shape, op.options);
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* y) {
    run<T>(pool_functions<T>().select, g, from[0], from[1], y, lines(g), line_size(g));
  });
}

void run_avg(const AvgPool2d& op, Inputs in, Outputs out) {
  const PoolGeometry g = PoolGeometry::of(in[0].shape, op.options);
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* y) {
    run<T>(pool_functions<T>().avg, g, from[0], nullptr, y, lines(g), line_size(g));
  });
}

void run_avg_gradient(const AvgPool2dGradient& op, Inputs in, Outputs out) {
  const PoolGeometry g = PoolGeometry::of(op.input_shape, op.options);
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* dx) {
    run<T>(pool_functions<T>().avg_gradient, g, nullptr, from[0], dx, g.batch * g.height,
           g.width * g.channels);
  });
}

}  // namespace

void install_pool(KernelTable& table) {
  table.add<MaxPool2d>(run_max, InputLayout::kContiguous);
  table.add<MaxPool2dGradient>(run_max_gradient, InputLayout::kContiguous);
  table.add<MaxPool2dSelect>(run_max_select, InputLayout::kContiguous);
  table.add<AvgPool2d>(run_avg, InputLayout::kContiguous);
  table.add<AvgPool2dGradient>(run_avg_gradient, InputLayout::kContiguous);
}

}  // namespace mica

#endif  // HWY_ONCE
