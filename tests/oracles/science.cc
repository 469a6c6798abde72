// Functions of statistics, physics and numerical mathematics, under the names of functions.py.
#include <cmath>

#include "core/ops/complex.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/fft.h"
#include "core/ops/index.h"
#include "core/ops/linalg.h"
#include "core/ops/matmul.h"
#include "core/ops/numeric.h"
#include "core/ops/products.h"
#include "core/ops/reduce.h"
#include "core/ops/scan.h"
#include "core/ops/softmax.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"
#include "core/transform/vmap.h"
#include "tests/oracles/oracle.h"

namespace mica::oracles {
namespace {

using Function = Array (*)(const Arrays&);

void add(Functions& all, const char* name, Function f) {
  all[name] = [f](const Arrays& in) { return Arrays{f(in)}; };
}

Array row(const Array& x, int64_t i) { return squeeze(slice_axis(x, 0, i, i + 1), {0}); }

// u(x) of a network with one hidden layer, at a scalar.
Array net(const Array& x, const Array& w, const Array& b, const Array& v) {
  return sum(v * tanh(w * x + b));
}

void add_physics(Functions& all) {
  add(all, "poisson_residual", [](const Arrays& in) {
    const auto u = [&](const Array& x) { return net(x, in[1], in[2], in[3]); };
    const auto residual = [&](const Array& x) { return grad(grad(UnaryFunction(u)))(x) + sin(x); };
    return mean(square(vmap(UnaryFunction(residual))(in[0])));
  });
  add(all, "heat_residual", [](const Arrays& in) {
    const auto u = [&](const Array& x, const Array& t) {
      return sum(in[3] * tanh(in[1] * x + in[2] * t));
    };
    const auto residual = [&](const Arrays& at) {
      const Array by_t = grad([&](const Array& t) { return u(at[0], t); })(at[1]);
      const auto by_x = grad([&](const Array& x) { return u(x, at[1]); });
      return Arrays{by_t - 0.1 * grad(by_x)(at[0])};
    };
    return mean(square(vmap(residual)({in[0], in[4]})[0]));
  });
  add(all, "lotka_volterra", [](const Arrays& in) {
    const auto rate = [&](const Array& y) {
      const Arrays p = unstack(in[1]), s = unstack(y);
      return stack({p[0] * s[0] - p[1] * s[0] * s[1], p[2] * s[0] * s[1] - p[3] * s[1]});
    };
    Array y = in[0];
    const double h = 0.1;
    for (int i = 0; i < 6; ++i) {
      const Array k1 = rate(y), k2 = rate(y + 0.5 * h * k1);
      const Array k3 = rate(y + 0.5 * h * k2), k4 = rate(y + h * k3);
      y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
    }
    return y;
  });
  add(all, "kuramoto", [](const Arrays& in) {
    Array phase = in[0];
    for (int i = 0; i < 5; ++i) {
      const Array pull = sin(expand_dims(phase, {0}) - expand_dims(phase, {1}));
      phase = phase + 0.1 * (in[1] + mean(pull, {1}));
    }
    return stack({mean(cos(phase)), mean(sin(phase))});
  });
  const auto distances = +[](const Array& x) {
    const Array d = expand_dims(x, {0}) - expand_dims(x, {1});
    return sum(square(d), {-1}) + astype(eye(x.dim(0)), float64);
  };
  static const auto squared = distances;
  add(all, "n_body", [](const Arrays& in) {
    const Array others = 1.0 - astype(eye(in[0].dim(0)), float64);
    return -0.5 * sum(others * outer(in[1], in[1]) * rsqrt(squared(in[0]) + 0.01));
  });
  add(all, "lennard_jones", [](const Arrays& in) {
    const Array s = power(1.0 / (squared(in[0]) + 0.5), 3);
    return sum(triu(square(s) - s, 1)) * 4.0;
  });
  add(all, "double_pendulum_energy", [](const Arrays& in) {
    const Arrays q = unstack(in[0]), v = unstack(in[1]);
    return square(v[0]) + 0.5 * square(v[1]) + v[0] * v[1] * cos(q[0] - q[1]) - 19.62 * cos(q[0]) -
           9.81 * cos(q[1]);
  });
  add(all, "leapfrog", [](const Arrays& in) {
    const auto force = grad([](const Array& q) { return -sum(cos(q)) + 0.1 * sum(square(q)); });
    Array q = in[0], p = in[1];
    for (int i = 0; i < 4; ++i) {
      p = p - 0.1 * force(q);
      q = q + 0.2 * p;
      p = p - 0.1 * force(q);
    }
    return concatenate({q, p});
  });
  add(all, "neural_ode", [](const Arrays& in) {
    Array y = in[0];
    for (int i = 0; i < 5; ++i) y = y + 0.2 * tanh(matmul(y, in[1]));
    return y;
  });
}

void add_statistics(Functions& all) {
  add(all, "normal_log_density", [](const Arrays& in) {
    const Array d = in[0] - in[1];
    const Array covariance = matmul(in[2], transpose(in[2])) + astype(eye(in[2].dim(0)), float64);
    return -0.5 * sum(d * linalg::solve(covariance, d)) -
           sum(log(diagonal(linalg::cholesky(covariance))));
  });
  add(all, "gaussian_process", [](const Arrays& in) {
    const Array d = expand_dims(in[0], {0}) - expand_dims(in[0], {1});
    const Array kernel =
        exp(-0.5 * square(d / exp(in[2]))) + 0.1 * astype(eye(in[0].dim(0)), float64);
    return 0.5 * sum(in[1] * linalg::solve(kernel, in[1])) + 0.5 * linalg::slogdet(kernel).second;
  });
  add(all, "kalman_step", [](const Arrays& in) {
    const Array p =
        matmul(matmul(in[1], in[2]), transpose(in[1])) + 0.3 * astype(eye(in[1].dim(0)), float64);
    const Array gain = transpose(linalg::solve(p + astype(eye(p.dim(0)), float64), p));
    return matmul(in[1], in[0]) + matmul(gain, in[3] - matmul(in[1], in[0]));
  });
  add(all, "ridge_regression", [](const Arrays& in) {
    const Array gram =
        matmul(transpose(in[0]), in[0]) + exp(in[2]) * astype(eye(in[0].dim(1)), float64);
    return linalg::solve(gram, matmul(transpose(in[0]), in[1]));
  });
  add(all, "gaussian_mixture", [](const Arrays& in) {
    const Array d = expand_dims(in[0], {1}) - in[1];
    return sum(logsumexp(log_softmax(in[2]) - 0.5 * sum(square(d), {-1}), {-1}));
  });
  add(all, "hidden_markov", [](const Arrays& in) {
    const Array step = log_softmax(in[0]), seen = log_softmax(in[1]);
    Array alpha = row(seen, 0);
    for (int64_t t = 1; t < seen.dim(0); ++t) {
      alpha = logsumexp(expand_dims(alpha, {1}) + step, {0}) + row(seen, t);
    }
    return logsumexp(alpha);
  });
  add(all, "planar_flow", [](const Arrays& in) {
    const Array a = matmul(in[0], in[2]) + 0.1;
    const Array z = in[0] + outer(tanh(a), in[1]);
    const Array stretch = 1.0 + (1.0 - square(tanh(a))) * sum(in[1] * in[2]);
    return mean(0.5 * sum(square(z), {-1}) - log(abs(stretch)));
  });
  add(all, "coupling_flow", [](const Arrays& in) {
    const Arrays x = split(in[0], 2, 1);
    const Array log_scale = tanh(matmul(x[0], in[1]));
    const Array y = x[1] * exp(log_scale) + matmul(x[0], in[2]);
    return mean(0.5 * sum(square(y), {-1}) - sum(log_scale, {-1}));
  });
  add(all, "kl_of_normals", [](const Arrays& in) {
    const Array ratio = exp(2.0 * (in[1] - in[3]));
    return 0.5 * sum(ratio + square((in[0] - in[2]) * exp(-in[3])) - 1.0 - log(ratio));
  });
  add(all, "crps", [](const Arrays& in) {
    const Array cdf = cumsum(softmax(in[0]), -1), target = cumsum(softmax(in[1]), -1);
    return sum(square(cdf - target), {-1});
  });
  add(all, "black_scholes", [](const Arrays& in) {
    const Array s = exp(in[0]), k = exp(in[1]), v = 0.2 + sigmoid(in[2]);
    const auto cdf = [](const Array& x) { return 0.5 * (1.0 + erf(x / std::sqrt(2.0))); };
    const Array d = (log(s / k) + 0.5 * square(v)) / v;
    return s * cdf(d) - k * cdf(d - v);
  });
  add(all, "soft_rank", [](const Arrays& in) {
    const Array d = expand_dims(in[0], {-1}) - expand_dims(in[0], {-2});
    return sum(sigmoid(d / 0.5), {-1});
  });
}

void add_mathematics(Functions& all) {
  add(all, "rosenbrock", [](const Arrays& in) {
    const int64_t n = in[0].dim(0);
    const Array x = slice_axis(in[0], 0, 0, n - 1), next = slice_axis(in[0], 0, 1, n);
    return sum(100.0 * square(next - square(x)) + square(1.0 - x));
  });
  add(all, "rastrigin",
      [](const Arrays& in) { return sum(square(in[0]) - 10.0 * cos(2 * M_PI * in[0]) + 10.0); });
  add(all, "horner", [](const Arrays& in) {
    Array value = zeros_like(in[1]);
    for (int64_t i = 0; i < in[0].dim(0); ++i) value = value * in[1] + row(in[0], i);
    return value;
  });
  add(all, "sinkhorn", [](const Arrays& in) {
    const Array cost = square(expand_dims(in[0], {1}) - expand_dims(in[1], {0}));
    Array f = zeros_like(in[0]), g = zeros_like(in[1]);
    for (int i = 0; i < 5; ++i) {
      f = -0.5 * logsumexp((expand_dims(g, {0}) - cost) / 0.5, {1});
      g = -0.5 * logsumexp((expand_dims(f, {1}) - cost) / 0.5, {0});
    }
    return mean(f) + mean(g);
  });
  add(all, "page_rank", [](const Arrays& in) {
    const Array links = softmax(in[0], 0);
    Array rank = full({in[0].dim(0)}, 1.0 / static_cast<double>(in[0].dim(0)), float64);
    for (int i = 0; i < 6; ++i) rank = 0.85 * matmul(links, rank) + 0.15 * mean(rank);
    return rank;
  });
  add(all, "spectral_loss", [](const Arrays& in) {
    const Array d = fft::rfft(in[0]) - fft::rfft(in[1]);
    return sum(log1p(square(real(d)) + square(imag(d))), {-1});
  });
  add(all, "low_pass", [](const Arrays& in) {
    const Array keep = astype(arange(in[0].dim(-1) / 2 + 1) < 3, float64);
    return fft::irfft(fft::rfft(in[0]) * keep, in[0].dim(-1)) * in[0];
  });
  add(all, "total_variation", [](const Arrays& in) {
    const Array down = slice_axis(diff(in[0], 1, 0), 1, 1, in[0].dim(1));
    const Array across = slice_axis(diff(in[0], 1, 1), 0, 1, in[0].dim(0));
    return sum(sqrt(square(down) + square(across) + 0.01));
  });
  add(all, "interpolation", [](const Arrays& in) {
    const Array at = 3.0 * sigmoid(in[1]), below = floor(at);
    const Array i = astype(below, int32), share = at - stop_gradient(below);
    return (1.0 - share) * take(in[0], i, 0) + share * take(in[0], i + 1, 0);
  });
  add(all, "matrix_exponential",
      [](const Arrays& in) { return matmul(linalg::expm(0.3 * in[0]), in[1]); });
  add(all, "bilinear_form", [](const Arrays& in) {
    return einsum("bi,oij,bj->bo", {in[0], in[1], in[2]});
  });
  add(all, "stable_log_ratio", [](const Arrays& in) {
    return logsumexp(in[0], {-1}) - max(in[0], {-1}) + log1p(exp(-abs(mean(in[1], {-1}))));
  });
  add(all, "sorted_transport",
      [](const Arrays& in) { return mean(square(sort(in[0]) - sort(in[1])), {-1}); });
  add(all, "discounted_returns", [](const Arrays& in) {
    const Array g = 0.9 * sigmoid(in[1]);
    return linear_recurrence(g, in[0], -1, true);
  });
  add(all, "log_determinant", [](const Arrays& in) {
    const Array a = matmul(in[0], transpose(in[0])) + astype(eye(in[0].dim(0)), float64);
    return log(linalg::det(a)) + sum(linalg::inv(a));
  });
}

}  // namespace

Functions science_functions() {
  Functions all;
  add_physics(all);
  add_statistics(all);
  add_mathematics(all);
  return all;
}

}  // namespace mica::oracles
