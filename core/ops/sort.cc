#include "core/ops/sort.h"

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/mapping.h"
#include "core/ops/sort_op.h"
#include "core/ops/view.h"

namespace mica {
namespace {

const Spec& check_sortable(const Spec& x, std::string_view op) {
  if (is_complex(x.dtype)) fail("[{}] complex numbers have no order", op);
  if (x.shape.empty()) fail("[{}] needs at least one axis, got a scalar", op);
  if (x.shape.back() > INT32_MAX) {
    fail("[{}] an axis of length {} has no int32 positions", op, x.shape.back());
  }
  return x;
}

// Positions along `axis` from an op that works along the last one.
template <class PositionOp>
Array positions(const PositionOp& op, const Array& x, int axis) {
  if (axis == x.rank() - 1) return mica::apply(op, {x});
  return moveaxis(mica::apply(op, {moveaxis(x, axis, -1)}), -1, axis);
}

}  // namespace

Specs Argsort::infer(std::span<const Spec> in) const {
  return {Spec{check_sortable(in[0], kName).shape, int32}};
}

Arrays Argsort::vjp(const Arrays&, const Arrays&, const Arrays&) const { return {Array()}; }
Arrays Argsort::vmap(const Arrays& in, const Mapped&) const { return {mica::apply(Argsort(), in)}; }

Specs ArgTopK::infer(std::span<const Spec> in) const {
  Shape shape = check_sortable(in[0], kName).shape;
  shape.back() = k;
  return {Spec{shape, int32}};
}

Arrays ArgTopK::vjp(const Arrays&, const Arrays&, const Arrays&) const { return {Array()}; }
Arrays ArgTopK::vmap(const Arrays& in, const Mapped&) const {
  return {mica::apply(ArgTopK(k), in)};
}

Specs SearchSorted::infer(std::span<const Spec> in) const {
  check_sortable(in[0], kName);
  MICA_ASSERT(in[0].dtype == in[1].dtype && in[0].shape.size() == in[1].shape.size());
  return {Spec{in[1].shape, int32}};
}

Arrays SearchSorted::vjp(const Arrays&, const Arrays&, const Arrays&) const {
  return {Array(), Array()};
}
Arrays SearchSorted::vmap(const Arrays& in, const Mapped& mapped) const {
  return {mica::apply(*this, all_mapped(in, mapped))};
}

Array argsort(const Array& x, int axis) {
  return positions(Argsort(), x, normalize_axis(axis, x.shape().size(), "argsort"));
}

Array sort(const Array& x, int axis) {
  axis = normalize_axis(axis, x.shape().size(), "sort");
  return take_along_axis(x, argsort(x, axis), axis);
}

namespace {

void check_kth(const Array& x, int64_t kth, int axis, const char* op) {
  const int64_t length = x.dim(normalize_axis(axis, x.shape().size(), op));
  if (kth < -length || kth >= length) {
    fail("[{}] kth = {} is out of range for an axis of length {}", op, kth, length);
  }
}

}  // namespace

Array partition(const Array& x, int64_t kth, int axis) {
  check_kth(x, kth, axis, "partition");
  return sort(x, axis);
}

Array argpartition(const Array& x, int64_t kth, int axis) {
  check_kth(x, kth, axis, "argpartition");
  return argsort(x, axis);
}

Array searchsorted(const Array& sorted, const Array& values, bool right) {
  if (sorted.rank() != 1) {
    fail("[searchsorted] wanted a sorted vector, got shape {}", to_string(sorted.shape()));
  }
  const Arrays same = promoted({sorted, values});
  const Array line = reshape(same[1], {values.size()});
  return reshape(mica::apply(SearchSorted(right), {same[0], line}), values.shape());
}

std::pair<Array, Array> topk(const Array& x, int64_t k, int axis) {
  axis = normalize_axis(axis, x.shape().size(), "topk");
  if (k < 0 || k > x.dim(axis)) {
    fail("[topk] k must lie in [0, {}], the length of axis {}; got {}", x.dim(axis), axis, k);
  }
  const Array order = positions(ArgTopK(k), x, axis);
  return {take_along_axis(x, order, axis), order};
}

}  // namespace mica
