#include "core/ops/elementwise.h"

#include <array>
#include <cmath>

#include "core/graph/node.h"
#include "core/ops/complex.h"
#include "core/ops/create.h"
#include "core/ops/mapping.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica {
namespace {

// What a row of the table writes for "this input has no gradient".
const Array none;

// Divisors for the table: infinity, by which quotients are 0, in the place of what has no finite
// derivative. NaN counts as such.
Array nonzero(const Array& x) { return where(x == 0, INFINITY, x); }
Array positive(const Array& x) {
  return is_complex(x.dtype()) ? nonzero(x) : where(x > 0, x, INFINITY);
}

using Vjp = Arrays (*)(const Arrays& in, const Array& out, const Array& g);

#define UNARY(name, types, sample, value, gx)                                             \
  Arrays vjp_##name([[maybe_unused]] const Arrays& in, [[maybe_unused]] const Array& out, \
                    [[maybe_unused]] const Array& g) {                                    \
    [[maybe_unused]] const Array& x = in[0];                                              \
    return {gx};                                                                          \
  }
#define BINARY(name, types, sample, value, gx, gy)                                        \
  Arrays vjp_##name([[maybe_unused]] const Arrays& in, [[maybe_unused]] const Array& out, \
                    [[maybe_unused]] const Array& g) {                                    \
    [[maybe_unused]] const Array& x = in[0];                                              \
    [[maybe_unused]] const Array& y = in[1];                                              \
    return {gx, gy};                                                                      \
  }
#define TEST(name, ...) \
  Arrays vjp_##name(const Arrays&, const Array&, const Array&) { return {none}; }
#define COMPARE(name, ...) \
  Arrays vjp_##name(const Arrays&, const Array&, const Array&) { return {none, none}; }
#include "core/ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE

constexpr bool differs_from_none(std::string_view cotangent) { return cotangent != "none"; }

constexpr ElementwiseRow kRows[] = {
#define UNARY(name, types, sample, value, gx) \
  {#name, 1, Types::types, Sample::sample, false, differs_from_none(#gx)},
#define BINARY(name, types, sample, value, gx, gy) \
  {#name, 2, Types::types, Sample::sample, false, differs_from_none(#gx)},
#define TEST(name, types, sample, value) {#name, 1, Types::types, Sample::sample, true, false},
#define COMPARE(name, types, sample, value) {#name, 2, Types::types, Sample::sample, true, false},
#include "core/ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
};

constexpr Vjp kVjps[] = {
#define UNARY(name, ...) &vjp_##name,
#define BINARY UNARY
#define TEST UNARY
#define COMPARE UNARY
#include "core/ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
};

// One shared object a row: building a node allocates no op.
std::shared_ptr<const Op> shared_op(Function function) {
  static const auto ops = [] {
    std::array<std::shared_ptr<const Op>, std::size(kRows)> all;
    for (size_t i = 0; i < all.size(); ++i) {
      all[i] = std::make_shared<const Elementwise>(static_cast<Function>(i));
    }
    return all;
  }();
  return ops[static_cast<size_t>(function)];
}

Array unary(Function function, Array x) {
  // The one row whose result has another type for complex numbers.
  if (function == Function::k_abs && is_complex(x.dtype())) {
    return apply(Magnitude(), {std::move(x)});
  }
  const Dtype dtype = compute_dtype(kRows[static_cast<size_t>(function)], x.dtype());
  return apply(shared_op(function), {astype(std::move(x), dtype)});
}

Array binary(Function function, Array x, Array y) {
  Arrays in = promoted({std::move(x), std::move(y)});
  const Dtype dtype = compute_dtype(kRows[static_cast<size_t>(function)], in[0].dtype());
  for (Array& each : in) each = astype(std::move(each), dtype);
  return apply(shared_op(function), std::move(in));
}

// How far a weak scalar's kind lies above the integers: 0 bool, 1 integer, 2 float.
int kind(Dtype d) { return is_bool(d) ? 0 : is_integer(d) ? 1 : 2; }

}  // namespace

#define UNARY(name, ...) \
  Array name(Array x) { return unary(Function::k_##name, std::move(x)); }
#define TEST UNARY
#define BINARY(name, ...) \
  Array name(Array x, Array y) { return binary(Function::k_##name, std::move(x), std::move(y)); }
#define COMPARE BINARY
#include "core/ops/elementwise.def"
#undef UNARY
#undef TEST
#undef BINARY
#undef COMPARE

std::span<const ElementwiseRow> elementwise_rows() { return kRows; }

Dtype compute_dtype(const ElementwiseRow& row, Dtype dtype) {
  const auto refuse = [&] { fail("[{}] has no meaning for {}", row.name, dtype); };
  switch (row.types) {
    case Types::kNumber: return dtype;
    case Types::kReal:
      if (is_complex(dtype)) refuse();
      return dtype;
    case Types::kInexact: return is_inexact(dtype) ? dtype : float32;
    case Types::kFloat:
      if (is_complex(dtype)) refuse();
      return is_floating(dtype) ? dtype : float32;
    case Types::kInteger:
      if (is_inexact(dtype)) refuse();
      return dtype;
  }
  return dtype;
}

Arrays promoted(const Arrays& arrays) {
  Dtype strong = bool_;
  Dtype weak = bool_;
  bool any_strong = false;
  for (const Array& a : arrays) {
    if (a.is_weak()) {
      weak = promote(weak, a.dtype());
    } else {
      strong = any_strong ? promote(strong, a.dtype()) : a.dtype();
      any_strong = true;
    }
  }
  // A number only counts where its kind is beyond the arrays': 2.5 makes int32 into float32.
  Dtype common = any_strong ? strong : weak;
  if (any_strong && !is_complex(strong) && kind(weak) > kind(strong)) common = weak;
  Arrays out;
  for (const Array& a : arrays) out.push_back(astype(a, common));
  return out;
}

Array unbroadcast(const Array& g, const Shape& shape) {
  if (g.shape() == shape) return g;
  const size_t extra = g.shape().size() - shape.size();
  Axes axes;
  for (size_t i = 0; i < g.shape().size(); ++i) {
    if (i < extra || (shape[i - extra] == 1 && g.shape()[i] != 1)) {
      axes.push_back(static_cast<int>(i));
    }
  }
  return reshape(axes.empty() ? g : sum(g, axes), shape);
}

const ElementwiseRow& Elementwise::row() const { return kRows[static_cast<size_t>(function)]; }

Specs Elementwise::infer(std::span<const Spec> in) const {
  MICA_ASSERT(in.size() == static_cast<size_t>(row().arity));
  Spec out = in[0];
  if (in.size() == 2) {
    MICA_ASSERT(in[0].dtype == in[1].dtype);
    out.shape = broadcast_shapes(in[0].shape, in[1].shape, row().name.data());
  }
  if (row().gives_bool) out.dtype = bool_;
  return {out};
}

Arrays Elementwise::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  Arrays cotangents = kVjps[static_cast<size_t>(function)](in, out[0], g[0]);
  for (size_t i = 0; i < in.size(); ++i) {
    if (cotangents[i].defined()) cotangents[i] = unbroadcast(cotangents[i], in[i].shape());
  }
  return cotangents;
}
Arrays Elementwise::vmap(const Arrays& in, const Mapped& mapped) const {
  return {apply(shared_op(function), with_equal_ranks(in, mapped))};
}

Array where(Array condition, Array x, Array y) {
  if (condition.dtype() != bool_) condition = not_equal(std::move(condition), 0);
  const Arrays values = promoted({std::move(x), std::move(y)});
  static const auto op = std::make_shared<const Where>();
  return apply(op, {std::move(condition), values[0], values[1]});
}

Specs Where::infer(std::span<const Spec> in) const {
  const Shape values = broadcast_shapes(in[1].shape, in[2].shape, "where");
  return {{broadcast_shapes(in[0].shape, values, "where"), in[1].dtype}};
}

Arrays Where::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {none, unbroadcast(where(in[0], g[0], 0), in[1].shape()),
          unbroadcast(where(in[0], 0, g[0]), in[2].shape())};
}
Arrays Where::vmap(const Arrays& in, const Mapped& mapped) const {
  return {apply(Where(), with_equal_ranks(in, mapped))};
}

Array astype(Array x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  if (x.is_weak() && x.shape().empty()) return Array::scalar(x.node()->weak_value, dtype);
  if (is_complex(x.dtype()) && !is_complex(dtype))
    fail("[astype] {} has no {} value: take real() or abs()", x.dtype(), dtype);
  static const auto ops = [] {
    std::array<std::shared_ptr<const Op>, kDtypeCount> all;
    for (int i = 0; i < kDtypeCount; ++i) all[i] = std::make_shared<const Cast>(Dtype(i));
    return all;
  }();
  return apply(ops[static_cast<size_t>(dtype)], {std::move(x)});
}

Specs Cast::infer(std::span<const Spec> in) const { return {{in[0].shape, dtype}}; }

Arrays Cast::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  if (!is_inexact(in[0].dtype()) || !is_inexact(dtype)) return {none};
  return {astype(is_complex(in[0].dtype()) ? g[0] : real(g[0]), in[0].dtype())};
}
Arrays Cast::vmap(const Arrays& in, const Mapped&) const { return {astype(in[0], dtype)}; }

Array clip(Array x, Array low, Array high) {
  return minimum(maximum(std::move(x), std::move(low)), std::move(high));
}

}  // namespace mica
