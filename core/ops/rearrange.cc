// Functions of view.h that are made of others.
#include <algorithm>

#include "core/ops/elementwise.h"
#include "core/ops/view.h"

namespace mica {

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
