#include "core/ops/softmax.h"

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/mapping.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax_op.h"
#include "core/ops/view.h"

namespace mica {
namespace {

const Spec& check_rows(const Spec& x, std::string_view op) {
  if (!is_floating(x.dtype)) fail("[{}] needs a floating type, got {}", op, x.dtype);
  if (x.shape.empty()) fail("[{}] needs at least one axis, got a scalar", op);
  return x;
}

Shape without_last(const Shape& shape) { return Shape(shape.begin(), shape.end() - 1); }

void check_labels(const Spec& logits, const Spec& labels, std::string_view op) {
  check_rows(logits, op);
  if (!is_integer(labels.dtype)) fail("[{}] labels must be integers, got {}", op, labels.dtype);
  const Shape wanted = without_last(logits.shape);
  if (labels.shape == wanted) return;
  fail("[{}] logits of shape {} need labels of shape {}, got {}", op, to_string(logits.shape),
       to_string(wanted), to_string(labels.shape));
}

// 1 for rows whose label is a class, 0 for the others; one axis of length 1 at the end.
Array valid_rows(const Array& labels, int64_t classes, Dtype dtype) {
  const Array valid = logical_and(labels >= 0, labels < classes);
  return expand_dims(astype(valid, dtype), {-1});
}

Array as_floating(const Array& x) { return is_inexact(x.dtype()) ? x : astype(x, float32); }

template <class F>
Array along_last_axis(const Array& x, int axis, const char* name, F f) {
  axis = normalize_axis(axis, x.shape().size(), name);
  if (axis == x.rank() - 1) return f(x);
  return moveaxis(f(moveaxis(x, axis, -1)), -1, axis);
}

}  // namespace

Specs Softmax::infer(std::span<const Spec> in) const { return {check_rows(in[0], kName)}; }

Arrays Softmax::vjp(const Arrays&, const Arrays& out, const Arrays& g) const {
  const Array weighted = g[0] * out[0];
  return {weighted - out[0] * sum(weighted, {-1}, true)};
}
Arrays Softmax::vmap(const Arrays& in, const Mapped&) const { return {mica::apply(Softmax(), in)}; }

Specs LogSoftmax::infer(std::span<const Spec> in) const { return {check_rows(in[0], kName)}; }

Arrays LogSoftmax::vjp(const Arrays&, const Arrays& out, const Arrays& g) const {
  return {g[0] - exp(out[0]) * sum(g[0], {-1}, true)};
}
Arrays LogSoftmax::vmap(const Arrays& in, const Mapped&) const {
  return {mica::apply(LogSoftmax(), in)};
}

Specs LogSumExp::infer(std::span<const Spec> in) const {
  return {Spec{without_last(check_rows(in[0], kName).shape), in[0].dtype}};
}

Arrays LogSumExp::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  // Where all of a row is -inf, so is the result; subtracting it would give NaN instead of 0.
  const Array total = expand_dims(where(isfinite(out[0]), out[0], 0), {-1});
  return {expand_dims(g[0], {-1}) * exp(in[0] - total)};
}
Arrays LogSumExp::vmap(const Arrays& in, const Mapped&) const {
  return {mica::apply(LogSumExp(), in)};
}

Specs CrossEntropy::infer(std::span<const Spec> in) const {
  check_labels(in[0], in[1], kName);
  const Spec statistic{in[1].shape, in[0].dtype == float64 ? float64 : float32};
  return {Spec{in[1].shape, in[0].dtype}, statistic, statistic};
}

Arrays CrossEntropy::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  return {mica::apply(CrossEntropyGrad(), {in[0], in[1], g[0], out[1], out[2]}), Array()};
}
Arrays CrossEntropy::vmap(const Arrays& in, const Mapped& mapped) const {
  return mica::apply_all(CrossEntropy(strict), all_mapped(in, mapped));
}

Specs CrossEntropyGrad::infer(std::span<const Spec> in) const {
  check_labels(in[0], in[1], kName);
  return {in[0]};
}

// out = c * valid * (p - onehot) with the cotangent c a column and p = softmax(logits).
Arrays CrossEntropyGrad::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  const int64_t classes = in[0].dim(-1);
  const Array p = softmax(in[0]);
  const Array masked = g[0] * valid_rows(in[1], classes, g[0].dtype());
  const Array by_cotangent = sum(masked * (p - one_hot(in[1], classes, p.dtype())), {-1});
  const Array weighted = masked * expand_dims(in[2], {-1}) * p;
  return {weighted - p * sum(weighted, {-1}, true), Array(), by_cotangent, Array(), Array()};
}
Arrays CrossEntropyGrad::vmap(const Arrays& in, const Mapped& mapped) const {
  return mica::apply_all(CrossEntropyGrad(), all_mapped(in, mapped));
}

Array softmax(const Array& x, int axis) {
  return along_last_axis(as_floating(x), axis, "softmax",
                         [](const Array& rows) { return mica::apply(Softmax(), {rows}); });
}

Array log_softmax(const Array& x, int axis) {
  return along_last_axis(as_floating(x), axis, "log_softmax",
                         [](const Array& rows) { return mica::apply(LogSoftmax(), {rows}); });
}

Array logsumexp(const Array& x, const Axes& axes, bool keepdims) {
  const Axes reduced = normalize_axes(axes, x.shape().size(), "logsumexp");
  Axes order;
  Shape rows;
  Shape result;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const bool kept = std::find(reduced.begin(), reduced.end(), axis) == reduced.end();
    if (kept) {
      order.push_back(axis);
      rows.push_back(x.dim(axis));
    }
    if (kept || keepdims) result.push_back(kept ? x.dim(axis) : 1);
  }
  int64_t columns = 1;
  for (int axis : reduced) {
    order.push_back(axis);
    columns *= x.dim(axis);
  }
  rows.push_back(columns);
  const Array last = reshape(transpose(as_floating(x), order), rows);
  return reshape(apply(LogSumExp(), {last}), result);
}

Array cross_entropy(const Array& logits, const Array& labels, bool strict) {
  return mica::apply_all(CrossEntropy(strict), {as_floating(logits), labels})[0];
}

}  // namespace mica
