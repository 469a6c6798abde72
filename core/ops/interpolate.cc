#include "core/ops/interpolate.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica {
namespace {

// How one axis becomes another: which elements each new one is made of, and by which weights.
struct Resize {
  int64_t from;
  int64_t to;
  double step;  // in old elements, from one new element to the next
};

double cubic_weight(double distance) {
  constexpr double a = -0.75;
  const double t = std::abs(distance);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? a * (((t - 5) * t + 8) * t - 4) : 0;
}

// One number for each place of `axis`, to multiply with.
Array along_axis(const std::vector<double>& weights, const Array& x, int axis) {
  Shape shape(x.shape().size(), 1);
  shape[static_cast<size_t>(axis)] = static_cast<int64_t>(weights.size());
  return astype(Array::from(weights, shape), x.dtype());
}

Array nearest(const Array& x, int axis, const Resize& r) {
  if (r.to % r.from == 0 && r.step * static_cast<double>(r.to) == static_cast<double>(r.from)) {
    return repeat(x, r.to / r.from, axis);
  }
  std::vector<int32_t> places;
  for (int64_t i = 0; i < r.to; ++i) {
    const auto place = static_cast<int64_t>(std::floor(static_cast<double>(i) * r.step));
    places.push_back(static_cast<int32_t>(std::min(place, r.from - 1)));
  }
  return take(x, Array::from(places, {r.to}), axis);
}

// The sum over `taps` neighbours of where each new element lies.
Array weighted(const Array& x, int axis, const Resize& r, const InterpolateOptions& options) {
  const bool cubic = options.mode == Interpolation::kCubic;
  const int first = cubic ? -1 : 0, last = cubic ? 2 : 1;
  Array total;
  for (int tap = first; tap <= last; ++tap) {
    std::vector<int32_t> places;
    std::vector<double> weights;
    for (int64_t i = 0; i < r.to; ++i) {
      const auto number = static_cast<double>(i);
      double at = options.align_corners ? number * r.step : (number + 0.5) * r.step - 0.5;
      if (!cubic) at = std::max(at, 0.0);
      const double below = std::floor(at), fraction = at - below;
      const int64_t place = static_cast<int64_t>(below) + tap;
      places.push_back(static_cast<int32_t>(std::clamp<int64_t>(place, 0, r.from - 1)));
      weights.push_back(cubic ? cubic_weight(fraction - tap) : tap == 0 ? 1 - fraction : fraction);
    }
    const Array taken = take(x, Array::from(places, {r.to}), axis);
    const Array part = taken * along_axis(weights, taken, axis);
    total = total.defined() ? total + part : part;
  }
  return total;
}

int spatial_axes(const Array& x, const char* op) {
  const int count = x.rank() - 2;
  if (count < 1 || count > 3) {
    fail("[{}] got shape {}; wanted (N, L, C), (N, H, W, C) or (N, D, H, W, C)", op,
         to_string(x.shape()));
  }
  for (int axis = 1; axis <= count; ++axis) {
    if (x.dim(axis) == 0) fail("[{}] axis {} of {} is empty", op, axis, to_string(x.shape()));
  }
  return count;
}

std::vector<Resize> resizes_of(const Array& x, const InterpolateOptions& options) {
  const auto count = static_cast<size_t>(spatial_axes(x, "interpolate"));
  const size_t sizes = options.size.size(), scales = options.scale.size();
  if ((sizes == 0) == (scales == 0) || (sizes != 0 && sizes != count) ||
      (scales > 1 && scales != count)) {
    fail("[interpolate] got {} sizes and {} scales; wanted {} of one of them", sizes, scales,
         count);
  }
  std::vector<Resize> all;
  for (size_t i = 0; i < count; ++i) {
    const int64_t from = x.shape()[i + 1];
    const double scale = sizes != 0 ? 0 : options.scale[scales == 1 ? 0 : i];
    if (sizes == 0 && !(scale > 0 && scale * static_cast<double>(from) < 0x1p53)) {
      fail("[interpolate] scale {} is {}; wanted a positive number", i, scale);
    }
    const int64_t to = sizes != 0
                           ? options.size[i]
                           : static_cast<int64_t>(std::floor(static_cast<double>(from) * scale));
    if (to < 1) {
      fail("[interpolate] axis {} of {} would have length {}; wanted 1 or more", i + 1,
           to_string(x.shape()), to);
    }
    double step = sizes != 0 ? static_cast<double>(from) / static_cast<double>(to) : 1 / scale;
    if (options.align_corners) {
      step = to > 1 ? static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0;
    }
    all.push_back({from, to, step});
  }
  return all;
}

// (..., n, ...) -> (..., size, ...) by each window of the axis.
Array pool_axis(const Array& x, int axis, int64_t size, bool largest) {
  const int64_t n = x.dim(axis);
  const auto pooled = [&](const Array& windows) {
    return largest ? max(windows, {axis + 1}) : mean(windows, {axis + 1});
  };
  if (n % size == 0) return pooled(unflatten(x, axis, {size, n / size}));
  int64_t longest = 0;
  const auto window = [&](int64_t i) {
    return std::pair(i * n / size, ((i + 1) * n + size - 1) / size);
  };
  for (int64_t i = 0; i < size; ++i) {
    longest = std::max(longest, window(i).second - window(i).first);
  }
  // Windows as long as the longest: what is beyond the end of a shorter one does not count.
  std::vector<int32_t> places;
  std::vector<double> weights;
  for (int64_t i = 0; i < size; ++i) {
    const auto [begin, end] = window(i);
    for (int64_t k = begin; k < begin + longest; ++k) {
      places.push_back(static_cast<int32_t>(std::min(k, end - 1)));
      weights.push_back(k < end ? 1 / static_cast<double>(end - begin) : 0);
    }
  }
  const Array windows = take(x, Array::from(places, {size, longest}), axis);
  Shape shape(windows.shape().size(), 1);
  shape[static_cast<size_t>(axis)] = size;
  shape[static_cast<size_t>(axis) + 1] = longest;
  const Array counted = Array::from(weights, shape);
  if (largest) return max(where(counted > 0, windows, -INFINITY), {axis + 1});
  return sum(where(counted > 0, windows * astype(counted, x.dtype()), 0), {axis + 1});
}

Array adaptive_pool(const Array& x, std::span<const int64_t> size, bool largest, const char* op) {
  const auto count = static_cast<size_t>(spatial_axes(x, op));
  if (count != size.size()) {
    fail("[{}] got shape {}; wanted {} spatial axes", op, to_string(x.shape()), size.size());
  }
  if (!is_floating(x.dtype())) fail("[{}] got {}; wanted a floating type", op, x.dtype());
  Array y = x;
  for (size_t i = 0; i < count; ++i) {
    if (size[i] == -1) continue;
    if (size[i] < 1) fail("[{}] size is {}; wanted 1 or more, or -1", op, size[i]);
    y = pool_axis(y, static_cast<int>(i) + 1, size[i], largest);
  }
  return y;
}

}  // namespace

Array interpolate(const Array& x, const InterpolateOptions& options) {
  const std::vector<Resize> resizes = resizes_of(x, options);
  const bool exact = options.mode == Interpolation::kNearest;
  if (!exact && !is_floating(x.dtype())) {
    fail("[interpolate] got {}; wanted a floating type", x.dtype());
  }
  if (exact && options.align_corners) {
    fail("[interpolate] align_corners has no meaning for nearest neighbours");
  }
  // Sums of halves are taken in float32.
  Array y = exact || size_of(x.dtype()) >= 4 ? x : astype(x, float32);
  for (size_t i = 0; i < resizes.size(); ++i) {
    const int axis = static_cast<int>(i) + 1;
    const Resize& r = resizes[i];
    if (r.from == r.to && r.step == 1) continue;
    y = exact ? nearest(y, axis, r) : weighted(y, axis, r, options);
  }
  return astype(y, x.dtype());
}

Array adaptive_avg_pool1d(const Array& x, int64_t size) {
  return adaptive_pool(x, {&size, 1}, false, "adaptive_avg_pool1d");
}
Array adaptive_avg_pool2d(const Array& x, const std::array<int64_t, 2>& size) {
  return adaptive_pool(x, size, false, "adaptive_avg_pool2d");
}
Array adaptive_avg_pool3d(const Array& x, const std::array<int64_t, 3>& size) {
  return adaptive_pool(x, size, false, "adaptive_avg_pool3d");
}
Array adaptive_max_pool1d(const Array& x, int64_t size) {
  return adaptive_pool(x, {&size, 1}, true, "adaptive_max_pool1d");
}
Array adaptive_max_pool2d(const Array& x, const std::array<int64_t, 2>& size) {
  return adaptive_pool(x, size, true, "adaptive_max_pool2d");
}
Array adaptive_max_pool3d(const Array& x, const std::array<int64_t, 3>& size) {
  return adaptive_pool(x, size, true, "adaptive_max_pool3d");
}

}  // namespace mica
