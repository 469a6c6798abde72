#include "core/ops/reduce.h"

#include <algorithm>
#include <utility>

#include "core/graph/node.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce_op.h"
#include "core/ops/scan.h"
#include "core/ops/view.h"
#include "core/ops/view_op.h"

namespace mica {
namespace {

const Array none;

// Equal extremes share the cotangent equally.
Array extreme_share(const Array& x, const Array& out, const Axes& axes) {
  const Array hits = astype(x == out, x.dtype());
  return hits / sum(hits, axes, true);
}

// The product of all other elements, from both sides, so that zeros need no division.
Array prod_cotangent(const Array& x, const Axes& axes, const Array& g) {
  Axes order;
  Shape kept;
  int64_t length = 1;
  for (int i = 0; i < x.rank(); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) order.push_back(i);
  }
  for (int i : order) kept.push_back(x.dim(i));
  for (int axis : axes) {
    order.push_back(axis);
    length *= x.dim(axis);
  }
  kept.push_back(length);
  const Array lined = reshape(transpose(x, order), kept);
  const Array before = cumprod(lined, -1, {.reverse = false, .inclusive = false});
  const Array after = cumprod(lined, -1, {.reverse = true, .inclusive = false});
  Shape moved;
  Axes inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    moved.push_back(x.dim(order[i]));
    inverse[static_cast<size_t>(order[i])] = static_cast<int>(i);
  }
  return g * transpose(reshape(before * after, moved), inverse);
}

constexpr std::string_view kNames[] = {
#define REDUCE(name, ...) #name,
#include "core/ops/reduce.def"
#undef REDUCE
};

using Vjp = Array (*)(const Array& x, const Array& out, const Array& g, const Axes& axes);
constexpr Vjp kVjps[] = {
#define REDUCE(name, identity, combine, cotangent)                        \
  +[]([[maybe_unused]] const Array& x, [[maybe_unused]] const Array& out, \
      [[maybe_unused]] const Array& g,                                    \
      [[maybe_unused]] const Axes& axes) -> Array { return cotangent; },
#include "core/ops/reduce.def"
#undef REDUCE
};

Array drop(Array x, const Axes& axes, bool keepdims) {
  return keepdims || axes.empty() ? std::move(x) : squeeze(std::move(x), axes);
}

// Of a view that repeats its elements along reduced axes, each element is enough: extremes are the
// same, and a sum is so many times as large.
Array reduce_repeated(Reduction reduction, const Array& x, const Axes& reduced) {
  const auto* repeats = dynamic_cast<const BroadcastTo*>(x.node()->op.get());
  if (repeats == nullptr || reduction == Reduction::k_prod) return Array();
  const Array& source = x.node()->inputs[0];
  const int lead = x.rank() - source.rank();
  Shape shape = x.shape();
  int64_t count = 1;
  for (const int axis : reduced) {
    const bool repeated = axis < lead || source.dim(axis - lead) == 1;
    if (!repeated || x.dim(axis) == 0) continue;
    count *= std::exchange(shape[static_cast<size_t>(axis)], 1);
  }
  if (count == 1) return Array();
  const Array one = apply(Reduce(reduction, reduced), {broadcast_to(source, shape)});
  if (reduction != Reduction::k_sum) return one;
  const bool is_short = is_floating(x.dtype()) && size_of(x.dtype()) < 4;  // may not hold the count
  const Dtype dtype = is_short ? float32 : x.dtype();
  return astype(astype(one, dtype) * Array::scalar(static_cast<double>(count), dtype), x.dtype());
}

Array reduce(Reduction reduction, Array x, const Axes& axes, bool keepdims) {
  const Axes reduced = normalize_axes(axes, x.shape().size(), name_of(reduction).data());
  if (reduced.empty()) return x;
  if (Array of_repeated = reduce_repeated(reduction, x, reduced); of_repeated.defined()) {
    return drop(std::move(of_repeated), reduced, keepdims);
  }
  return drop(apply(Reduce(reduction, reduced), {std::move(x)}), reduced, keepdims);
}

// NumPy sums small integers in the platform's int; ours is int32.
Array widened(Array x) {
  if (is_bool(x.dtype()) || (is_integer(x.dtype()) && size_of(x.dtype()) < 4)) {
    const Dtype wide = is_unsigned(x.dtype()) ? uint32 : int32;
    return astype(std::move(x), wide);
  }
  return x;
}

int64_t count_of(const Array& x, const Axes& axes) {
  int64_t count = 1;
  for (int axis : normalize_axes(axes, x.shape().size(), "mean")) count *= x.dim(axis);
  return count;
}

Array arg_extreme(Array x, int axis, bool keepdims, bool largest) {
  if (x.rank() == 0) return zeros({}, int32);
  axis = normalize_axis(axis, x.shape().size(), largest ? "argmax" : "argmin");
  return drop(apply(ArgExtreme(axis, largest), {std::move(x)}), {axis}, keepdims);
}

}  // namespace

std::string_view name_of(Reduction reduction) { return kNames[static_cast<size_t>(reduction)]; }

Specs Reduce::infer(std::span<const Spec> in) const {
  Spec out = in[0];
  const bool ordered = reduction == Reduction::k_max || reduction == Reduction::k_min;
  if (ordered && is_complex(out.dtype)) fail("[{}] complex numbers have no order", name());
  for (int axis : axes) {
    int64_t& length = out.shape[static_cast<size_t>(axis)];
    if (length == 0 && ordered) {
      fail("[{}] axis {} of shape {} is empty and has no extreme", name(), axis,
           to_string(in[0].shape));
    }
    length = 1;
  }
  return {out};
}

Arrays Reduce::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  return {kVjps[static_cast<size_t>(reduction)](in[0], out[0], g[0], axes)};
}
Arrays Reduce::vmap(const Arrays& in, const Mapped&) const {
  Axes behind;
  for (int axis : axes) behind.push_back(axis + 1);
  return {apply(Reduce(reduction, behind), in)};
}

Arrays ArgExtreme::vmap(const Arrays& in, const Mapped&) const {
  return {apply(ArgExtreme(axis + 1, largest), in)};
}

Specs ArgExtreme::infer(std::span<const Spec> in) const {
  Spec out = {in[0].shape, int32};
  int64_t& length = out.shape[static_cast<size_t>(axis)];
  if (is_complex(in[0].dtype)) fail("[argmax] complex numbers have no order");
  if (length == 0) fail("[argmax] axis {} of shape {} is empty", axis, to_string(in[0].shape));
  length = 1;
  return {out};
}

Array sum(Array x, const Axes& axes, bool keepdims) {
  return reduce(Reduction::k_sum, widened(std::move(x)), axes, keepdims);
}
Array prod(Array x, const Axes& axes, bool keepdims) {
  return reduce(Reduction::k_prod, widened(std::move(x)), axes, keepdims);
}
Array max(Array x, const Axes& axes, bool keepdims) {
  return reduce(Reduction::k_max, std::move(x), axes, keepdims);
}
Array min(Array x, const Axes& axes, bool keepdims) {
  return reduce(Reduction::k_min, std::move(x), axes, keepdims);
}
Array all(Array x, const Axes& axes, bool keepdims) {
  return reduce(Reduction::k_all, astype(std::move(x), bool_), axes, keepdims);
}
Array any(Array x, const Axes& axes, bool keepdims) {
  return reduce(Reduction::k_any, astype(std::move(x), bool_), axes, keepdims);
}

Array mean(Array x, const Axes& axes, bool keepdims) {
  const double scale = 1.0 / static_cast<double>(count_of(x, axes));
  if (!is_inexact(x.dtype())) x = astype(std::move(x), float32);
  return sum(std::move(x), axes, keepdims) * scale;
}

Array var(const Array& x, const Axes& axes, bool keepdims, int ddof) {
  const Array centred = x - mean(x, axes, true);
  const double divisor = static_cast<double>(count_of(x, axes) - ddof);
  return sum(square(centred), axes, keepdims) * (1.0 / divisor);
}

Array argmax(Array x, int axis, bool keepdims) {
  return arg_extreme(std::move(x), axis, keepdims, true);
}
Array argmin(Array x, int axis, bool keepdims) {
  return arg_extreme(std::move(x), axis, keepdims, false);
}

}  // namespace mica
