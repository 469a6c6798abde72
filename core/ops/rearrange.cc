// Functions of view.h that are made of others.
#include <algorithm>
#include <vector>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/scatter.h"
#include "core/ops/view.h"
#include "core/ops/view_op.h"

namespace mica {
namespace {

// Where place `i` of a padded axis, counted from x's first element, reads x.
int64_t source_of(int64_t i, int64_t length, PadMode mode) {
  const auto modulo = [](int64_t a, int64_t b) { return ((a % b) + b) % b; };
  switch (mode) {
    case PadMode::kEdge: return std::clamp<int64_t>(i, 0, length - 1);
    case PadMode::kWrap: return modulo(i, length);
    case PadMode::kReflect: {
      const int64_t at = length == 1 ? 0 : modulo(i, 2 * (length - 1));
      return at < length ? at : 2 * (length - 1) - at;
    }
    case PadMode::kSymmetric: {
      const int64_t at = modulo(i, 2 * length);
      return at < length ? at : 2 * length - 1 - at;
    }
  }
  return i;
}

}  // namespace

Array pad(const Array& x, const Shape& low, const Shape& high, PadMode mode) {
  if (low.size() != x.shape().size() || high.size() != low.size()) {
    fail("[pad] {} and {} widths for shape {}", low.size(), high.size(), to_string(x.shape()));
  }
  Array padded = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const int64_t before = low[static_cast<size_t>(axis)], after = high[static_cast<size_t>(axis)];
    const int64_t length = x.dim(axis);
    if (before < 0 || after < 0) fail("[pad] widths of axis {} are negative", axis);
    if (before == 0 && after == 0) continue;
    if (length == 0) fail("[pad] axis {} of shape {} is empty", axis, to_string(x.shape()));
    std::vector<int32_t> sources;
    for (int64_t i = -before; i < length + after; ++i) {
      sources.push_back(static_cast<int32_t>(source_of(i, length, mode)));
    }
    padded = take(padded, Array::from(sources, {before + length + after}), axis);
  }
  return padded;
}

Array slice_update(const Array& x, const Array& update, const Shape& start, const Shape& stop,
                   const Shape& step) {
  // The places are taken as slice takes them, of the numbers of all elements.
  const Array numbers = reshape(arange(x.size(), int64), x.shape());
  const Array places = slice(numbers, start, stop, step);
  const Array values = broadcast_to(astype(update, x.dtype()), places.shape());
  const Array at = reshape(places, {places.size()});
  const Array written = scatter(reshape(x, {x.size()}), at, reshape(values, {places.size()}), 0);
  return reshape(written, x.shape());
}

Array permute_dims(Array x, const Axes& axes) { return transpose(std::move(x), axes); }

Arrays array_split(const Array& x, const Shape& positions, int axis) {
  axis = normalize_axis(axis, x.shape().size(), "array_split");
  const int64_t length = x.dim(axis);
  Arrays parts;
  int64_t start = 0;
  for (const int64_t position : positions) {
    const int64_t stop = position < 0 ? position + length : position;
    if (stop < start || stop > length) {
      fail("[array_split] position {} is out of order, or of range for an axis of length {}",
           position, length);
    }
    parts.push_back(slice_axis(x, axis, start, stop));
    start = stop;
  }
  parts.push_back(slice_axis(x, axis, start, length));
  return parts;
}

Array as_strided(const Array& x, const Shape& shape, const Strides& strides, int64_t offset) {
  if (shape.size() != strides.size()) {
    fail("[as_strided] {} strides for the shape {}", strides.size(), to_string(shape));
  }
  for (const int64_t length : shape) {
    if (length < 0) fail("[as_strided] shape {} is not possible", to_string(shape));
  }
  int64_t least = offset, most = offset;
  Array places = full(shape, Array::scalar(static_cast<double>(offset), int64));
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    const int64_t reach = std::max<int64_t>(shape[axis] - 1, 0) * strides[axis];
    (reach < 0 ? least : most) += reach;
    Shape along(shape.size(), 1);
    along[axis] = shape[axis];
    const Array step = Array::scalar(static_cast<double>(strides[axis]), int64);
    places = places + reshape(arange(shape[axis], int64) * step, along);
  }
  if (size_of(shape) > 0 && (least < 0 || most >= x.size())) {
    fail("[as_strided] elements {} to {} of an array of shape {}, which has {}", least, most,
         to_string(x.shape()), x.size());
  }
  return take(reshape(x, {x.size()}), places, 0);
}

Specs Bitcast::infer(std::span<const Spec> in) const {
  const size_t from = size_of(in[0].dtype), to = size_of(dtype);
  if (is_bool(dtype) && !is_bool(in[0].dtype)) {
    fail("[view] the bytes of {} are no bool", in[0].dtype);
  }
  Shape shape = in[0].shape;
  if (from == to) return {{shape, dtype}};
  const int64_t bytes = shape.empty() ? 0 : shape.back() * static_cast<int64_t>(from);
  if (shape.empty() || bytes % static_cast<int64_t>(to) != 0) {
    fail("[view] {} of shape {} has no whole number of {} along its last axis", in[0].dtype,
         to_string(shape), dtype);
  }
  shape.back() = bytes / static_cast<int64_t>(to);
  return {{shape, dtype}};
}
Arrays Bitcast::vmap(const Arrays& in, const Mapped&) const {
  // A mapped scalar keeps being one.
  if (in[0].rank() == 1 && size_of(in[0].dtype()) != size_of(dtype)) {
    fail("[view] {} and {} have different sizes, and a scalar no axis to make up for it",
         in[0].dtype(), dtype);
  }
  return {apply(*this, in)};
}

Array view(const Array& x, Dtype dtype) { return apply(Bitcast(dtype), {x}); }

Arrays depends(const Arrays& inputs, const Arrays& others) {
  Arrays out;
  for (const Array& x : inputs) {
    Arrays all = {x};
    all.append(others.begin(), others.end());
    out.push_back(apply(After(), all));
  }
  return out;
}

Array unflatten(Array x, int axis, const Shape& shape) {
  axis = normalize_axis(axis, x.shape().size(), "unflatten");
  Shape full(x.shape().begin(), x.shape().begin() + axis);
  Shape parts = shape;
  int64_t known = 1;
  for (const int64_t length : shape) known *= length == -1 ? 1 : length;
  for (int64_t& length : parts) {
    if (length == -1 && known > 0) length = x.dim(axis) / known;
  }
  if (size_of(parts) != x.dim(axis)) {
    fail("[unflatten] axis {} of shape {} does not make {}", axis, to_string(x.shape()),
         to_string(shape));
  }
  full.append(parts.begin(), parts.end());
  full.append(x.shape().begin() + axis + 1, x.shape().end());
  return reshape(std::move(x), full);
}

Arrays broadcast_arrays(const Arrays& arrays) {
  Shape shape;
  for (const Array& x : arrays) shape = broadcast_shapes(shape, x.shape(), "broadcast_arrays");
  Arrays same;
  for (const Array& x : arrays) same.push_back(broadcast_to(x, shape));
  return same;
}

Array atleast_1d(Array x) { return x.rank() >= 1 ? x : reshape(x, {1}); }
Array atleast_2d(Array x) { return x.rank() >= 2 ? x : expand_dims(atleast_1d(x), {0}); }
Array atleast_3d(Array x) { return x.rank() >= 3 ? x : expand_dims(atleast_2d(x), {-1}); }

Array roll(const Array& x, int64_t shift, int axis) {
  axis = normalize_axis(axis, x.shape().size(), "roll");
  const int64_t length = x.dim(axis);
  if (length == 0) return x;
  const int64_t places = ((shift % length) + length) % length;
  if (places == 0) return x;
  return concatenate(
      {slice_axis(x, axis, length - places, length), slice_axis(x, axis, 0, length - places)},
      axis);
}
Array roll(const Array& x, int64_t shift) {
  return reshape(roll(reshape(x, {x.size()}), shift, 0), x.shape());
}

Array repeat(const Array& x, int64_t times, int axis) {
  if (times < 0) fail("[repeat] {} times", times);
  axis = normalize_axis(axis, x.shape().size(), "repeat");
  Shape shape = expand_dims(x, {axis + 1}).shape();
  shape[static_cast<size_t>(axis) + 1] = times;
  return flatten(broadcast_to(expand_dims(x, {axis + 1}), shape), axis, axis + 1);
}
Array repeat(const Array& x, int64_t times) { return repeat(reshape(x, {x.size()}), times, 0); }

Array tile(const Array& x, const Shape& times) {
  const size_t rank = std::max(times.size(), x.shape().size());
  Shape split, whole, result;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t length = i + x.shape().size() < rank ? 1 : x.shape()[i + x.shape().size() - rank];
    const int64_t count = i + times.size() < rank ? 1 : times[i + times.size() - rank];
    if (count < 0) fail("[tile] {} times along an axis", count);
    split.push_back(1), split.push_back(length);
    whole.push_back(count), whole.push_back(length);
    result.push_back(count * length);
  }
  return reshape(broadcast_to(reshape(x, split), whole), result);
}

Arrays unstack(const Array& x, int axis) {
  axis = normalize_axis(axis, x.shape().size(), "unstack");
  Arrays rows;
  for (int64_t i = 0; i < x.dim(axis); ++i) {
    rows.push_back(squeeze(slice_axis(x, axis, i, i + 1), {axis}));
  }
  return rows;
}

}  // namespace mica
