// Fourier transforms along one axis: lines are gathered side by side, transformed together and put
// back. How many go together depends on the shape alone.
#include <algorithm>
#include <functional>
#include <utility>

#include "core/cpu/install.h"
#include "core/ops/axis.h"
#include "core/ops/fft.h"
#include "core/ops/fft_tables.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/fft_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {

#include "core/ops/fft_steps.inc"

// The four arrays are real and imaginary parts of the lines and of the scratch memory. True where
// the results are in the scratch memory.
template <class T>
bool transform(const FftTables<T>& tables, int64_t lanes, T* re, T* im, T* other_re, T* other_im) {
  return fft_lines<T>(tables, lanes, {re, im}, {other_re, other_im}).re != re;
}
bool transform_floats(const FftTables<float>& tables, int64_t lanes, float* re, float* im,
                      float* other_re, float* other_im) {
  return transform(tables, lanes, re, im, other_re, other_im);
}
bool transform_doubles(const FftTables<double>& tables, int64_t lanes, double* re, double* im,
                       double* other_re, double* other_im) {
  return transform(tables, lanes, re, im, other_re, other_im);
}

}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

HWY_EXPORT(transform_floats);
HWY_EXPORT(transform_doubles);

// Lines of one length in scratch memory: element i of line l is at [i * lanes + l].
template <class T>
class Workspace {
 public:
  Workspace(const FftTables<T>& tables, int64_t lanes) : tables_(tables) {
    // Parts a power of 2 apart would compete for the same places of the first-level cache.
    const int64_t part = tables.work_length() * lanes + 5 * 64 / static_cast<int64_t>(sizeof(T));
    memory_ = Buffer::allocate(static_cast<size_t>(4 * part) * sizeof(T));
    re = reinterpret_cast<T*>(memory_.data());
    im = re + part;
    other_re_ = im + part;
    other_im_ = other_re_ + part;
  }

  T* re;
  T* im;

  /// With exp(+...) where `inverse`: real and imaginary parts are swapped before and after.
  void run(int64_t lanes, bool inverse) {
    const bool moved = inverse ? forward(lanes, im, re, other_im_, other_re_)
                               : forward(lanes, re, im, other_re_, other_im_);
    if (moved) std::swap(re, other_re_), std::swap(im, other_im_);
  }

 private:
  bool forward(int64_t lanes, T* x_re, T* x_im, T* y_re, T* y_im) {
    if constexpr (std::is_same_v<T, float>)
      return HWY_DYNAMIC_DISPATCH(transform_floats)(tables_, lanes, x_re, x_im, y_re, y_im);
    else
      return HWY_DYNAMIC_DISPATCH(transform_doubles)(tables_, lanes, x_re, x_im, y_re, y_im);
  }

  const FftTables<T>& tables_;
  Buffer memory_;
  T* other_re_;
  T* other_im_;
};

template <class T>
std::shared_ptr<const FftTables<T>> tables_for(int64_t length) {
  auto tables = std::make_shared<FftTables<T>>(length);
  if (!tables->padded) return tables;
  // The filter: conj(chirp[|j|]) at j from -(n - 1) to n - 1, transformed once.
  const int64_t n = length, rows = tables->padded->length;
  Workspace<T> work(*tables->padded, 1);
  std::fill_n(work.re, rows, T(0));
  std::fill_n(work.im, rows, T(0));
  for (int64_t j = 0; j < n; ++j) {
    for (const int64_t at : {j, (rows - j) % rows}) {
      work.re[at] = tables->chirp.re[static_cast<size_t>(j)];
      work.im[at] = -tables->chirp.im[static_cast<size_t>(j)];
    }
  }
  work.run(1, false);
  for (int64_t k = 0; k < rows; ++k) {
    tables->filter.re.push_back(work.re[k] / static_cast<T>(rows));
    tables->filter.im.push_back(work.im[k] / static_cast<T>(rows));
  }
  return tables;
}

// The lines of an array along one axis.
struct Axis {
  AxisSplit split;
  int64_t lines() const { return split.outer * split.inner; }
  int64_t start(int64_t line) const {
    return line / split.inner * split.length * split.inner + line % split.inner;
  }
};

constexpr int64_t kMostLanes = 16;

// Calls visit(start of the line, i, l) for all elements i < count of `lanes` lines, few elements of
// each line at a time: all of a cache line's are read while it is there, and written close by.
template <class Visit>
void for_each_element(const Axis& axis, int64_t first, int64_t lanes, int64_t count, Visit visit) {
  constexpr int64_t kTile = 8;
  int64_t starts[kMostLanes];
  for (int64_t l = 0; l < lanes; ++l) starts[l] = axis.start(first + l);
  for (int64_t tile = 0; tile < count; tile += kTile) {
    const int64_t end = std::min(tile + kTile, count);
    for (int64_t l = 0; l < lanes; ++l) {
      for (int64_t i = tile; i < end; ++i) visit(starts[l], i, l);
    }
  }
}

// Calls each(workspace, first line, lanes) for groups of lines. A group fits the second-level
// cache, as far as a line does.
template <class T, class Each>
void for_each_group(const FftTables<T>& tables, int64_t lines, Each each) {
  constexpr int64_t kCacheBytes = 512 * 1024;
  const int64_t line_bytes = 4 * tables.work_length() * static_cast<int64_t>(sizeof(T));
  const int64_t lanes = std::clamp<int64_t>(kCacheBytes / line_bytes, 1, kMostLanes);
  const int64_t groups = (lines + lanes - 1) / lanes;
  const int64_t grain = std::max<int64_t>(1, 16384 / (tables.work_length() * lanes));
  parallel_for(groups, grain, [&](int64_t begin, int64_t end) {
    Workspace<T> work(tables, lanes);
    for (int64_t group = begin; group < end; ++group) {
      each(work, group * lanes, std::min(lanes, lines - group * lanes));
    }
  });
}

using Run = std::function<void(Inputs in, Outputs out)>;

template <class T>
Run complex_lines(const Fft& op, const Operand& like) {
  const Axis axis = {split_at(like.shape, op.axis)};
  const auto tables = tables_for<T>(axis.split.length);
  const auto scale = static_cast<T>(op.scale);
  return [=, inverse = op.inverse](Inputs in, Outputs out) {
    const T* x = in[0].as<T>();
    T* y = out[0].as<T>();
    const int64_t n = axis.split.length, step = axis.split.inner;
    for_each_group(*tables, axis.lines(), [&](Workspace<T>& work, int64_t first, int64_t lanes) {
      for_each_element(axis, first, lanes, n, [&](int64_t start, int64_t i, int64_t l) {
        const T* from = x + 2 * (start + i * step);
        work.re[i * lanes + l] = from[0];
        work.im[i * lanes + l] = from[1];
      });
      work.run(lanes, inverse);
      for_each_element(axis, first, lanes, n, [&](int64_t start, int64_t i, int64_t l) {
        T* to = y + 2 * (start + i * step);
        to[0] = work.re[i * lanes + l] * scale;
        to[1] = work.im[i * lanes + l] * scale;
      });
    });
  };
}

// Real lines of even length h * 2 are transformed as h complex numbers, x[2 j] + i x[2 j + 1].
// With E and O the transforms of the even and the odd elements, X[k] = E[k] + w^k O[k].
template <class T>
Run real_lines(const RealFft& op, const Operand& like, const Operand& result) {
  const Axis axis = {split_at(like.shape, op.axis)}, out_axis = {split_at(result.shape, op.axis)};
  const int64_t n = axis.split.length, count = out_axis.split.length;
  const bool halved = n % 2 == 0;
  const auto tables = tables_for<T>(halved ? n / 2 : n);
  Parts<T> roots;
  for (int64_t k = 0; halved && k < count; ++k) roots.add_root(k, n);
  const auto scale = static_cast<T>(op.scale), turn = op.inverse ? -scale : scale;
  return [=](Inputs in, Outputs out) {
    const T* x = in[0].as<T>();
    T* y = out[0].as<T>();
    const int64_t step = axis.split.inner, h = n / 2;
    for_each_group(*tables, axis.lines(), [&](Workspace<T>& work, int64_t first, int64_t lanes) {
      const auto put = [&](int64_t start, int64_t i, int64_t l) {
        const T* from = x + start + (halved ? 2 * i : i) * step;
        work.re[i * lanes + l] = from[0];
        work.im[i * lanes + l] = halved ? from[step] : T(0);
      };
      for_each_element(axis, first, lanes, halved ? h : n, put);
      work.run(lanes, false);
      const auto take = [&](int64_t start, int64_t k, int64_t l) {
        const int64_t place = (halved && k == h ? 0 : k) * lanes + l;
        T re = work.re[place], im = work.im[place];
        if (halved) {
          const int64_t mirror = (k == 0 || k == h ? 0 : h - k) * lanes + l;
          const T c = work.re[mirror], d = work.im[mirror];
          const T odd_re = (im + d) / 2, odd_im = (c - re) / 2;
          const auto at = static_cast<size_t>(k);
          re = (re + c) / 2 + roots.re[at] * odd_re - roots.im[at] * odd_im;
          im = (im - d) / 2 + roots.re[at] * odd_im + roots.im[at] * odd_re;
        }
        T* to = y + 2 * (start + k * step);
        to[0] = re * scale;
        to[1] = im * turn;
      };
      for_each_element(out_axis, first, lanes, count, take);
    });
  };
}

// The way back: E[k] + i O[k], from X[k] and the conjugate of X[h - k], are transformed as h
// complex numbers. Factors of 2 make up for those of a sum over n that is taken over h.
template <class T>
Run hermitian_lines(const HermitianFft& op, const Operand& like, const Operand& result) {
  const Axis axis = {split_at(like.shape, op.axis)}, out_axis = {split_at(result.shape, op.axis)};
  const int64_t n = op.n, count = axis.split.length;
  const bool halved = n % 2 == 0;
  const auto tables = tables_for<T>(halved ? n / 2 : n);
  Parts<T> roots;
  for (int64_t k = 0; halved && k < count; ++k) roots.add_root(k, n);
  const auto scale = static_cast<T>(op.scale);
  const T turn = op.inverse ? 1 : -1;
  return [=](Inputs in, Outputs out) {
    const T* x = in[0].as<T>();
    T* y = out[0].as<T>();
    const int64_t step = axis.split.inner, h = n / 2;
    for_each_group(*tables, axis.lines(), [&](Workspace<T>& work, int64_t first, int64_t lanes) {
      const auto put = [&](int64_t start, int64_t k, int64_t l) {
        const T* from = x + 2 * start;
        const auto re = [&](int64_t j) { return from[2 * j * step]; };
        const auto im = [&](int64_t j) {
          return j == 0 || 2 * j == n ? T(0) : turn * from[2 * j * step + 1];
        };
        if (!halved) {
          work.re[k * lanes + l] = k < count ? re(k) : re(n - k);
          work.im[k * lanes + l] = k < count ? im(k) : -im(n - k);
          return;
        }
        const T odd_re = re(k) - re(h - k), odd_im = im(k) + im(h - k);
        const T w_re = roots.re[static_cast<size_t>(k)], w_im = -roots.im[static_cast<size_t>(k)];
        work.re[k * lanes + l] = re(k) + re(h - k) - (w_re * odd_im + w_im * odd_re);
        work.im[k * lanes + l] = im(k) - im(h - k) + (w_re * odd_re - w_im * odd_im);
      };
      for_each_element(axis, first, lanes, halved ? h : n, put);
      work.run(lanes, true);
      const auto take = [&](int64_t start, int64_t i, int64_t l) {
        const T* part = !halved || i % 2 == 0 ? work.re : work.im;
        y[start + i * step] = part[(halved ? i / 2 : i) * lanes + l] * scale;
      };
      for_each_element(out_axis, first, lanes, n, take);
    });
  };
}

class PreparedFft final : public PreparedKernel {
 public:
  PreparedFft(const Fft& op, Inputs in, Outputs) {
    if (in[0].size() == 0) return;
    run_ = in[0].dtype == complex128 ? complex_lines<double>(op, in[0])
                                     : complex_lines<float>(op, in[0]);
  }
  PreparedFft(const RealFft& op, Inputs in, Outputs out) {
    if (in[0].size() == 0) return;
    run_ = in[0].dtype == float64 ? real_lines<double>(op, in[0], out[0])
                                  : real_lines<float>(op, in[0], out[0]);
  }
  PreparedFft(const HermitianFft& op, Inputs in, Outputs out) {
    if (in[0].size() == 0) return;
    run_ = in[0].dtype == complex128 ? hermitian_lines<double>(op, in[0], out[0])
                                     : hermitian_lines<float>(op, in[0], out[0]);
  }
  void run(Inputs in, Outputs out) const override {
    if (run_) run_(in, out);
  }

 private:
  Run run_;
};

}  // namespace

void install_fft(KernelTable& table) {
  table.add_prepared<Fft, PreparedFft>(InputLayout::kContiguous);
  table.add_prepared<RealFft, PreparedFft>(InputLayout::kContiguous);
  table.add_prepared<HermitianFft, PreparedFft>(InputLayout::kContiguous);
}

}  // namespace mica
#endif  // HWY_ONCE
