#include "core/ops/attention.h"

#include <cmath>
#include <limits>

#include "core/ops/attention_op.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/mapping.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "core/ops/view.h"

namespace mica {
namespace {

constexpr const char* kFunction = "scaled_dot_product_attention";

Array transposed(const Array& x) { return moveaxis(x, -1, -2); }

Array causal_mask(int64_t queries, int64_t keys) {
  return expand_dims(arange(queries, int32), {1}) >= arange(keys, int32);
}

Array minus_infinity() { return Array(-std::numeric_limits<float>::infinity()); }

// softmax(scale q k^T), all of it.
Array probabilities(const Array& q, const Array& k, double scale, bool causal) {
  Array scores = matmul(q * scale, transposed(k));
  if (causal) scores = where(causal_mask(q.dim(-2), k.dim(-2)), scores, minus_infinity());
  return softmax(scores);
}

Shape leading(const Array& x) { return Shape(x.shape().begin(), x.shape().end() - 2); }

void check_shapes(const Array& q, const Array& k, const Array& v) {
  for (const Array& x : {q, k, v}) {
    if (!is_floating(x.dtype())) fail("[{}] needs floating types, got {}", kFunction, x.dtype());
  }
  const bool fits = q.rank() >= 2 && k.rank() >= 2 && v.rank() >= 2 && q.dim(-1) == k.dim(-1) &&
                    k.dim(-2) == v.dim(-2);
  if (fits) return;
  fail("[{}] got q {}, k {}, v {}, want (..., L, D), (..., S, D), (..., S, E)", kFunction,
       to_string(q.shape()), to_string(k.shape()), to_string(v.shape()));
}

Array with_leading(const Array& x, const Shape& heads) {
  Shape shape = heads;
  shape.append(x.shape().end() - 2, x.shape().end());
  return broadcast_to(x, shape);
}

// The graph composition, for masks of any kind.
Array masked_attention(const Array& q, const Array& k, const Array& v, double scale, bool causal,
                       const Array& mask) {
  Array scores = matmul(q * scale, transposed(k));
  if (mask.dtype() == bool_)
    scores = where(mask, scores, minus_infinity());
  else
    scores = scores + astype(mask, scores.dtype());
  if (causal) scores = where(causal_mask(q.dim(-2), k.dim(-2)), scores, minus_infinity());
  return matmul(softmax(scores), v);
}

}  // namespace

Specs Attention::infer(std::span<const Spec> in) const {
  MICA_ASSERT(in[0].dtype == in[1].dtype && in[1].dtype == in[2].dtype);
  Shape out = in[0].shape;
  out.back() = in[2].shape.back();
  return {Spec{out, in[0].dtype},
          Spec{Shape(in[0].shape.begin(), in[0].shape.end() - 1), in[0].dtype}};
}

Arrays Attention::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  return mica::apply_all(AttentionGradient(scale, causal),
                         {in[0], in[1], in[2], g[0], out[0], out[1]});
}
Arrays Attention::vmap(const Arrays& in, const Mapped& mapped) const {
  return mica::apply_all(Attention(scale, causal), all_mapped(in, mapped));
}

// With P the probabilities and U the cotangent: dP = U v^T, dS = P (dP - rows(P dP)), rows() being
// sums over the keys, and the outputs are scale dS k, scale dS^T q and P^T U. Their cotangents a, b
// and c make the scalar <E, dS> + <P, U c^T> with E = scale (a k^T + q b^T), differentiated here.
Arrays AttentionGradient::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  const Array &q = in[0], &k = in[1], &v = in[2], &u = in[3];
  const auto rows = [](const Array& x) { return sum(x, {-1}, true); };
  const Array p = probabilities(q, k, scale, causal);
  const Array dp = matmul(u, transposed(v));
  const Array r = rows(p * dp);
  const Array ds = p * (dp - r);
  const Array e = (matmul(g[0], transposed(k)) + matmul(q, transposed(g[1]))) * scale;
  const Array e_rows = rows(p * e);
  const Array by_dp = p * (e - e_rows);
  const Array by_p = e * dp - e_rows * dp - r * e + matmul(u, transposed(g[2]));
  const Array by_s = p * (by_p - rows(p * by_p));
  const Array by_q = (matmul(by_s, k) + matmul(ds, g[1])) * scale;
  const Array by_k = (matmul(transposed(by_s), q) + matmul(transposed(ds), g[0])) * scale;
  const Array by_v = matmul(transposed(by_dp), u);
  const Array by_u = matmul(by_dp, v) + matmul(p, g[2]);
  return {by_q, by_k, by_v, by_u, Array(), Array()};
}
Arrays AttentionGradient::vmap(const Arrays& in, const Mapped& mapped) const {
  return mica::apply_all(AttentionGradient(scale, causal), all_mapped(in, mapped));
}

Array scaled_dot_product_attention(const Array& q, const Array& k, const Array& v,
                                   const AttentionOptions& options, const Array& mask) {
  check_shapes(q, k, v);
  const Arrays same = promoted({q, k, v});
  const Dtype type = same[0].dtype() == float64 ? float64 : float32;
  const Shape heads =
      broadcast_shapes(broadcast_shapes(leading(q), leading(k), kFunction), leading(v), kFunction);
  Arrays inputs;
  for (const Array& x : same) inputs.push_back(with_leading(astype(x, type), heads));
  const double depth = static_cast<double>(std::max<int64_t>(q.dim(-1), 1));
  const double scale = options.scale != 0 ? options.scale : 1 / std::sqrt(depth);
  const Array y = mask.defined() ? masked_attention(inputs[0], inputs[1], inputs[2], scale,
                                                    options.causal, mask)
                                 : mica::apply_all(Attention(scale, options.causal), inputs)[0];
  return astype(y, same[0].dtype());
}

}  // namespace mica
