// Writing by index arrays and slices: results are new arrays, x stays as it is.
//
//   Array y = at(x, {rows, columns}).add(1);          // JAX's x.at[rows, columns].add(1)
//   Array z = scatter(x, rows, updates, 0);           // x[rows] = updates
//   Array w = put_along_axis(x, order, values, -1);   // NumPy's
//
// Updates take x's dtype and broadcast to the places they are for. Updates of one place are taken
// in their order: set keeps the last one. Negative indices count from the end; an index out of
// range throws when the value is computed, naming the index and the axis length. Gradients go to x
// and to the updates; of equal extremes each gets the same share.
#pragma once

#include "core/graph/array.h"

namespace mica {

/// x[.., indices[i..], ..] = updates[.., i.., ..]: rows of an axis; updates have, or broadcast to,
/// the shape of take(x, indices, axis). (scatter_add is in core/ops/index.h.)
Array scatter(const Array& x, const Array& indices, const Array& updates, int axis);
Array scatter_prod(const Array& x, const Array& indices, const Array& updates, int axis);
Array scatter_max(const Array& x, const Array& indices, const Array& updates, int axis);
Array scatter_min(const Array& x, const Array& indices, const Array& updates, int axis);
/// The same with the layout of take_along_axis: values broadcast to the shape of indices.
Array put_along_axis(const Array& x, const Array& indices, const Array& values, int axis);

/// Places of x: an index array for each of its first axes, which broadcast to a common shape I.
/// What is at the places has the shape (I..., other axes of x...).
class At {
 public:
  At(const Array& x, const Arrays& indices);
  /// What is at the places.
  Array get() const;
  /// A copy of x with the places set to `updates`, or combined with them.
  Array set(const Array& updates) const;
  Array add(const Array& updates) const;
  Array subtract(const Array& updates) const;
  Array multiply(const Array& updates) const;
  Array divide(const Array& updates) const;
  Array maximum(const Array& updates) const;
  Array minimum(const Array& updates) const;

 private:
  // x with its indexed axes as one, and the positions along it.
  Array updated(Array (*write)(const Array&, const Array&, const Array&, int),
                const Array& updates) const;
  Shape shape_, places_;
  Array lines_, positions_;
};
/// Throws for more indices than axes, shapes that do not broadcast, and indices of other types
/// than integers.
At at(const Array& x, const Arrays& indices);
/// MLX's names: at(x, indices).get(), and so on, for index arrays of the given axes, none given:
/// the first ones.
Array gather(const Array& x, const Arrays& indices, const Axes& axes = {});

/// Row-major positions (int64) in `shape` of index arrays, one for each axis, and back (int32).
Array ravel_multi_index(const Arrays& indices, const Shape& shape);
Arrays unravel_index(const Array& positions, const Shape& shape);

/// The elements of x where `mask` (bool, of x's shape) holds, replaced by `values` one after the
/// other in row-major order. Throws, when computed, for fewer values than places.
Array masked_scatter(const Array& x, const Array& mask, const Array& values);

/// slice(x, start, stop, step) with update added to it, and so on, within x. (slice_update is in
/// core/ops/view.h.)
Array slice_update_add(const Array& x, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step = {});
Array slice_update_prod(const Array& x, const Array& update, const Shape& start, const Shape& stop,
                        const Shape& step = {});
Array slice_update_max(const Array& x, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step = {});
Array slice_update_min(const Array& x, const Array& update, const Shape& start, const Shape& stop,
                       const Shape& step = {});

/// The part of x that starts along axes[k] at start[k], an element of an integer vector, and is
/// size[k] long; whole along other axes. Starts out of range throw when computed.
Array dynamic_slice(const Array& x, const Array& start, const Axes& axes, const Shape& size);
/// x with the part that starts there replaced by `update`, which has x's rank.
Array dynamic_slice_update(const Array& x, const Array& update, const Array& start,
                           const Axes& axes);

}  // namespace mica
