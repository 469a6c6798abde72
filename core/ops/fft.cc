#include "core/ops/fft.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/view.h"

namespace mica {
namespace {

Array weighted(const Array& x, int axis, double inner, double outer, int64_t n) {
  // The first value and, of an even length, the last stand for themselves alone.
  const int64_t count = x.dim(axis);
  std::vector<double> weights(static_cast<size_t>(count), inner);
  weights[0] = outer;
  if (n % 2 == 0) weights.back() = outer;
  Shape shape(x.shape().size(), 1);
  shape[static_cast<size_t>(axis)] = count;
  return x * astype(Array::from(weights, shape), part_of(x.dtype()));
}

}  // namespace

Specs Fft::infer(std::span<const Spec> in) const {
  MICA_ASSERT(is_complex(in[0].dtype));
  return {in[0]};
}
Arrays Fft::vjp(const Arrays&, const Arrays&, const Arrays& g) const {
  return {mica::apply(*this, {g[0]})};
}
Arrays Fft::vmap(const Arrays& in, const Mapped&) const {
  return {mica::apply(Fft(axis + 1, inverse, scale), in)};
}

Specs RealFft::infer(std::span<const Spec> in) const {
  MICA_ASSERT(in[0].dtype == float32 || in[0].dtype == float64);
  Spec out = {in[0].shape, complex_of(in[0].dtype)};
  int64_t& length = out.shape[static_cast<size_t>(axis)];
  length = length / 2 + 1;
  return {out};
}
Arrays RealFft::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  const int64_t n = in[0].dim(axis);
  return {mica::apply(HermitianFft(axis, n, inverse, scale), {weighted(g[0], axis, 0.5, 1, n)})};
}
Arrays RealFft::vmap(const Arrays& in, const Mapped&) const {
  return {mica::apply(RealFft(axis + 1, inverse, scale), in)};
}

Specs HermitianFft::infer(std::span<const Spec> in) const {
  MICA_ASSERT(is_complex(in[0].dtype));
  Spec out = {in[0].shape, part_of(in[0].dtype)};
  int64_t& length = out.shape[static_cast<size_t>(axis)];
  MICA_ASSERT(length == n / 2 + 1);
  length = n;
  return {out};
}
Arrays HermitianFft::vjp(const Arrays&, const Arrays&, const Arrays& g) const {
  return {weighted(mica::apply(RealFft(axis, inverse, scale), {g[0]}), axis, 2, 1, n)};
}
Arrays HermitianFft::vmap(const Arrays& in, const Mapped&) const {
  return {mica::apply(HermitianFft(axis + 1, n, inverse, scale), in)};
}

}  // namespace mica

namespace mica::fft {
namespace {

struct Plane {
  std::vector<int> axes;
  std::vector<int64_t> lengths;  // of the inputs, -1 for as they are
};

Plane plane_of(const Array& x, const Shape& lengths, const Axes& axes, const char* op) {
  Plane plane;
  const int rank = x.rank();
  if (axes.empty()) {
    const int count = lengths.empty() ? rank : static_cast<int>(lengths.size());
    if (count > rank) {
      fail("[fft.{}] {} lengths for an array of shape {}", op, count, to_string(x.shape()));
    }
    for (int axis = rank - count; axis < rank; ++axis) plane.axes.push_back(axis);
  }
  for (const int axis : axes) {
    plane.axes.push_back(normalize_axis(axis, x.shape().size(), op));
  }
  for (size_t i = 0; i < plane.axes.size(); ++i) {
    if (std::count(plane.axes.begin(), plane.axes.end(), plane.axes[i]) > 1) {
      fail("[fft.{}] axis {} is named twice", op, plane.axes[i]);
    }
  }
  if (plane.axes.empty()) fail("[fft.{}] a scalar has no axis to transform", op);
  if (!lengths.empty() && lengths.size() != plane.axes.size()) {
    fail("[fft.{}] {} lengths for {} axes", op, lengths.size(), plane.axes.size());
  }
  plane.lengths.assign(plane.axes.size(), -1);
  for (size_t i = 0; i < lengths.size(); ++i) plane.lengths[i] = lengths[i];
  return plane;
}

void check_length(int64_t n, int axis, const char* op) {
  if (n < 1) fail("[fft.{}] axis {} has length {}; wanted 1 or more", op, axis, n);
}

// x with `axis` cut or filled with zeros.
Array with_length(const Array& x, int axis, int64_t n) {
  const int64_t own = x.dim(axis);
  if (n == own) return x;
  if (n < own) return slice_axis(x, axis, 0, n);
  const Shape low(x.shape().size(), 0);
  Shape high = low;
  high[static_cast<size_t>(axis)] = n - own;
  return pad(x, low, high);
}

// What a transform of `count` numbers in all is multiplied by.
double scale_of(Norm norm, bool inverse, double count) {
  if (norm == Norm::kOrtho) return 1 / std::sqrt(count);
  return (norm == Norm::kForward) == inverse ? 1 : 1 / count;
}

// Along the first `used` axes of the plane; the last of them scales for all.
Array along_axes(Array x, const Plane& plane, size_t used, bool inverse, Norm norm,
                 const char* op) {
  x = astype(x, complex_of(x.dtype()));
  double count = 1;
  for (size_t i = 0; i < used; ++i) {
    const int axis = plane.axes[i];
    const int64_t n = plane.lengths[i] < 0 ? x.dim(axis) : plane.lengths[i];
    check_length(n, axis, op);
    x = with_length(x, axis, n);
    count *= static_cast<double>(n);
    const double scale = i + 1 == used ? scale_of(norm, inverse, count) : 1;
    x = mica::apply(Fft(axis, inverse, scale), {x});
  }
  return x;
}

Array complex_transform(const Array& x, const Plane& plane, bool inverse, Norm norm,
                        const char* op) {
  return along_axes(x, plane, plane.axes.size(), inverse, norm, op);
}

Array real_transform(const Array& x, const Plane& plane, Norm norm, const char* op) {
  if (is_complex(x.dtype())) fail("[fft.{}] got {}; wanted real numbers", op, x.dtype());
  const size_t last = plane.axes.size() - 1;
  const int axis = plane.axes[last];
  const int64_t n = plane.lengths[last] < 0 ? x.dim(axis) : plane.lengths[last];
  check_length(n, axis, op);
  const Array typed = with_length(astype(x, part_of(complex_of(x.dtype()))), axis, n);
  const double scale = scale_of(norm, false, static_cast<double>(n));
  return along_axes(mica::apply(RealFft(axis, false, scale), {typed}), plane, last, false, norm,
                    op);
}

Array hermitian_transform(const Array& x, const Plane& plane, Norm norm, const char* op) {
  const size_t last = plane.axes.size() - 1;
  const int axis = plane.axes[last];
  const int64_t n = plane.lengths[last] < 0 ? 2 * (x.dim(axis) - 1) : plane.lengths[last];
  check_length(n, axis, op);
  const Array typed = along_axes(x, plane, last, true, norm, op);
  const double scale = scale_of(norm, true, static_cast<double>(n));
  return mica::apply(HermitianFft(axis, n, true, scale), {with_length(typed, axis, n / 2 + 1)});
}

Plane line_of(const Array& x, Length n, int axis, const char* op) {
  return plane_of(x, n ? Shape{*n} : Shape(), {axis}, op);
}

Array frequencies(int64_t n, double d, double first, int64_t count, Dtype dtype, const char* op) {
  if (n < 1) fail("[fft.{}] n is {}; wanted 1 or more", op, n);
  if (!is_floating(dtype)) fail("[fft.{}] needs a floating type, got {}", op, dtype);
  const Array steps = arange(first, first + static_cast<double>(count), 1, float64);
  return astype(steps * (1 / (static_cast<double>(n) * d)), dtype);
}

Array shifted(const Array& x, const Axes& axes, bool back, const char* op) {
  Array moved = x;
  for (const int axis : x.rank() == 0 ? std::vector<int>() : plane_of(x, {}, axes, op).axes) {
    const int64_t half = x.dim(axis) / 2;
    moved = roll(moved, back ? x.dim(axis) - half : half, axis);
  }
  return moved;
}

}  // namespace

Array fft(const Array& x, Length n, int axis, Norm norm) {
  return complex_transform(x, line_of(x, n, axis, "fft"), false, norm, "fft");
}
Array ifft(const Array& x, Length n, int axis, Norm norm) {
  return complex_transform(x, line_of(x, n, axis, "ifft"), true, norm, "ifft");
}
Array rfft(const Array& x, Length n, int axis, Norm norm) {
  return real_transform(x, line_of(x, n, axis, "rfft"), norm, "rfft");
}
Array irfft(const Array& x, Length n, int axis, Norm norm) {
  return hermitian_transform(x, line_of(x, n, axis, "irfft"), norm, "irfft");
}

Array fftn(const Array& x, const Shape& lengths, const Axes& axes, Norm norm) {
  return complex_transform(x, plane_of(x, lengths, axes, "fftn"), false, norm, "fftn");
}
Array ifftn(const Array& x, const Shape& lengths, const Axes& axes, Norm norm) {
  return complex_transform(x, plane_of(x, lengths, axes, "ifftn"), true, norm, "ifftn");
}
Array rfftn(const Array& x, const Shape& lengths, const Axes& axes, Norm norm) {
  return real_transform(x, plane_of(x, lengths, axes, "rfftn"), norm, "rfftn");
}
Array irfftn(const Array& x, const Shape& lengths, const Axes& axes, Norm norm) {
  return hermitian_transform(x, plane_of(x, lengths, axes, "irfftn"), norm, "irfftn");
}

Array fft2(const Array& x, const Shape& lengths, const Axes& axes, Norm norm) {
  return complex_transform(x, plane_of(x, lengths, axes, "fft2"), false, norm, "fft2");
}
Array ifft2(const Array& x, const Shape& lengths, const Axes& axes, Norm norm) {
  return complex_transform(x, plane_of(x, lengths, axes, "ifft2"), true, norm, "ifft2");
}
Array rfft2(const Array& x, const Shape& lengths, const Axes& axes, Norm norm) {
  return real_transform(x, plane_of(x, lengths, axes, "rfft2"), norm, "rfft2");
}
Array irfft2(const Array& x, const Shape& lengths, const Axes& axes, Norm norm) {
  return hermitian_transform(x, plane_of(x, lengths, axes, "irfft2"), norm, "irfft2");
}

Array fftfreq(int64_t n, double d, Dtype dtype) {
  const Array rising = frequencies(n, d, -static_cast<double>(n / 2), n, dtype, "fftfreq");
  return ifftshift(rising);
}
Array rfftfreq(int64_t n, double d, Dtype dtype) {
  return frequencies(n, d, 0, n / 2 + 1, dtype, "rfftfreq");
}

Array fftshift(const Array& x, const Axes& axes) { return shifted(x, axes, false, "fftshift"); }
Array ifftshift(const Array& x, const Axes& axes) { return shifted(x, axes, true, "ifftshift"); }

}  // namespace mica::fft
