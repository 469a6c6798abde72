#include "core/ops/view.h"

#include <algorithm>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/mapping.h"
#include "core/ops/view_op.h"

namespace mica {
namespace {

int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Runs of axes of `in` that lie behind each other in memory, as (length, stride), outermost first.
SmallVector<std::pair<int64_t, int64_t>, 5> contiguous_runs(const Layout& in) {
  SmallVector<std::pair<int64_t, int64_t>, 5> runs;
  for (size_t i = 0; i < in.shape.size(); ++i) {
    if (in.shape[i] == 1) continue;
    if (!runs.empty() && runs.back().second == in.strides[i] * in.shape[i]) {
      runs.back() = {runs.back().first * in.shape[i], in.strides[i]};
    } else {
      runs.push_back({in.shape[i], in.strides[i]});
    }
  }
  return runs;
}

// One axis of a slice, normalised as NumPy does: start within bounds and the number of elements.
std::pair<int64_t, int64_t> slice_range(int64_t start, int64_t stop, int64_t step, int64_t length) {
  const auto bound = [&](int64_t i) {
    if (i < 0) i += length;
    return step > 0 ? std::clamp<int64_t>(i, 0, length) : std::clamp<int64_t>(i, -1, length - 1);
  };
  start = bound(start);
  // With a negative step there is no other way to say "down to the first element".
  stop = step < 0 && stop < -length ? -1 : bound(stop);
  const int64_t distance = step > 0 ? stop - start : start - stop;
  return {start, distance <= 0 ? 0 : ceil_divide(distance, std::abs(step))};
}

// The same for each axis, and for another one in front of them.
Shape with_first(int64_t first, Shape rest) {
  rest.insert(rest.begin(), first);
  return rest;
}

}  // namespace

// ---- Reshape

Array reshape(Array x, const Shape& shape) {
  Shape full = shape;
  int64_t known = 1;
  int unknown = -1;
  for (size_t i = 0; i < full.size(); ++i) {
    if (full[i] == -1 && unknown < 0)
      unknown = static_cast<int>(i);
    else if (full[i] < 0)
      fail("[reshape] shape {} is not possible", to_string(shape));
    else
      known *= full[i];
  }
  if (unknown >= 0) {
    if (known == 0) {
      fail("[reshape] shape {} has no single answer for -1 with 0 elements", to_string(shape));
    }
    full[static_cast<size_t>(unknown)] = x.size() / known;
  }
  if (size_of(full) != x.size()) {
    fail("[reshape] {} elements of shape {} do not fit shape {}", x.size(), to_string(x.shape()),
         to_string(shape));
  }
  return full == x.shape() ? std::move(x) : apply(Reshape(full), {std::move(x)});
}

Specs Reshape::infer(std::span<const Spec> in) const { return {{shape, in[0].dtype}}; }
Arrays Reshape::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {reshape(g[0], in[0].shape())};
}
Arrays Reshape::vmap(const Arrays& in, const Mapped&) const {
  return {reshape(in[0], with_first(in[0].dim(0), shape))};
}

std::optional<Layout> Reshape::view(const Layout& in) const {
  if (in.is_contiguous() || size_of(shape) == 0) {
    return Layout{shape, row_major(shape), in.offset};
  }
  const auto runs = contiguous_runs(in);
  Strides strides(shape.size());
  size_t axis = shape.size();
  for (size_t r = runs.size(); r-- > 0;) {
    auto [length, stride] = runs[r];
    // Trailing output axes share this run out among themselves.
    while (length > 1) {
      if (axis == 0 || length % shape[--axis] != 0) return std::nullopt;
      strides[axis] = stride;
      stride *= shape[axis];
      length /= shape[axis];
    }
  }
  while (axis-- > 0) strides[axis] = 0;  // only axes of length 1 are left
  return Layout{shape, strides, in.offset};
}

Array flatten(Array x, int start, int end) {
  if (x.rank() == 0) return reshape(std::move(x), {1});
  start = normalize_axis(start, x.shape().size(), "flatten");
  end = normalize_axis(end, x.shape().size(), "flatten");
  Shape shape;
  int64_t length = 1;
  for (int i = 0; i < x.rank(); ++i) {
    if (i < start || i > end) {
      shape.push_back(x.dim(i));
      continue;
    }
    length *= x.dim(i);
    if (i == end) shape.push_back(length);
  }
  return reshape(std::move(x), shape);
}

Array expand_dims(Array x, const Axes& axes) {
  const size_t rank = x.shape().size() + axes.size();
  Shape shape = x.shape();
  for (int axis : normalize_axes(axes, rank, "expand_dims")) {
    shape.insert(shape.begin() + axis, int64_t{1});
  }
  return reshape(std::move(x), shape);
}

Array squeeze(Array x, const Axes& axes) {
  Shape shape;
  const Axes dropped = normalize_axes(axes, x.shape().size(), "squeeze");
  for (int i = 0; i < x.rank(); ++i) {
    const bool named = std::find(dropped.begin(), dropped.end(), i) != dropped.end();
    if (named && x.dim(i) != 1 && !axes.empty()) {
      fail("[squeeze] axis {} of shape {} is not 1", i, to_string(x.shape()));
    }
    if (!named || x.dim(i) != 1) shape.push_back(x.dim(i));
  }
  return reshape(std::move(x), shape);
}

// ---- Transpose

Array transpose(Array x, const Axes& axes) {
  const size_t rank = x.shape().size();
  Axes full;
  for (int axis : axes) full.push_back(normalize_axis(axis, rank, "transpose"));
  Axes sorted = full;
  std::sort(sorted.begin(), sorted.end());
  bool identity = true;
  for (size_t i = 0; i < sorted.size(); ++i) {
    identity = identity && full[i] == static_cast<int>(i);
    if (sorted.size() != rank || sorted[i] != static_cast<int>(i)) {
      fail("[transpose] axes ({}) are no permutation of the axes of shape {}",
           fmt::join(axes.begin(), axes.end(), ", "), to_string(x.shape()));
    }
  }
  if (full.size() != rank) fail("[transpose] {} axes for rank {}", full.size(), rank);
  return identity ? std::move(x) : apply(Transpose(full), {std::move(x)});
}

Array transpose(Array x) {
  Axes axes;
  for (int i = x.rank(); i-- > 0;) axes.push_back(i);
  return transpose(std::move(x), axes);
}

Array swapaxes(Array x, int a, int b) {
  Axes axes;
  for (int i = 0; i < x.rank(); ++i) axes.push_back(i);
  std::swap(axes[static_cast<size_t>(normalize_axis(a, axes.size(), "swapaxes"))],
            axes[static_cast<size_t>(normalize_axis(b, axes.size(), "swapaxes"))]);
  return transpose(std::move(x), axes);
}

Array moveaxis(Array x, int from, int to) {
  from = normalize_axis(from, x.shape().size(), "moveaxis");
  to = normalize_axis(to, x.shape().size(), "moveaxis");
  Axes axes;
  for (int i = 0; i < x.rank(); ++i) {
    if (i != from) axes.push_back(i);
  }
  axes.insert(axes.begin() + to, from);
  return transpose(std::move(x), axes);
}

Specs Transpose::infer(std::span<const Spec> in) const {
  Spec out = in[0];
  for (size_t i = 0; i < axes.size(); ++i) {
    out.shape[i] = in[0].shape[static_cast<size_t>(axes[i])];
  }
  return {out};
}
Arrays Transpose::vjp(const Arrays&, const Arrays&, const Arrays& g) const {
  Axes inverse(axes.size());
  for (size_t i = 0; i < axes.size(); ++i) inverse[static_cast<size_t>(axes[i])] = int(i);
  return {transpose(g[0], inverse)};
}
Arrays Transpose::vmap(const Arrays& in, const Mapped&) const {
  Axes order = {0};
  for (int axis : axes) order.push_back(axis + 1);
  return {transpose(in[0], order)};
}
std::optional<Layout> Transpose::view(const Layout& in) const {
  Layout out = in;
  for (size_t i = 0; i < axes.size(); ++i) {
    out.shape[i] = in.shape[static_cast<size_t>(axes[i])];
    out.strides[i] = in.strides[static_cast<size_t>(axes[i])];
  }
  return out;
}

// ---- BroadcastTo

Array broadcast_to(Array x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (broadcast_shapes(x.shape(), shape, "broadcast_to") != shape) {
    fail("[broadcast_to] shape {} does not broadcast to {}", to_string(x.shape()),
         to_string(shape));
  }
  return apply(BroadcastTo(shape), {std::move(x)});
}

Specs BroadcastTo::infer(std::span<const Spec> in) const { return {{shape, in[0].dtype}}; }
Arrays BroadcastTo::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {unbroadcast(g[0], in[0].shape())};
}
Arrays BroadcastTo::vmap(const Arrays& in, const Mapped&) const {
  const Shape& own = in[0].shape();
  Shape aligned(shape.size() + 2 - own.size(), 1);
  aligned[0] = own[0];
  aligned.append(own.begin() + 1, own.end());
  return {broadcast_to(reshape(in[0], aligned), with_first(own[0], shape))};
}
std::optional<Layout> BroadcastTo::view(const Layout& in) const {
  Layout out = {shape, Strides(shape.size(), 0), in.offset};
  const size_t extra = shape.size() - in.shape.size();
  for (size_t i = 0; i < in.shape.size(); ++i) {
    out.strides[extra + i] = in.shape[i] == 1 ? 0 : in.strides[i];
  }
  return out;
}

// ---- Slice and its transpose

Array slice(Array x, const Shape& start, const Shape& stop, const Shape& step) {
  const size_t rank = x.shape().size();
  if (start.size() != rank || stop.size() != rank || (!step.empty() && step.size() != rank)) {
    fail("[slice] {} starts, {} stops and {} steps for shape {}", start.size(), stop.size(),
         step.size(), to_string(x.shape()));
  }
  Shape first(rank);
  Shape stride(rank, 1);
  Shape shape(rank);
  for (size_t i = 0; i < rank; ++i) {
    if (!step.empty()) stride[i] = step[i];
    if (stride[i] == 0) fail("[slice] the step of axis {} is 0", i);
    std::tie(first[i], shape[i]) = slice_range(start[i], stop[i], stride[i], x.shape()[i]);
  }
  if (shape == x.shape() && std::ranges::all_of(stride, [](int64_t s) { return s == 1; })) return x;
  return apply(Slice(first, stride, shape), {std::move(x)});
}

Array slice_axis(Array x, int axis, int64_t start, int64_t stop, int64_t step) {
  const auto at = static_cast<size_t>(normalize_axis(axis, x.shape().size(), "slice_axis"));
  Shape starts(x.shape().size(), 0);
  Shape stops = x.shape();
  Shape steps(x.shape().size(), 1);
  starts[at] = start;
  stops[at] = stop;
  steps[at] = step;
  return slice(std::move(x), starts, stops, steps);
}

Array flip(Array x, const Axes& axes) {
  const size_t rank = x.shape().size();
  Shape start(rank, 0);
  Shape step(rank, 1);
  for (int axis : normalize_axes(axes, rank, "flip")) {
    const auto at = static_cast<size_t>(axis);
    if (x.shape()[at] == 0) continue;
    start[at] = x.shape()[at] - 1;
    step[at] = -1;
  }
  return rank == 0 ? x : apply(Slice(start, step, x.shape()), {x});
}

Specs Slice::infer(std::span<const Spec> in) const { return {{shape, in[0].dtype}}; }
Arrays Slice::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {apply(Unslice(start, step, in[0].shape()), {g[0]})};
}
Arrays Slice::vmap(const Arrays& in, const Mapped&) const {
  const int64_t length = in[0].dim(0);
  return {apply(Slice(with_first(0, start), with_first(1, step), with_first(length, shape)), in)};
}
std::optional<Layout> Slice::view(const Layout& in) const {
  Layout out = {shape, in.strides, in.offset};
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] > 0) out.offset += start[i] * in.strides[i];
    out.strides[i] *= step[i];
  }
  return out;
}

Specs Unslice::infer(std::span<const Spec> in) const { return {{shape, in[0].dtype}}; }
Arrays Unslice::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {apply(Slice(start, step, in[0].shape()), {g[0]})};
}
Arrays Unslice::vmap(const Arrays& in, const Mapped&) const {
  const int64_t length = in[0].dim(0);
  return {apply(Unslice(with_first(0, start), with_first(1, step), with_first(length, shape)), in)};
}

Array pad(const Array& x, const Shape& low, const Shape& high, const Array& value) {
  const size_t rank = x.shape().size();
  if (low.size() != rank || high.size() != rank) {
    fail("[pad] {} and {} widths for shape {}", low.size(), high.size(), to_string(x.shape()));
  }
  Shape shape = x.shape();
  for (size_t i = 0; i < rank; ++i) {
    if (low[i] < 0 || high[i] < 0) fail("[pad] widths of axis {} are negative", i);
    shape[i] += low[i] + high[i];
  }
  const Unslice place(low, Shape(rank, 1), shape);
  const Array padded = apply(place, {x});
  const bool zero = value.is_weak() && value.item<double>() == 0;
  if (zero) return padded;
  return where(apply(place, {ones_like(astype(x, bool_))}), padded, value);
}

// ---- Joining and splitting

Array concatenate(const Arrays& arrays, int axis) {
  if (arrays.empty()) fail("[concatenate] no arrays were given");
  const Arrays same = promoted(arrays);
  axis = normalize_axis(axis, same[0].shape().size(), "concatenate");
  return same.size() == 1 ? same[0] : apply(Concatenate(axis), same);
}

Arrays After::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  Arrays cotangents = {g[0]};
  cotangents.resize(in.size());
  return cotangents;
}
Arrays After::vmap(const Arrays& in, const Mapped& mapped) const {
  Arrays inputs = in;
  inputs[0] = all_mapped(in, mapped)[0];
  return {apply(After(), inputs)};
}

Arrays Contiguous::vmap(const Arrays& in, const Mapped&) const { return {apply(Contiguous(), in)}; }
Arrays Arange::vmap(const Arrays&, const Mapped&) const {
  fail(ErrorKind::kRuntime, "[arange] has no inputs to map");
}

Specs Concatenate::infer(std::span<const Spec> in) const {
  Spec out = in[0];
  const auto at = static_cast<size_t>(axis);
  for (size_t i = 1; i < in.size(); ++i) {
    Shape other = in[i].shape;
    if (other.size() == out.shape.size()) other[at] = out.shape[at];
    if (other != out.shape) {
      fail("[concatenate] array {} has shape {}, the first has {}; they may differ in axis {} only",
           i, to_string(in[i].shape), to_string(in[0].shape), axis);
    }
    out.shape[at] += in[i].shape[at];
  }
  return {out};
}
Arrays Concatenate::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  Arrays parts;
  int64_t start = 0;
  for (const Array& x : in) {
    parts.push_back(slice_axis(g[0], axis, start, start + x.dim(axis)));
    start += x.dim(axis);
  }
  return parts;
}
Arrays Concatenate::vmap(const Arrays& in, const Mapped& mapped) const {
  return {apply(Concatenate(axis + 1), all_mapped(in, mapped))};
}

Array stack(const Arrays& arrays, int axis) {
  Arrays expanded;
  for (const Array& x : arrays) expanded.push_back(expand_dims(x, {axis}));
  return concatenate(expanded, axis);
}

Arrays split(const Array& x, int64_t parts, int axis) {
  const int64_t length = x.dim(axis);
  if (parts <= 0 || length % parts != 0) {
    fail("[split] axis {} of shape {} does not divide into {} parts", axis, to_string(x.shape()),
         parts);
  }
  Arrays out;
  for (int64_t i = 0; i < parts; ++i) {
    out.push_back(slice_axis(x, axis, i * (length / parts), (i + 1) * (length / parts)));
  }
  return out;
}

}  // namespace mica
