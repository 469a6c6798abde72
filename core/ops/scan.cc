#include "core/ops/scan.h"

#include "core/ops/elementwise.h"
#include "core/ops/index_op.h"
#include "core/ops/mapping.h"
#include "core/ops/scan_op.h"
#include "core/ops/view.h"

namespace mica {
namespace {

enum class Result { kSame, kWidened, kFloat };

Dtype result_dtype(Result result, Dtype x) {
  if (result == Result::kFloat) return is_inexact(x) ? x : float32;
  if (result == Result::kSame || is_inexact(x) || size_of(x) >= 4) return x;
  return is_unsigned(x) ? uint32 : int32;
}

// x moved by one place along `axis`, towards the start or the end; zero fills the gap.
Array shifted(const Array& x, int axis, bool towards_start) {
  const int64_t length = x.dim(axis);
  if (length == 0) return x;
  Shape low(x.shape().size(), 0);
  Shape high = low;
  (towards_start ? high : low)[axis] = 1;
  const Array kept =
      towards_start ? slice_axis(x, axis, 1, length) : slice_axis(x, axis, 0, length - 1);
  return pad(kept, low, high);
}

Array cumsum_cotangent(const CumSum& op, const Array& g) {
  return cumsum(g, op.axis, {.reverse = !op.reverse, .inclusive = op.inclusive});
}

// The k-th element's share is (product of all before k) * s[k] with
//   s[k] = g[k] + x[k+1] g[k+1] + x[k+1] x[k+2] g[k+2] + ... = g[k] + x[k+1] s[k+1],
// which needs no division and so is right where x has zeros. An exclusive scan's output k + 1 is
// an inclusive one's output k, so its cotangents move up by one.
Array cumprod_cotangent(const CumProd& op, const Array& x, const Array& g) {
  const bool towards_start = !op.reverse;
  const Array before = cumprod(x, op.axis, {.reverse = op.reverse, .inclusive = false});
  const Array own = op.inclusive ? g : shifted(g, op.axis, towards_start);
  return before * linear_recurrence(shifted(x, op.axis, towards_start), own, op.axis, !op.reverse);
}

template <class ScanOp>
Array extreme_cotangent(const ScanOp& op, bool largest, const Array& x, const Array& g) {
  const Array positions = mica::apply(RunningArg(op.axis, op.reverse, largest), {x});
  const Array own = op.inclusive ? g : shifted(g, op.axis, !op.reverse);
  return mica::apply(ScatterSumAlongAxis(op.axis, x.dim(op.axis)), {positions, own});
}

// a - b, and 0 where both are the same infinity.
Array difference(const Array& a, const Array& b) { return where(a == b, 0, a - b); }

// With y[k] = log(exp(x[0]) + ... + exp(x[k])), the k-th element's share is exp(x[k] - y[k]) s[k]
// with s[k] = g[k] + exp(y[k] - y[k+1]) s[k+1], where no exponent is positive.
Array logcumsumexp_cotangent(const LogCumSumExp& op, const Array& x, const Array& out,
                             const Array& g) {
  const int64_t length = x.dim(op.axis);
  if (length == 0) return g;
  const bool towards_start = !op.reverse;
  const Array y = op.inclusive ? out : logcumsumexp(x, op.axis, {.reverse = op.reverse});
  const Array own = op.inclusive ? g : shifted(g, op.axis, towards_start);
  // The last one has no neighbour, and so itself.
  const Array inner =
      towards_start ? slice_axis(y, op.axis, 1, length) : slice_axis(y, op.axis, 0, length - 1);
  const Array edge =
      towards_start ? slice_axis(y, op.axis, length - 1, length) : slice_axis(y, op.axis, 0, 1);
  const Array next =
      concatenate(towards_start ? Arrays{inner, edge} : Arrays{edge, inner}, op.axis);
  const Array total = linear_recurrence(exp(difference(y, next)), own, op.axis, !op.reverse);
  return exp(difference(x, y)) * total;
}

void check_type(Dtype dtype, bool ordered, std::string_view op) {
  if (ordered && is_complex(dtype)) fail("[{}] complex numbers have no order", op);
}

}  // namespace

#define SCAN(function, Class, result, identity, combine, cotangent)                            \
  Specs Class::infer(std::span<const Spec> in) const {                                         \
    check_type(in[0].dtype, Result::result != Result::kWidened, kName);                        \
    return {in[0]};                                                                            \
  }                                                                                            \
  Arrays Class::vjp(const Arrays& in, const Arrays& outputs, const Arrays& cotangents) const { \
    const Array& x = in[0];                                                                    \
    [[maybe_unused]] const Array& out = outputs[0];                                            \
    const Array& g = cotangents[0];                                                            \
    if (!is_inexact(x.dtype())) return {Array()};                                              \
    return {cotangent};                                                                        \
  }                                                                                            \
  Arrays Class::vmap(const Arrays& in, const Mapped&) const {                                  \
    return {mica::apply(Class(axis + 1, reverse, inclusive), in)};                             \
  }                                                                                            \
  Array function(const Array& x, int axis, const ScanOptions& options) {                       \
    axis = normalize_axis(axis, x.shape().size(), #function);                                  \
    const Array widened = astype(x, result_dtype(Result::result, x.dtype()));                  \
    return mica::apply(Class(axis, options.reverse, options.inclusive), {widened});            \
  }
#include "core/ops/scan.def"
#undef SCAN

Specs RunningArg::infer(std::span<const Spec> in) const {
  check_type(in[0].dtype, true, kName);
  return {Spec{in[0].shape, int32}};
}

Arrays RunningArg::vjp(const Arrays&, const Arrays&, const Arrays&) const { return {Array()}; }
Arrays RunningArg::vmap(const Arrays& in, const Mapped&) const {
  return {mica::apply(RunningArg(axis + 1, reverse, largest), in)};
}

Specs LinearRecurrence::infer(std::span<const Spec> in) const {
  if (!is_inexact(in[0].dtype)) {
    fail("[{}] needs a floating or complex type, got {}", kName, in[0].dtype);
  }
  MICA_ASSERT(in[0] == in[1]);
  return {in[0]};
}

// With G the cotangent that reaches y[k] from all later outputs: G[k] = g[k] + a[k+1] G[k+1];
// b's is G itself and a's is G[k] y[k-1].
Arrays LinearRecurrence::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const Array total = linear_recurrence(shifted(in[0], axis, !reverse), g[0], axis, !reverse);
  return {total * shifted(out[0], axis, reverse), total};
}
Arrays LinearRecurrence::vmap(const Arrays& in, const Mapped& mapped) const {
  return {mica::apply(LinearRecurrence(axis + 1, reverse), all_mapped(in, mapped))};
}

Array linear_recurrence(const Array& a, const Array& b, int axis, bool reverse) {
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), "linear_recurrence");
  axis = normalize_axis(axis, shape.size(), "linear_recurrence");
  Arrays same = promoted({a, b});
  for (Array& array : same) array = broadcast_to(array, shape);
  return mica::apply(LinearRecurrence(axis, reverse), same);
}

}  // namespace mica
