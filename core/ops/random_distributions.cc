// Distributions made of uniform numbers, and the rules of those that are drawn by rejection.
#include <cmath>
#include <numbers>

#include "core/ops/elementwise.h"
#include "core/ops/linalg.h"
#include "core/ops/mapping.h"
#include "core/ops/matmul.h"
#include "core/ops/numeric.h"
#include "core/ops/random.h"
#include "core/ops/random_op.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica {
namespace {

Spec checked_parameters(std::span<const Spec> in, std::string_view op) {
  if (in[0] != Spec{{2}, uint32}) {
    fail("[{}] a key is a uint32 array of shape (2,), got {} {}", op, in[0].dtype,
         to_string(in[0].shape));
  }
  MICA_ASSERT(in[1].dtype == float64);
  return in[1];
}

}  // namespace

Specs RandomGamma::infer(std::span<const Spec> in) const { return {checked_parameters(in, kName)}; }
Arrays RandomGamma::vjp(const Arrays&, const Arrays&, const Arrays&) const {
  fail("[random.gamma] has no gradient by its shape parameter; stop_gradient what it is made of");
}
Arrays RandomGamma::vmap(const Arrays& in, const Mapped& mapped) const {
  return map_by_loop(RandomGamma(), in, mapped);
}

Specs RandomPoisson::infer(std::span<const Spec> in) const {
  return {{checked_parameters(in, kName).shape, int64}};
}
Arrays RandomPoisson::vjp(const Arrays&, const Arrays&, const Arrays&) const {
  return {Array(), Array()};
}
Arrays RandomPoisson::vmap(const Arrays& in, const Mapped& mapped) const {
  return map_by_loop(RandomPoisson(), in, mapped);
}

}  // namespace mica

namespace mica::random {
namespace {

void check_floating(Dtype dtype, const char* op) {
  if (!is_floating(dtype)) fail("[random.{}] needs a floating type, got {}", op, dtype);
}

Array fitted(const Array& x, const Shape& shape, const char* op, const char* what) {
  const Shape& own = x.shape();
  bool fits = own.size() <= shape.size();
  for (size_t i = 0; fits && i < own.size(); ++i) {
    const int64_t length = shape[shape.size() - own.size() + i];
    fits = own[i] == length || own[i] == 1;
  }
  if (!fits) {
    fail("[random.{}] {} of shape {} does not broadcast to {}", op, what, to_string(own),
         to_string(shape));
  }
  return broadcast_to(x, shape);
}

// The type in which numbers of type `dtype` are computed.
Dtype computed_in(Dtype dtype) { return dtype == float64 ? float64 : float32; }

Array located(const Array& standard, const Array& loc, const Array& scale, Dtype dtype,
              const char* op) {
  const Shape& shape = standard.shape();
  const Array spread = fitted(astype(scale, standard.dtype()), shape, op, "scale");
  const Array from = fitted(astype(loc, standard.dtype()), shape, op, "loc");
  return astype(from + spread * standard, dtype);
}

Array checked_uniform(const Shape& shape, const Array& key, Dtype dtype, const char* op) {
  check_floating(dtype, op);
  return open_uniform(shape, given_or_next(key), computed_in(dtype));
}

// float64 numbers: two of them are divided by each other in beta and dirichlet.
Array standard_gamma(const Array& alpha, const Shape& shape, const Array& key, const char* op,
                     const char* what) {
  return mica::apply(RandomGamma(), {key, fitted(astype(alpha, float64), shape, op, what)});
}

}  // namespace

Array normal(const Shape& shape, const Array& key, const Array& loc, const Array& scale,
             Dtype dtype) {
  check_floating(dtype, "normal");
  return located(normal(shape, key, computed_in(dtype)), loc, scale, dtype, "normal");
}

// Each of the following is the inverse of the distribution function at a uniform number.

Array laplace(const Shape& shape, const Array& key, const Array& loc, const Array& scale,
              Dtype dtype) {
  // 2 u - 1 is exact, and the logarithm keeps its digits on both sides: 2 min(u, 1 - u).
  const Array u = checked_uniform(shape, key, dtype, "laplace");
  const Array standard = where(u < 0.5, log(2 * u), -log(2 * (1 - u)));
  return located(standard, loc, scale, dtype, "laplace");
}

Array gumbel(const Shape& shape, const Array& key, const Array& loc, const Array& scale,
             Dtype dtype) {
  const Array standard = -log(-log(checked_uniform(shape, key, dtype, "gumbel")));
  return located(standard, loc, scale, dtype, "gumbel");
}

Array logistic(const Shape& shape, const Array& key, const Array& loc, const Array& scale,
               Dtype dtype) {
  const Array u = checked_uniform(shape, key, dtype, "logistic");
  return located(log(u) - log(1 - u), loc, scale, dtype, "logistic");
}

Array cauchy(const Shape& shape, const Array& key, const Array& loc, const Array& scale,
             Dtype dtype) {
  const Array u = checked_uniform(shape, key, dtype, "cauchy");
  return located(tan((u - 0.5) * std::numbers::pi), loc, scale, dtype, "cauchy");
}

Array exponential(const Shape& shape, const Array& key, const Array& scale, Dtype dtype) {
  const Array standard = -log(checked_uniform(shape, key, dtype, "exponential"));
  return located(standard, 0, scale, dtype, "exponential");
}

Array multivariate_normal(const Array& mean, const Array& covariance, const Shape& shape,
                          const Array& key, Dtype dtype) {
  check_floating(dtype, "multivariate_normal");
  const int64_t n = mean.rank() > 0 ? mean.dim(-1) : 0;
  if (mean.rank() < 1 || covariance.rank() < 2 || covariance.dim(-1) != n ||
      covariance.dim(-2) != n) {
    fail("[random.multivariate_normal] mean {} and covariance {}; wanted (..., n) and (..., n, n)",
         to_string(mean.shape()), to_string(covariance.shape()));
  }
  const Dtype type = computed_in(dtype);
  Shape whole = shape;
  whole.push_back(n);
  const Array centre = fitted(astype(mean, type), whole, "multivariate_normal", "mean");
  const Array factor = linalg::cholesky(astype(covariance, type));
  Shape factors = whole;
  factors.push_back(n);
  fitted(factor, factors, "multivariate_normal", "covariance");
  const Array standard = expand_dims(normal(whole, key, type), {-1});
  return astype(centre + squeeze(matmul(factor, standard), {-1}), dtype);
}

Array gamma(const Array& alpha, const Shape& shape, const Array& key, const Array& scale,
            Dtype dtype) {
  check_floating(dtype, "gamma");
  const Array standard = standard_gamma(alpha, shape, given_or_next(key), "gamma", "alpha");
  return located(standard, 0, scale, dtype, "gamma");
}

// X / (X + Y) for two gamma numbers. Both may be too small for a float64, where alpha and beta
// are: the result is then 0 or 1, with the probabilities that the limit has.
Array beta(const Array& alpha, const Array& beta, const Shape& shape, const Array& key,
           Dtype dtype) {
  check_floating(dtype, "beta");
  const Arrays keys = unstack(random::split(given_or_next(key), int64_t{3}));
  const Array x = standard_gamma(alpha, shape, keys[0], "beta", "alpha");
  const Array y = standard_gamma(beta, shape, keys[1], "beta", "beta");
  const Array a = fitted(astype(alpha, float64), shape, "beta", "alpha");
  const Array b = fitted(astype(beta, float64), shape, "beta", "beta");
  const Array both = x + y;
  const Array end = astype(open_uniform(shape, keys[2], float64) * (a + b) < a, float64);
  return astype(where(both == 0, end, x / both), dtype);
}

Array dirichlet(const Array& alpha, const Shape& shape, const Array& key, Dtype dtype) {
  check_floating(dtype, "dirichlet");
  if (alpha.rank() == 0) fail("[random.dirichlet] alpha is a scalar; wanted an axis of numbers");
  Shape whole = shape;
  whole.push_back(alpha.dim(-1));
  const Array x = standard_gamma(alpha, whole, given_or_next(key), "dirichlet", "alpha");
  return astype(x / sum(x, {-1}, true), dtype);
}

Array poisson(const Array& rate, const Shape& shape, const Array& key, Dtype dtype) {
  if (!is_integer(dtype)) fail("[random.poisson] needs an integer type, got {}", dtype);
  const Array rates = fitted(astype(rate, float64), shape, "poisson", "rate");
  const Array counts = mica::apply(RandomPoisson(), {given_or_next(key), rates});
  const auto bits = static_cast<int>(8 * size_of(dtype)) - (is_unsigned(dtype) ? 0 : 1);
  if (bits >= 63) return astype(counts, dtype);
  return astype(minimum(counts, Array((int64_t{1} << bits) - 1)), dtype);
}

}  // namespace mica::random
