#include "core/ops/index.h"

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index_op.h"
#include "core/ops/mapping.h"
#include "core/ops/view.h"

namespace mica {
namespace {

void check_indices(const Spec& indices, std::string_view op) {
  if (is_integer(indices.dtype)) return;
  fail("[{}] indices must be integers, got {}", op, indices.dtype);
}

// x's shape with `axis` replaced by the axes of the indices.
Shape taken_shape(const Shape& x, const Shape& indices, int axis) {
  Shape shape(x.begin(), x.begin() + axis);
  shape.append(indices.begin(), indices.end());
  shape.append(x.begin() + axis + 1, x.end());
  return shape;
}

Shape with_length(Shape shape, int axis, int64_t length) {
  shape[axis] = length;
  return shape;
}

// x and indices broadcast to each other on all axes but one.
std::pair<Array, Array> aligned(const Array& x, const Array& indices, int axis, const char* op) {
  if (x.rank() != indices.rank()) {
    fail("[{}] indices need the rank of the array: array {}, indices {}", op, to_string(x.shape()),
         to_string(indices.shape()));
  }
  const Shape common =
      broadcast_shapes(with_length(x.shape(), axis, 1), with_length(indices.shape(), axis, 1), op);
  return {broadcast_to(x, with_length(common, axis, x.dim(axis))),
          broadcast_to(indices, with_length(common, axis, indices.dim(axis)))};
}

// Mapped indices (B, ...) as (B, places).
Array places_of(const Array& indices) {
  return reshape(indices, {indices.dim(0),
                           size_of(Shape(indices.shape().begin() + 1, indices.shape().end()))});
}

}  // namespace

Specs Take::infer(std::span<const Spec> in) const {
  check_indices(in[1], kName);
  return {Spec{taken_shape(in[0].shape, in[1].shape, axis), in[0].dtype}};
}

Arrays Take::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {mica::apply(ScatterSum(in[0].shape(), axis), {in[1], g[0]}), Array()};
}
Arrays Take::vmap(const Arrays& in, const Mapped& mapped) const {
  if (!mapped[1]) return {mica::apply(Take(axis + 1), in)};
  if (!mapped[0]) return {moveaxis(mica::apply(Take(axis), in), axis, 0)};
  // (B, length, rest) at (B, places, 1), and the axes put back.
  const Array x = moveaxis(in[0], axis + 1, 1);
  const Array rows =
      reshape(x, {x.dim(0), x.dim(1), size_of(Shape(x.shape().begin() + 2, x.shape().end()))});
  const Array taken = take_along_axis(rows, expand_dims(places_of(in[1]), {2}), 1);
  Shape shape = in[1].shape();
  shape.append(x.shape().begin() + 2, x.shape().end());
  Array y = reshape(taken, shape);
  const int index_axes = in[1].rank() - 1;
  for (int i = 0; i < index_axes; ++i) y = moveaxis(y, 1, axis + index_axes);
  return {y};
}

Specs ScatterSum::infer(std::span<const Spec> in) const {
  check_indices(in[0], "scatter_add");
  const Shape wanted = taken_shape(shape, in[0].shape, axis);
  if (in[1].shape == wanted) return {Spec{shape, in[1].dtype}};
  fail("[scatter_add] indices of shape {} along axis {} of {} need updates of shape {}, got {}",
       to_string(in[0].shape), axis, to_string(shape), to_string(wanted), to_string(in[1].shape));
}

Arrays ScatterSum::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {Array(), mica::apply(Take(axis), {g[0], in[0]})};
}
Arrays ScatterSum::vmap(const Arrays& in, const Mapped& mapped) const {
  const int64_t length = mapped_length(in, mapped);
  Shape result = shape;
  result.insert(result.begin(), length);
  if (!mapped[0]) return {mica::apply(ScatterSum(result, axis + 1), in)};
  // (B, places, rest) at (B, places, 1) to (B, length, rest), and the axis put back.
  const Arrays all = all_mapped(in, mapped);
  const int index_axes = all[0].rank() - 1;
  Array updates = all[1];
  for (int i = 0; i < index_axes; ++i) updates = moveaxis(updates, axis + index_axes, 1);
  const Array indices = expand_dims(places_of(all[0]), {2});
  updates = reshape(updates, {length, indices.dim(1), size_of(with_length(shape, axis, 1))});
  const Array summed = mica::apply(ScatterSumAlongAxis(1, shape[static_cast<size_t>(axis)]),
                                   {broadcast_to(indices, updates.shape()), updates});
  Shape moved = result;
  const auto at = static_cast<size_t>(axis) + 1;
  std::rotate(moved.begin() + 1, moved.begin() + at, moved.begin() + at + 1);
  return {moveaxis(reshape(summed, moved), 1, axis + 1)};
}

Specs TakeAlongAxis::infer(std::span<const Spec> in) const {
  check_indices(in[1], kName);
  return {Spec{in[1].shape, in[0].dtype}};
}

Arrays TakeAlongAxis::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {mica::apply(ScatterSumAlongAxis(axis, in[0].dim(axis)), {in[1], g[0]}), Array()};
}
Arrays TakeAlongAxis::vmap(const Arrays& in, const Mapped& mapped) const {
  return {mica::apply(TakeAlongAxis(axis + 1), all_mapped(in, mapped))};
}

Specs ScatterSumAlongAxis::infer(std::span<const Spec> in) const {
  check_indices(in[0], "scatter_add_along_axis");
  if (in[0].shape == in[1].shape) {
    return {Spec{with_length(in[1].shape, axis, length), in[1].dtype}};
  }
  fail("[scatter_add_along_axis] indices of shape {} need updates of the same shape, got {}",
       to_string(in[0].shape), to_string(in[1].shape));
}

Arrays ScatterSumAlongAxis::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {Array(), mica::apply(TakeAlongAxis(axis), {g[0], in[0]})};
}
Arrays ScatterSumAlongAxis::vmap(const Arrays& in, const Mapped& mapped) const {
  return {mica::apply(ScatterSumAlongAxis(axis + 1, length), all_mapped(in, mapped))};
}

Array take(const Array& x, const Array& indices, int axis) {
  return mica::apply(Take(normalize_axis(axis, x.shape().size(), "take")), {x, indices});
}

Array take_along_axis(const Array& x, const Array& indices, int axis) {
  axis = normalize_axis(axis, x.shape().size(), "take_along_axis");
  const auto [values, positions] = aligned(x, indices, axis, "take_along_axis");
  return mica::apply(TakeAlongAxis(axis), {values, positions});
}

Array scatter_add(const Array& x, const Array& indices, const Array& updates, int axis) {
  axis = normalize_axis(axis, x.shape().size(), "scatter_add");
  const Arrays same = promoted({x, updates});
  return same[0] + mica::apply(ScatterSum(x.shape(), axis), {indices, same[1]});
}

Array scatter_add_along_axis(const Array& x, const Array& indices, const Array& updates, int axis) {
  axis = normalize_axis(axis, x.shape().size(), "scatter_add_along_axis");
  const auto [values, positions] = aligned(x, indices, axis, "scatter_add_along_axis");
  const Arrays same = promoted({values, broadcast_to(updates, positions.shape())});
  return same[0] + mica::apply(ScatterSumAlongAxis(axis, x.dim(axis)), {positions, same[1]});
}

Array one_hot(const Array& indices, int64_t classes, Dtype dtype) {
  if (!is_integer(indices.dtype())) {
    fail("[one_hot] indices must be integers, got {}", indices.dtype());
  }
  if (classes < 0) fail("[one_hot] the number of classes must not be negative, got {}", classes);
  // Small index types may not hold the largest class.
  const Dtype compared = size_of(indices.dtype()) < 4 ? int32 : int64;
  const Array column = expand_dims(astype(indices, compared), {-1});
  return astype(column == arange(classes, compared), dtype);
}

}  // namespace mica
