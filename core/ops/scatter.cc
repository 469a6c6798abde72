#include "core/ops/scatter.h"

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/index_op.h"
#include "core/ops/mapping.h"
#include "core/ops/scan.h"
#include "core/ops/scatter_op.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"

namespace mica {
namespace {

void check_indices(Dtype dtype, std::string_view op) {
  if (!is_integer(dtype)) fail("[{}] indices must be integers, got {}", op, dtype);
}

Shape with_length(Shape shape, int axis, int64_t length) {
  shape[static_cast<size_t>(axis)] = length;
  return shape;
}

// A vector along `axis` of an array of this rank.
Array vector_along(const Array& x, int axis, size_t rank) {
  return reshape(x, with_length(Shape(rank, 1), axis, x.size()));
}

// What a vjp of ScatterInto asks of the places that the updates meet.
struct Places {
  const ScatterInto& op;
  const Array& indices;

  // x at the places, in the shape of the updates.
  Array of(const Array& x) const {
    return op.along ? mica::apply(TakeAlongAxis(op.axis), {x, indices})
                    : mica::apply(Take(op.axis), {x, indices});
  }
  // The updates of each place of an array of this shape added up.
  Array sums(const Array& updates, const Shape& shape) const {
    if (!op.along) return mica::apply(ScatterSum(shape, op.axis), {indices, updates});
    const ScatterSumAlongAxis sum(op.axis, shape[static_cast<size_t>(op.axis)]);
    return mica::apply(sum, {indices, updates});
  }
  Array into(const Array& x, const Array& updates) const {
    return mica::apply(op, {x, indices, updates});
  }
};

// Only the last update of a place is seen.
Arrays set_cotangents(const Places& places, const Arrays& in, const Array& g) {
  const Shape& shape = in[2].shape();
  const Array number = broadcast_to(
      vector_along(arange(in[2].dim(places.op.axis)), places.op.axis, shape.size()), shape);
  const Array last = places.into(full(in[0].shape(), Array::scalar(-1, int32)), number);
  return {where(last < 0, g, 0), Array(), where(places.of(last) == number, places.of(g), 0)};
}

Arrays extreme_cotangents(const Places& places, const Arrays& in, const Array& out,
                          const Array& g) {
  const Array kept = astype(in[0] == out, g.dtype());
  const Array taken = astype(in[2] == places.of(out), g.dtype());
  const Array share = g / (kept + places.sums(taken, in[0].shape()));
  return {share * kept, Array(), places.of(share) * taken};
}

// The product of all earlier factors of the same place, for factors in the order of their places:
// p[k] = x[k - 1] p[k - 1], started over at each place.
Array product_before(const Array& factors, const Array& order, int axis, bool reverse) {
  const int64_t length = factors.dim(axis);
  if (length == 0) return factors;
  const auto neighbour = [&](const Array& x) {
    const Array rest =
        reverse ? slice_axis(x, axis, 1, length) : slice_axis(x, axis, 0, length - 1);
    const Array gap = slice_axis(x, axis, 0, 1);
    return reverse ? concatenate({rest, gap}, axis) : concatenate({gap, rest}, axis);
  };
  const Array ends = arange(length) == (reverse ? length - 1 : 0);
  const Array first = vector_along(ends, axis, factors.shape().size());
  const Array starts = logical_or(first, neighbour(order) != order);
  return linear_recurrence(where(starts, 0, neighbour(factors)), astype(starts, factors.dtype()),
                           axis, reverse);
}

// Products of all other factors of a place, without divisions, so that zeros do no harm.
Arrays product_cotangents(const Places& places, const Arrays& in, const Array& g) {
  const int axis = places.op.axis;
  const Array& updates = in[2];
  const Array dx = g * places.into(ones_like(in[0]), updates);
  // Negative and positive indices of one place have to meet in the order.
  Array at = astype(in[1], int64);
  at = where(at < 0, at + in[0].dim(axis), at);
  if (!places.op.along) at = vector_along(at, axis, updates.shape().size());
  at = broadcast_to(at, updates.shape());
  const Array order = argsort(at, axis);
  const Array sorted = take_along_axis(updates, order, axis);
  const Array place = take_along_axis(at, order, axis);
  const Array others =
      product_before(sorted, place, axis, false) * product_before(sorted, place, axis, true);
  const Array back = take_along_axis(others, argsort(order, axis), axis);
  return {dx, Array(), places.of(g * in[0]) * back};
}

}  // namespace

std::string_view name_of(Scatter how) {
  switch (how) {
    case Scatter::kSet: return "scatter";
    case Scatter::kProd: return "scatter_prod";
    case Scatter::kMax: return "scatter_max";
    case Scatter::kMin: return "scatter_min";
  }
  return "";
}

Specs ScatterInto::infer(std::span<const Spec> in) const {
  check_indices(in[1].dtype, name());
  if (is_complex(in[0].dtype) && (how == Scatter::kMax || how == Scatter::kMin)) {
    fail("[{}] complex numbers have no order", name());
  }
  const Shape& indices = in[1].shape;
  MICA_ASSERT(along ? indices == in[2].shape : indices.size() == 1);
  const int64_t length = indices[along ? static_cast<size_t>(axis) : 0];
  const Spec updates{with_length(in[0].shape, axis, length), in[0].dtype};
  if (in[2] == updates) return {in[0]};
  fail("[{}] {} of shape {} at {} indices along axis {} wants updates of shape {}, got {} of {}",
       name(), in[0].dtype, to_string(in[0].shape), length, axis, to_string(updates.shape),
       in[2].dtype, to_string(in[2].shape));
}

Arrays ScatterInto::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  if (!is_inexact(in[0].dtype())) return {Array(), Array(), Array()};
  const Places places{*this, in[1]};
  switch (how) {
    case Scatter::kSet: return set_cotangents(places, in, g[0]);
    case Scatter::kProd: return product_cotangents(places, in, g[0]);
    default: return extreme_cotangents(places, in, out[0], g[0]);
  }
}
Arrays ScatterInto::vmap(const Arrays& in, const Mapped& mapped) const {
  if (!along && !mapped[1]) {
    Mapped others = {mapped[0], mapped[2]};
    const Arrays all = all_mapped({in[0], in[2]}, others);
    return {mica::apply(ScatterInto(how, axis + 1, false), {all[0], in[1], all[1]})};
  }
  Arrays all = all_mapped(in, mapped);
  if (!along) {
    Shape shape(all[2].shape().size(), 1);
    shape[0] = all[1].dim(0);
    shape[static_cast<size_t>(axis) + 1] = all[1].dim(1);
    all[1] = broadcast_to(reshape(all[1], shape), all[2].shape());
  }
  return {mica::apply(ScatterInto(how, axis + 1, true), all)};
}

Specs RavelIndex::infer(std::span<const Spec> in) const {
  for (const Spec& index : in) {
    check_indices(index.dtype, kName);
    MICA_ASSERT(index.shape == in[0].shape);
  }
  return {{in[0].shape, int64}};
}
Arrays RavelIndex::vjp(const Arrays& in, const Arrays&, const Arrays&) const {
  return Arrays(in.size());
}
Arrays RavelIndex::vmap(const Arrays& in, const Mapped& mapped) const {
  return {mica::apply(*this, all_mapped(in, mapped))};
}

// ---- One axis.

namespace {

Array scatter_rows(Scatter how, const Array& x, const Array& indices, const Array& updates,
                   int axis) {
  const std::string name(name_of(how));
  axis = normalize_axis(axis, x.shape().size(), name.c_str());
  check_indices(indices.dtype(), name);
  // The shape of take(x, indices, axis), then with the axes of the indices as one.
  Shape taken(x.shape().begin(), x.shape().begin() + axis);
  taken.append(indices.shape().begin(), indices.shape().end());
  taken.append(x.shape().begin() + axis + 1, x.shape().end());
  if (broadcast_shapes(updates.shape(), taken, name.c_str()) != taken) {
    fail("[{}] updates of shape {} do not broadcast to {}, which is {} at indices of shape {}",
         name, to_string(updates.shape()), to_string(taken), to_string(x.shape()),
         to_string(indices.shape()));
  }
  const Array rows = reshape(broadcast_to(astype(updates, x.dtype()), taken),
                             with_length(x.shape(), axis, indices.size()));
  return mica::apply(ScatterInto(how, axis, false), {x, reshape(indices, {indices.size()}), rows});
}

}  // namespace

Array scatter(const Array& x, const Array& indices, const Array& updates, int axis) {
  return scatter_rows(Scatter::kSet, x, indices, updates, axis);
}
Array scatter_prod(const Array& x, const Array& indices, const Array& updates, int axis) {
  return scatter_rows(Scatter::kProd, x, indices, updates, axis);
}
Array scatter_max(const Array& x, const Array& indices, const Array& updates, int axis) {
  return scatter_rows(Scatter::kMax, x, indices, updates, axis);
}
Array scatter_min(const Array& x, const Array& indices, const Array& updates, int axis) {
  return scatter_rows(Scatter::kMin, x, indices, updates, axis);
}

Array put_along_axis(const Array& x, const Array& indices, const Array& values, int axis) {
  axis = normalize_axis(axis, x.shape().size(), "put_along_axis");
  if (x.rank() != indices.rank()) {
    fail("[put_along_axis] indices need the rank of the array: array {}, indices {}",
         to_string(x.shape()), to_string(indices.shape()));
  }
  const Shape wanted = with_length(x.shape(), axis, indices.dim(axis));
  const Array positions = broadcast_to(indices, wanted);
  const Array updates = broadcast_to(astype(values, x.dtype()), wanted);
  return mica::apply(ScatterInto(Scatter::kSet, axis, true), {x, positions, updates});
}

// ---- Several axes.

Array ravel_multi_index(const Arrays& indices, const Shape& shape) {
  if (indices.size() != shape.size() || indices.empty()) {
    fail("[ravel_multi_index] {} index arrays for the shape {}", indices.size(), to_string(shape));
  }
  return mica::apply(RavelIndex(shape), broadcast_arrays(indices));
}

Arrays unravel_index(const Array& positions, const Shape& shape) {
  check_indices(positions.dtype(), "unravel_index");
  Arrays indices(shape.size());
  Array left = astype(positions, int64);
  for (size_t axis = shape.size(); axis-- > 0;) {
    const Array length = Array::scalar(static_cast<double>(shape[axis]), int64);
    indices[axis] = astype(remainder(left, length), int32);
    left = floor_divide(left, length);
  }
  return indices;
}

At::At(const Array& x, const Arrays& indices) : shape_(x.shape()) {
  if (indices.empty() || indices.size() > x.shape().size()) {
    fail("[at] {} index arrays for an array of shape {}", indices.size(), to_string(x.shape()));
  }
  for (const Array& index : indices) check_indices(index.dtype(), "at");
  const auto rest = x.shape().begin() + static_cast<std::ptrdiff_t>(indices.size());
  const Shape indexed(x.shape().begin(), rest);
  Shape lines = {size_of(indexed)};
  lines.append(rest, x.shape().end());
  lines_ = reshape(x, lines);
  positions_ = indices.size() == 1 ? indices[0] : ravel_multi_index(indices, indexed);
  places_ = positions_.shape();
  places_.append(rest, x.shape().end());
}

Array At::get() const { return take(lines_, positions_, 0); }

Array At::updated(Array (*write)(const Array&, const Array&, const Array&, int),
                  const Array& updates) const {
  const Array values = broadcast_to(astype(updates, lines_.dtype()), places_);
  return reshape(write(lines_, positions_, values, 0), shape_);
}

Array At::set(const Array& updates) const { return updated(scatter, updates); }
Array At::add(const Array& updates) const { return updated(scatter_add, updates); }
Array At::subtract(const Array& updates) const { return updated(scatter_add, -updates); }
Array At::multiply(const Array& updates) const { return updated(scatter_prod, updates); }
Array At::divide(const Array& updates) const { return updated(scatter_prod, 1 / updates); }
Array At::maximum(const Array& updates) const { return updated(scatter_max, updates); }
Array At::minimum(const Array& updates) const { return updated(scatter_min, updates); }

At at(const Array& x, const Arrays& indices) { return At(x, indices); }

namespace {

// x with these axes first.
Array with_first(Array x, const Axes& axes) {
  Axes order = axes;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) order.push_back(axis);
  }
  return transpose(x, order);
}

// The inverse of with_first.
Array with_first_put_back(const Array& x, const Axes& axes) {
  Axes order(static_cast<size_t>(x.rank()));
  Axes given = axes;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) given.push_back(axis);
  }
  for (size_t i = 0; i < given.size(); ++i)
    order[static_cast<size_t>(given[i])] = static_cast<int>(i);
  return transpose(x, order);
}

Axes different_axes(const Axes& axes, size_t rank, const char* op) {
  Axes normal;
  for (const int axis : axes) {
    normal.push_back(normalize_axis(axis, rank, op));
    if (std::count(normal.begin(), normal.end(), normal.back()) > 1) {
      fail("[{}] axis {} was given twice", op, axis);
    }
  }
  return normal;
}

// For each of the axes the indices of a part of `size`, so shaped that they broadcast to it.
Arrays part_indices(const Array& start, const Shape& size, const char* op) {
  check_indices(start.dtype(), op);
  if (start.shape() != Shape{static_cast<int64_t>(size.size())}) {
    fail("[{}] {} axes need as many starts, got shape {}", op, size.size(),
         to_string(start.shape()));
  }
  Arrays indices;
  for (size_t k = 0; k < size.size(); ++k) {
    const auto i = static_cast<int64_t>(k);
    const Array first = astype(slice_axis(start, 0, i, i + 1), int64);
    indices.push_back(
        vector_along(first + arange(size[k], int64), static_cast<int>(k), size.size()));
  }
  return indices;
}

}  // namespace

Array gather(const Array& x, const Arrays& indices, const Axes& axes) {
  if (axes.empty()) return at(x, indices).get();
  const Axes first = different_axes(axes, x.shape().size(), "gather");
  if (first.size() != indices.size()) {
    fail("[gather] {} index arrays for {} axes", indices.size(), first.size());
  }
  return at(with_first(x, first), indices).get();
}

Array dynamic_slice(const Array& x, const Array& start, const Axes& axes, const Shape& size) {
  const Axes first = different_axes(axes, x.shape().size(), "dynamic_slice");
  if (first.size() != size.size() || first.empty()) {
    fail("[dynamic_slice] {} axes and {} lengths", first.size(), size.size());
  }
  const Array part = at(with_first(x, first), part_indices(start, size, "dynamic_slice")).get();
  return with_first_put_back(part, first);
}

Array dynamic_slice_update(const Array& x, const Array& update, const Array& start,
                           const Axes& axes) {
  const Axes first = different_axes(axes, x.shape().size(), "dynamic_slice_update");
  if (update.rank() != x.rank() || first.empty()) {
    fail("[dynamic_slice_update] an update of shape {} along {} axes of shape {}",
         to_string(update.shape()), first.size(), to_string(x.shape()));
  }
  Shape size;
  for (const int axis : first) size.push_back(update.dim(axis));
  const Array written = at(with_first(x, first), part_indices(start, size, "dynamic_slice_update"))
                            .set(with_first(update, first));
  return with_first_put_back(written, first);
}

// ---- Masks and slices.

Array masked_scatter(const Array& x, const Array& mask, const Array& values) {
  if (mask.dtype() != bool_ || mask.shape() != x.shape()) {
    fail("[masked_scatter] got a {} mask of shape {}; wanted bool and {}", mask.dtype(),
         to_string(mask.shape()), to_string(x.shape()));
  }
  const Array flat = reshape(mask, {mask.size()});
  // Places that keep their element read any value. Without values, holes have nothing to read.
  Array line = reshape(astype(values, x.dtype()), {values.size()});
  const Array number = cumsum(astype(flat, int32), 0) - 1;
  if (values.size() == 0) line = pad(line, {0}, {1});
  const Array position = where(flat, values.size() == 0 ? number + 1 : number, 0);
  return where(mask, reshape(take(line, position, 0), x.shape()), x);
}

Array slice_update_add(const Array& x, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step) {
  return slice_update(x, slice(x, start, stop, step) + update, start, stop, step);
}
Array slice_update_prod(const Array& x, const Array& update, const Shape& start, const Shape& stop,
                        const Shape& step) {
  return slice_update(x, slice(x, start, stop, step) * update, start, stop, step);
}
Array slice_update_max(const Array& x, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step) {
  return slice_update(x, maximum(slice(x, start, stop, step), update), start, stop, step);
}
Array slice_update_min(const Array& x, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step) {
  return slice_update(x, minimum(slice(x, start, stop, step), update), start, stop, step);
}

}  // namespace mica
