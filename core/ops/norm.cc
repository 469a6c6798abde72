#include "core/ops/norm.h"

#include "core/ops/elementwise.h"
#include "core/ops/mapping.h"
#include "core/ops/norm_op.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica {
namespace {

// The type in which statistics of x are kept.
Dtype computed_in(Dtype dtype) { return dtype == float64 ? float64 : float32; }

void check_channels(const Spec& x, std::string_view op) {
  if (!is_floating(x.dtype)) fail("[{}] needs a floating type, got {}", op, x.dtype);
  if (x.shape.size() < 2) {
    fail("[{}] needs two or more axes, got shape {}", op, to_string(x.shape));
  }
}

// weight or bias in the type that x is computed in.
Array channel_factor(const Array& factor, const Array& x, const char* op, const char* name) {
  if (factor.shape() == Shape{x.dim(-1)}) return astype(factor, computed_in(x.dtype()));
  fail("[{}] {} has shape {}, want ({},) for input of shape {}", op, name,
       to_string(factor.shape()), x.dim(-1), to_string(x.shape()));
}

Array one_over_rows(const Array& x) {
  const int64_t rows = x.size() / std::max<int64_t>(x.dim(-1), 1);
  return Array(1.0 / static_cast<double>(std::max<int64_t>(rows, 1)));
}

// Mapped weights or biases (B, columns) for rows (B, ..., columns).
Array for_rows(const Array& factors, int rank) {
  Shape shape(static_cast<size_t>(rank), 1);
  shape.front() = factors.dim(0);
  shape.back() = factors.dim(1);
  return reshape(factors, shape);
}

}  // namespace

Specs ChannelMoments::infer(std::span<const Spec> in) const {
  check_channels(in[0], kName);
  const Spec each{{in[0].shape.back()}, computed_in(in[0].dtype)};
  return {each, each};
}

Arrays ChannelMoments::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const Array share = one_over_rows(in[0]);
  const Array centred = astype(in[0], out[0].dtype()) - out[0];
  return {astype(g[0] * share + centred * (g[1] * (2 * share)), in[0].dtype())};
}
Arrays ChannelMoments::vmap(const Arrays& in, const Mapped&) const {
  const Arrays moments = mica::apply_all(ChannelMoments(), {mapped_to_channels(in[0])});
  const Shape shape = {in[0].dim(0), in[0].dim(-1)};
  return {reshape(moments[0], shape), reshape(moments[1], shape)};
}

Specs ChannelDots::infer(std::span<const Spec> in) const {
  check_channels(in[0], kName);
  MICA_ASSERT(in[0] == in[1] && in[2] == (Spec{{in[0].shape.back()}, computed_in(in[0].dtype)}));
  return {in[2], in[2]};
}

Arrays ChannelDots::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const Dtype type = out[0].dtype();
  const Array centred = astype(in[1], type) - in[2];
  return {astype(g[0] + g[1] * centred, in[0].dtype()),
          astype(g[1] * astype(in[0], type), in[1].dtype()), -g[1] * out[0]};
}
Arrays ChannelDots::vmap(const Arrays& in, const Mapped& mapped) const {
  const Arrays all = all_mapped(in, mapped);
  Arrays joined;
  for (const Array& x : all) joined.push_back(mapped_to_channels(x));
  const Arrays dots = mica::apply_all(ChannelDots(), joined);
  return {reshape(dots[0], all[2].shape()), reshape(dots[1], all[2].shape())};
}

// With r = 1 / sqrt(variance + eps) and n rows: dx = weight r (g - sum(g) / n - (x - mean) r^2
// sum(g (x - mean)) / n), in which mean and variance are functions of x.
Arrays BatchNormed::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  const Array& x = in[0];
  const Array& mean = in[1];
  const Dtype type = mean.dtype();
  const Arrays sums = mica::apply_all(ChannelDots(), {g[0], x, mean});
  const Array root = rsqrt(in[2] + eps);
  const Array scale = in.size() > 4 ? root * in[4] : root;
  const Array share = one_over_rows(x);
  const Array slope = -scale * square(root) * sums[1] * share;
  const Array shift = -scale * sums[0] * share;
  const Array dx = astype(g[0], type) * scale + (astype(x, type) - mean) * slope + shift;
  Arrays cotangents = {astype(dx, x.dtype()), Array(), Array(), Array()};
  if (in.size() > 4) {
    cotangents.push_back(root * sums[1]);
    cotangents.push_back(sums[0]);
  }
  return cotangents;
}
Arrays BatchNormed::vmap(const Arrays& in, const Mapped& mapped) const {
  const Arrays all = all_mapped(in, mapped);
  Arrays joined;
  for (const Array& x : all) joined.push_back(mapped_to_channels(x));
  const Array y = mica::apply(BatchNormed(eps), joined);
  return {channels_to_mapped(y, all[3].dim(0), all[3].dim(-1))};
}

Specs RowNorm::infer(std::span<const Spec> in) const {
  if (!is_floating(in[0].dtype)) fail("[{}] needs a floating type, got {}", name(), in[0].dtype);
  if (in[0].shape.empty()) fail("[{}] needs at least one axis, got a scalar", name());
  const Spec row{Shape(in[0].shape.begin(), in[0].shape.end() - 1), computed_in(in[0].dtype)};
  return {in[0], row, row};
}

Arrays RowNorm::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  Arrays inputs = {g[0], in[0], out[1], out[2]};
  if (in.size() > 1) inputs.push_back(in[1]);
  Arrays cotangents = mica::apply_all(RowNormGradient(eps, centred), inputs);
  cotangents.resize(in.size());
  return cotangents;
}
Arrays RowNorm::vmap(const Arrays& in, const Mapped& mapped) const {
  const bool own_factors = in.size() > 1 && (mapped[1] || (in.size() > 2 && mapped[2]));
  if (!own_factors) return mica::apply_all(RowNorm(eps, centred), in);
  const Arrays all = all_mapped(in, mapped);
  Arrays out = mica::apply_all(RowNorm(eps, centred), {all[0]});
  Array y = astype(out[0], all[1].dtype()) * for_rows(all[1], all[0].rank());
  if (all.size() > 2) y = y + for_rows(all[2], all[0].rank());
  out[0] = astype(y, in[0].dtype());
  return out;
}

Specs RowNormGradient::infer(std::span<const Spec> in) const {
  MICA_ASSERT(in[0] == in[1] && in[2] == in[3]);
  if (in.size() == 4) return {in[1]};
  return {in[1], in[4], in[4]};
}

// In the terms of row_norm_cpu.cc, the derivative of z by x is, row by row, the symmetric map
// L(c) = root (c - mean(c) - z mean(c z)), so that dx = L(h). The cotangents u of dx, w of dweight
// and v of dbias make the scalar <u, L(h)> + <w, sum(g z)> + <v, sum(g)>, which is differentiated
// here by g, weight and x, the latter through root and through z.
Arrays RowNormGradient::vjp(const Arrays& in, const Arrays&, const Arrays& given) const {
  const Dtype type = in[2].dtype();
  const Array x = astype(in[1], type), g = astype(in[0], type), u = astype(given[0], type);
  const auto mean_of = [](const Array& c) { return mean(c, {-1}, true); };
  const Array apart = centred ? x - mean_of(x) : x;
  const Array root = rsqrt(mean_of(square(apart)) + eps);
  const Array z = apart * root;
  const auto through = [&](const Array& c) {
    const Array about = centred ? c - mean_of(c) : c;
    return root * (about - z * mean_of(c * z));
  };
  const bool weighted = in.size() > 4;
  const Array h = weighted ? g * in[4] : g;
  const Array back = through(u);
  const Array uz = mean_of(u * z), hz = mean_of(h * z);
  Array inner = mean_of(u * h) - uz * hz;
  if (centred) inner = inner - mean_of(u) * mean_of(h);
  const Array of_z = -root * (hz * u + uz * h);
  const Array of_root = inner * square(root) * z;
  if (!weighted) {
    const Array by_x = through(of_z) - of_root;
    return {astype(back, in[0].dtype()), astype(by_x, in[1].dtype()), Array(), Array()};
  }
  Axes rows;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) rows.push_back(axis);
  const Array by_weight = rows.empty() ? g * back : sum(g * back, rows);
  const Array by_x = through(given[1] * g + of_z) - of_root;
  const Array by_g = in[4] * back + given[1] * z + given[2];
  return {astype(by_g, in[0].dtype()), astype(by_x, in[1].dtype()), Array(), Array(), by_weight};
}
Arrays RowNormGradient::vmap(const Arrays& in, const Mapped& mapped) const {
  const Arrays all = all_mapped(in, mapped);
  if (in.size() == 4) return mica::apply_all(RowNormGradient(eps, centred), all);
  const Array g = astype(all[0], all[2].dtype());
  const Array weighted = astype(g * for_rows(all[4], all[0].rank()), all[0].dtype());
  const Array dx = mica::apply(RowNormGradient(eps, centred), {weighted, all[1], all[2], all[3]});
  const Array apart = astype(all[1], g.dtype()) - expand_dims(all[2], {-1});
  const Array normed = apart * expand_dims(all[3], {-1});
  Axes rows;
  for (int axis = 1; axis + 1 < all[0].rank(); ++axis) rows.push_back(axis);
  if (rows.empty()) return {dx, g * normed, g};
  return {dx, sum(g * normed, rows), sum(g, rows)};
}

std::pair<Array, Array> channel_moments(const Array& x) {
  const Arrays moments = mica::apply_all(ChannelMoments(), {x});
  return {moments[0], moments[1]};
}

BatchNormResult batch_norm(const Array& x, const Array& weight, const Array& bias, double eps) {
  check_channels({x.shape(), x.dtype()}, "batch_norm");
  const auto [mean, variance] = channel_moments(x);
  const Array centred = astype(x, mean.dtype()) - mean;
  const Array root = rsqrt(variance + eps);
  Arrays inputs = {x, mean, variance, Array()};
  if (weight.defined()) {
    inputs.push_back(channel_factor(weight, x, "batch_norm", "weight"));
    inputs.push_back(channel_factor(bias, x, "batch_norm", "bias"));
    inputs[3] = centred * (root * inputs[4]) + inputs[5];
  } else {
    inputs[3] = centred * root;
  }
  inputs[3] = astype(inputs[3], x.dtype());
  return {mica::apply(BatchNormed(eps), inputs), mean, variance};
}

Array layer_norm(const Array& x, const Array& weight, const Array& bias, double eps) {
  Arrays inputs = {x};
  if (weight.defined()) {
    inputs.push_back(channel_factor(weight, x, "layer_norm", "weight"));
    inputs.push_back(channel_factor(bias, x, "layer_norm", "bias"));
  }
  return mica::apply_all(RowNorm(eps, true), inputs)[0];
}

Array rms_norm(const Array& x, const Array& weight, double eps) {
  Arrays inputs = {x};
  if (weight.defined()) inputs.push_back(channel_factor(weight, x, "rms_norm", "weight"));
  return mica::apply_all(RowNorm(eps, false), inputs)[0];
}

}  // namespace mica
