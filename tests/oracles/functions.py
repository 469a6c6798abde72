#!/usr/bin/env python3
"""Functions that people really write (networks.cc, science.cc), with JAX: values, first and second
gradients, jvp, vmap, and vmap of the gradient."""

import os
import sys

# Seventy programs that run once: what counts is the time to compile them.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 "
                                   "--xla_llvm_disable_expensive_passes=true")
from oracle import SKIPPED, Oracle, jax_float64, np

jax = jax_float64()
if jax is None:
    sys.exit(SKIPPED)
import jax.numpy as jnp  # noqa: E402
import jax.scipy.special as jsp  # noqa: E402
from jax import lax, nn  # noqa: E402

oracle = Oracle(sys.argv[1])
rng = np.random.default_rng(11)


def normal(*shape, scale=1.0):
    return scale * rng.standard_normal(shape)


def check(function, *inputs, tolerance=1e-11):
    oracle.transforms(function.__name__, function, inputs, tolerance)


# ---- networks.cc


def attention(q, k, v):
    s = q @ jnp.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    return nn.softmax(s, -1) @ v


def causal_attention(q, k, v):
    s = q @ jnp.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    return nn.softmax(jnp.where(jnp.tri(*s.shape[-2:], dtype=bool), s, -jnp.inf), -1) @ v


def masked_softmax(x):
    return nn.softmax(jnp.where(jnp.tri(*x.shape[-2:], dtype=bool), x, -1e9), -1) * 2.0


def dense(x, weight, bias):
    return x @ weight + bias


def mlp_tanh(x, w1, b1, w2, b2):
    return dense(jnp.tanh(dense(x, w1, b1)), w2, b2)


def mlp_gelu(x, w1, w2):
    gelu = lambda v: nn.gelu(v, approximate=False)  # noqa: E731
    return gelu(gelu(x @ w1) @ w2).sum(-1)


def layer_norm(x, weight, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-3) * weight + bias


def rms_norm(x, weight):
    return x * lax.rsqrt((x**2).mean(-1, keepdims=True) + 1e-3) * weight


def batch_norm(x, weight, bias):
    centred = x - x.mean(0, keepdims=True)
    return centred * lax.rsqrt((centred**2).mean(0, keepdims=True) + 1e-3) * weight + bias


def group_norm(x, weight):
    g = x.reshape(x.shape[0], 2, -1)
    g = (g - g.mean(-1, keepdims=True)) / jnp.sqrt(g.var(-1, keepdims=True) + 1e-3)
    return g.reshape(x.shape) * weight


def convolution(x, weight, stride, padding, dilation=None, groups=1):
    n = x.ndim - 2
    spec = ("NWC", "OWI", "NWC") if n == 1 else ("NHWC", "OHWI", "NHWC")
    return lax.conv_general_dilated(x, weight, stride, padding, rhs_dilation=dilation,
                                    dimension_numbers=spec, feature_group_count=groups)


def conv1d_net(x, weight):
    return jnp.tanh(convolution(x, weight, (2,), [(1, 1)])).mean(1)


def conv2d_net(x, weight):
    h = nn.silu(convolution(x, weight, (1, 1), [(1, 1), (1, 1)]))
    n, height, width, c = h.shape
    return h.reshape(n, height // 2, 2, width // 2, 2, c).mean((2, 4)) * 3.0


def depthwise_conv(x, weight):
    return convolution(x, weight, (1, 1), [(0, 0), (0, 0)], (2, 1), x.shape[-1])


def lstm(xs, w, u):
    h = c = jnp.zeros((xs.shape[1], u.shape[0]))
    for x in xs:
        i, f, g, o = jnp.split(x @ w + h @ u, 4, 1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
    return h


def gru(xs, w, u):
    h = jnp.zeros((xs.shape[1], u.shape[0]))
    for x in xs:
        a, b = jnp.split(x @ w, 3, 1), jnp.split(h @ u, 3, 1)
        update, reset = nn.sigmoid(a[0] + b[0]), nn.sigmoid(a[1] + b[1])
        h = (1 - update) * jnp.tanh(a[2] + reset * b[2]) + update * h
    return h


def graph_convolution(a, x, w):
    a = nn.sigmoid(a)
    scale = lax.rsqrt(a.sum(1))
    return jnp.tanh((scale[:, None] * a * scale) @ (x @ w))


def embedding_bag(table, w):
    return table[jnp.array([[0, 2, 1], [3, 3, 0]])].mean(1) @ w


def rotary_embedding(x):
    half = x.shape[1] // 2
    angles = jnp.outer(jnp.arange(x.shape[0]), jnp.exp(-0.7 * jnp.arange(half)))
    a, b = x[:, :half], x[:, half:]
    return jnp.concatenate([a * jnp.cos(angles) - b * jnp.sin(angles),
                            a * jnp.sin(angles) + b * jnp.cos(angles)], 1)


def mixture_of_experts(x, gate, experts):
    return jnp.einsum("be,bec->bc", nn.softmax(x @ gate, -1),
                      jnp.tanh(jnp.einsum("bi,eic->bec", x, experts)))


def squeeze_excite(x, w):
    return x * nn.sigmoid(x.mean(1) @ w)[:, None]


def gumbel_softmax(logits, noise):
    return nn.softmax((logits + noise) / 0.7, -1)


def one_hot_loss(logits, targets):
    return -(targets * nn.log_softmax(logits, -1)).sum(-1).mean()


def cross_entropy(logits, targets):
    return one_hot_loss(logits, nn.softmax(targets, -1))


def label_smoothing(logits):
    return one_hot_loss(logits, 0.9 * nn.one_hot(jnp.array([0, 2, 1]), 4) + 0.025)


def focal_loss(x):
    p = nn.sigmoid(x)
    return -((1 - p)**2 * jnp.log(p)).mean()


def binary_cross_entropy(x, y):
    return (nn.softplus(x) - nn.sigmoid(y) * x).mean()


def huber(x, y):
    d = jnp.abs(x - y)
    return jnp.where(d < 1, 0.5 * d**2, d - 0.5).mean()


def log_cosh(x, y):
    d = x - y
    return (jnp.logaddexp(d, -d) - np.log(2.0)).mean()


def info_nce(x, y):
    unit = lambda v: v / jnp.sqrt((v**2).sum(-1, keepdims=True))  # noqa: E731
    return -jnp.diagonal(nn.log_softmax(unit(x) @ unit(y).T / 0.3, -1)).mean()


def triplet(a, near, far):
    return nn.softplus(((a - near)**2).sum(-1) - ((a - far)**2).sum(-1) + 1.0).mean()


def cosine_similarity(x, y):
    return (x * y).sum(-1) / jnp.sqrt((x * x).sum(-1) * (y * y).sum(-1))


def variational_bound(mean, log_variance, noise, w):
    z = mean + jnp.exp(0.5 * log_variance) * noise
    kl = -0.5 * (1 + log_variance - mean**2 - jnp.exp(log_variance)).sum(-1)
    return (kl + ((jnp.tanh(z @ w) - 0.3)**2).sum(-1)).mean()


def logistic_newton(w, x):
    loss = lambda v: nn.softplus(-x @ v).mean()  # noqa: E731
    g = jax.grad(loss)(w)
    return g @ jax.hessian(loss)(w) @ g


def logistic_hessian(w, x):
    return jax.hessian(lambda v: nn.softplus(-x @ v).mean())(w)


def one_inner_step(w, x, y):
    loss = lambda v, a: (jnp.tanh(a @ v)**2).mean()  # noqa: E731
    return loss(w - 0.4 * jax.grad(loss)(w, x), y)


def unrolled_descent(w, a):
    inner = jax.grad(lambda v: ((a @ v)**2).sum() * 0.5 + jnp.cos(v).sum())
    for _ in range(5):
        w = w - 0.05 * inner(w)
    return ((w - 0.5)**2).sum()


def per_example_norms(w, x):
    g = jax.vmap(jax.grad(lambda v, a: (jnp.tanh((v * a).sum()) - 0.5)**2), (None, 0))(w, x)
    return jnp.sqrt((g**2).sum(1))


def gradient_penalty(x, w1, b1, w2, b2):
    g = jax.grad(lambda v: mlp_tanh(v, w1, b1, w2, b2).sum())(x)
    return ((jnp.sqrt((g**2).sum(-1)) - 1)**2).mean()


def spectral_norm(a, u):
    for _ in range(3):
        v = a.T @ u
        u = a @ (v / jnp.sqrt((v**2).sum()))
        u = u / jnp.sqrt((u**2).sum())
    return jnp.sqrt(((a.T @ u)**2).sum())


check(attention, normal(2, 5, 4), normal(2, 6, 4), normal(2, 6, 3))
check(causal_attention, normal(2, 5, 4), normal(2, 5, 4), normal(2, 5, 3))
check(masked_softmax, normal(4, 4))
layers = normal(3, 4), normal(4), normal(4, 2), normal(2)
check(mlp_tanh, normal(5, 3), *layers)
check(mlp_gelu, normal(5, 3), normal(3, 4), normal(4, 2))
check(layer_norm, normal(3, 6), normal(6), normal(6))
check(rms_norm, normal(3, 6), normal(6))
check(batch_norm, normal(5, 3), normal(3), normal(3))
check(group_norm, normal(3, 6), normal(6))
check(conv1d_net, normal(2, 7, 3), normal(4, 3, 3))
check(conv2d_net, normal(2, 4, 4, 3), normal(2, 3, 3, 3))
check(depthwise_conv, normal(2, 6, 5, 3), normal(3, 2, 3, 1))
check(lstm, normal(4, 2, 3), normal(3, 20, scale=0.5), normal(5, 20, scale=0.5))
check(gru, normal(4, 2, 3), normal(3, 15, scale=0.5), normal(5, 15, scale=0.5))
check(graph_convolution, normal(5, 5), normal(5, 3), normal(3, 2))
check(embedding_bag, normal(4, 3), normal(3, 2))
check(rotary_embedding, normal(5, 6))
check(mixture_of_experts, normal(4, 3), normal(3, 2), normal(2, 3, 5))
check(squeeze_excite, normal(2, 5, 3), normal(3, 3))
check(gumbel_softmax, normal(3, 4), normal(3, 4))
check(cross_entropy, normal(3, 4), normal(3, 4))
check(label_smoothing, normal(3, 4))
check(focal_loss, normal(7))
check(binary_cross_entropy, normal(7), normal(7))
check(huber, normal(9), normal(9))
check(log_cosh, normal(9), normal(9))
check(info_nce, normal(4, 3), normal(4, 3))
check(triplet, normal(4, 3), normal(4, 3), normal(4, 3))
check(cosine_similarity, normal(4, 3), normal(4, 3))
check(variational_bound, normal(4, 2), normal(4, 2), normal(4, 2), normal(2, 3))
check(logistic_newton, normal(3), normal(6, 3))
check(logistic_hessian, normal(3), normal(6, 3))
check(one_inner_step, normal(3), normal(5, 3), normal(5, 3))
check(unrolled_descent, normal(3), normal(4, 3))
check(per_example_norms, normal(3), normal(6, 3))
check(gradient_penalty, normal(5, 3), *layers)
check(spectral_norm, normal(4, 3), normal(4))


# ---- science.cc


def net(x, w, b, v):
    return (v * jnp.tanh(w * x + b)).sum()


def poisson_residual(xs, w, b, v):
    second = jax.grad(jax.grad(net))
    return (jax.vmap(lambda x: second(x, w, b, v) + jnp.sin(x))(xs)**2).mean()


def heat_residual(xs, a, b, v, ts):
    u = lambda x, t: (v * jnp.tanh(a * x + b * t)).sum()  # noqa: E731
    residual = lambda x, t: (jax.grad(u, 1)(x, t)  # noqa: E731
                             - 0.1 * jax.grad(jax.grad(u))(x, t))
    return (jax.vmap(residual)(xs, ts)**2).mean()


def lotka_volterra(y, p):
    def rate(s):
        return jnp.stack([p[0] * s[0] - p[1] * s[0] * s[1], p[2] * s[0] * s[1] - p[3] * s[1]])

    h = 0.1
    for _ in range(6):
        k1 = rate(y)
        k2 = rate(y + 0.5 * h * k1)
        k3 = rate(y + 0.5 * h * k2)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + rate(y + h * k3))
    return y


def kuramoto(phase, speed):
    for _ in range(5):
        phase = phase + 0.1 * (speed + jnp.sin(phase[None] - phase[:, None]).mean(1))
    return jnp.stack([jnp.cos(phase).mean(), jnp.sin(phase).mean()])


def squared_distances(x):
    return ((x[None] - x[:, None])**2).sum(-1) + jnp.eye(len(x))


def n_body(x, mass):
    others = 1 - jnp.eye(len(x))
    return -0.5 * (others * jnp.outer(mass, mass) * lax.rsqrt(squared_distances(x) + 0.01)).sum()


def lennard_jones(x):
    s = (1 / (squared_distances(x) + 0.5))**3
    return jnp.triu(s**2 - s, 1).sum() * 4.0


def double_pendulum_energy(q, v):
    return (v[0]**2 + 0.5 * v[1]**2 + v[0] * v[1] * jnp.cos(q[0] - q[1])
            - 19.62 * jnp.cos(q[0]) - 9.81 * jnp.cos(q[1]))


def leapfrog(q, p):
    force = jax.grad(lambda x: -jnp.cos(x).sum() + 0.1 * (x**2).sum())
    for _ in range(4):
        p = p - 0.1 * force(q)
        q = q + 0.2 * p
        p = p - 0.1 * force(q)
    return jnp.concatenate([q, p])


def neural_ode(y, w):
    for _ in range(5):
        y = y + 0.2 * jnp.tanh(y @ w)
    return y


def normal_log_density(x, mean, factor):
    d = x - mean
    covariance = factor @ factor.T + jnp.eye(len(x))
    half = jnp.log(jnp.diagonal(jnp.linalg.cholesky(covariance))).sum()
    return -0.5 * d @ jnp.linalg.solve(covariance, d) - half


def gaussian_process(x, y, log_length):
    kernel = jnp.exp(-0.5 * ((x[None] - x[:, None]) / jnp.exp(log_length))**2)
    kernel = kernel + 0.1 * jnp.eye(len(x))
    return 0.5 * y @ jnp.linalg.solve(kernel, y) + 0.5 * jnp.linalg.slogdet(kernel)[1]


def kalman_step(x, f, p, z):
    p = f @ p @ f.T + 0.3 * jnp.eye(len(x))
    gain = jnp.linalg.solve(p + jnp.eye(len(x)), p).T
    return f @ x + gain @ (z - f @ x)


def ridge_regression(x, y, log_penalty):
    return jnp.linalg.solve(x.T @ x + jnp.exp(log_penalty) * jnp.eye(x.shape[1]), x.T @ y)


def gaussian_mixture(x, means, logits):
    d = x[:, None] - means
    return jsp.logsumexp(nn.log_softmax(logits) - 0.5 * (d**2).sum(-1), -1).sum()


def hidden_markov(transitions, emissions):
    step, seen = nn.log_softmax(transitions, -1), nn.log_softmax(emissions, -1)
    alpha = seen[0]
    for row in seen[1:]:
        alpha = jsp.logsumexp(alpha[:, None] + step, 0) + row
    return jsp.logsumexp(alpha)


def planar_flow(x, u, w):
    a = x @ w + 0.1
    z = x + jnp.outer(jnp.tanh(a), u)
    stretch = 1 + (1 - jnp.tanh(a)**2) * (u @ w)
    return (0.5 * (z**2).sum(-1) - jnp.log(jnp.abs(stretch))).mean()


def coupling_flow(x, scale, shift):
    a, b = jnp.split(x, 2, 1)
    log_scale = jnp.tanh(a @ scale)
    y = b * jnp.exp(log_scale) + a @ shift
    return (0.5 * (y**2).sum(-1) - log_scale.sum(-1)).mean()


def kl_of_normals(m1, s1, m2, s2):
    ratio = jnp.exp(2 * (s1 - s2))
    return 0.5 * (ratio + ((m1 - m2) * jnp.exp(-s2))**2 - 1 - jnp.log(ratio)).sum()


def crps(x, y):
    return ((jnp.cumsum(nn.softmax(x, -1), -1) - jnp.cumsum(nn.softmax(y, -1), -1))**2).sum(-1)


def black_scholes(x, y, z):
    s, k, v = jnp.exp(x), jnp.exp(y), 0.2 + nn.sigmoid(z)
    cdf = lambda a: 0.5 * (1 + jsp.erf(a / np.sqrt(2.0)))  # noqa: E731
    d = (jnp.log(s / k) + 0.5 * v**2) / v
    return s * cdf(d) - k * cdf(d - v)


def soft_rank(x):
    return nn.sigmoid((x[..., :, None] - x[..., None, :]) / 0.5).sum(-1)


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2).sum()


def rastrigin(x):
    return (x**2 - 10 * jnp.cos(2 * np.pi * x) + 10).sum()


def horner(coefficients, x):
    value = jnp.zeros_like(x)
    for c in coefficients:
        value = value * x + c
    return value


def sinkhorn(x, y):
    cost = (x[:, None] - y[None])**2
    f, g = jnp.zeros_like(x), jnp.zeros_like(y)
    for _ in range(5):
        f = -0.5 * jsp.logsumexp((g[None] - cost) / 0.5, 1)
        g = -0.5 * jsp.logsumexp((f[:, None] - cost) / 0.5, 0)
    return f.mean() + g.mean()


def page_rank(x):
    links, rank = nn.softmax(x, 0), jnp.full(len(x), 1 / len(x))
    for _ in range(6):
        rank = 0.85 * links @ rank + 0.15 * rank.mean()
    return rank


def spectral_loss(x, y):
    d = jnp.fft.rfft(x) - jnp.fft.rfft(y)
    return jnp.log1p(d.real**2 + d.imag**2).sum(-1)


def low_pass(x):
    keep = jnp.arange(x.shape[-1] // 2 + 1) < 3
    return jnp.fft.irfft(jnp.fft.rfft(x) * keep, x.shape[-1]) * x


def total_variation(x):
    down, across = jnp.diff(x, axis=0)[:, 1:], jnp.diff(x, axis=1)[1:]
    return jnp.sqrt(down**2 + across**2 + 0.01).sum()


def interpolation(values, x):
    at = 3 * nn.sigmoid(x)
    i = jnp.floor(at).astype(jnp.int32)
    share = at - lax.stop_gradient(jnp.floor(at))
    return (1 - share) * values[i] + share * values[i + 1]


def matrix_exponential(a, x):
    return jax.scipy.linalg.expm(0.3 * a) @ x


def bilinear_form(x, a, y):
    return jnp.einsum("bi,oij,bj->bo", x, a, y)


def stable_log_ratio(x, y):
    return jsp.logsumexp(x, -1) - x.max(-1) + jnp.log1p(jnp.exp(-jnp.abs(y.mean(-1))))


def sorted_transport(x, y):
    return ((jnp.sort(x) - jnp.sort(y))**2).mean(-1)


def discounted_returns(rewards, discounts):
    g = 0.9 * nn.sigmoid(discounts)
    returns, total = [], jnp.zeros(rewards.shape[:-1])
    for t in reversed(range(rewards.shape[-1])):
        total = g[..., t] * total + rewards[..., t]
        returns.append(total)
    return jnp.stack(returns[::-1], -1)


def log_determinant(x):
    a = x @ x.T + jnp.eye(len(x))
    return jnp.log(jnp.linalg.det(a)) + jnp.linalg.inv(a).sum()


check(poisson_residual, normal(5), normal(4), normal(4), normal(4))
check(heat_residual, normal(5), normal(4), normal(4), normal(4), normal(5))
check(lotka_volterra, np.array([1.0, 0.5]), np.array([1.1, 0.4, 0.1, 0.4]))
check(kuramoto, normal(5), normal(5))
check(n_body, normal(4, 3), normal(4))
check(lennard_jones, normal(4, 3))
check(double_pendulum_energy, normal(2), normal(2))
check(leapfrog, normal(3), normal(3))
check(neural_ode, normal(2, 3), normal(3, 3))
check(normal_log_density, normal(4), normal(4), normal(4, 4))
check(gaussian_process, normal(6), normal(6), normal())
check(kalman_step, normal(3), normal(3, 3), 0.1 * np.eye(3), normal(3))
check(ridge_regression, normal(6, 3), normal(6), normal())
check(gaussian_mixture, normal(5, 2), normal(3, 2), normal(3))
check(hidden_markov, normal(3, 3), normal(5, 3))
check(planar_flow, normal(5, 3), 0.3 * normal(3), 0.3 * normal(3))
check(coupling_flow, normal(5, 4), normal(2, 2), normal(2, 2))
check(kl_of_normals, normal(4), 0.3 * normal(4), normal(4), 0.3 * normal(4))
check(crps, normal(3, 5), normal(3, 5))
check(black_scholes, 0.2 * normal(4), 0.2 * normal(4), normal(4))
check(soft_rank, normal(2, 5))
check(rosenbrock, normal(5))
check(rastrigin, normal(5))
check(horner, normal(5), normal(3))
check(sinkhorn, normal(4), normal(5))
check(page_rank, normal(4, 4))
check(spectral_loss, normal(2, 7), normal(2, 7))
check(low_pass, normal(2, 8))
check(total_variation, normal(4, 5))
check(interpolation, normal(4), normal(6))
check(matrix_exponential, normal(3, 3), normal(3))
check(bilinear_form, normal(3, 2), normal(4, 2, 5), normal(3, 5))
check(stable_log_ratio, normal(3, 4), normal(3, 4))
check(sorted_transport, normal(2, 5), normal(2, 5))
check(discounted_returns, normal(2, 6), normal(2, 6))
check(log_determinant, normal(4, 4))
sys.exit(oracle.run())
