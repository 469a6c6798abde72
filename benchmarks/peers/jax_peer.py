#!/usr/bin/env python3
"""The workloads of benchmarks/table.py in JAX on the CPU, each step one jitted function whose state
is donated: jax_peer.py [--threads N]

Images are NHWC, weights HWIO; gradients, layers and optimizers are written out. JAX takes its
threads from the cores that the process may run on. Protocol: protocol.py.
"""

import argparse
import gc
import math
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
from jax import lax

import protocol

SIZE = 1 << 22


class Keys:
    """The next key each time it is asked."""

    def __init__(self):
        self.key = jax.random.key(0)

    def __call__(self):
        self.key, key = jax.random.split(self.key)
        return key


KEYS = Keys()


def normal(*shape):
    return jax.block_until_ready(jax.random.normal(KEYS(), shape))


def labels(count, classes):
    return jax.block_until_ready(jax.random.randint(KEYS(), (count,), 0, classes))


def uniform(shape, fan_in):
    bound = 1 / math.sqrt(fan_in)
    return jax.random.uniform(KEYS(), shape, minval=-bound, maxval=bound)


def evaluated(function, *arguments):
    function = jax.jit(function)
    return lambda: jax.block_until_ready(function(*arguments))


def sgd(lr, momentum=0.0):
    def init(p):
        return jax.tree.map(jnp.zeros_like, p) if momentum else ()

    def update(p, g, s):
        if not momentum:
            return jax.tree.map(lambda a, b: a - lr * b, p, g), s
        s = jax.tree.map(lambda a, b: momentum * a + b, s, g)
        return jax.tree.map(lambda a, b: a - lr * b, p, s), s

    return init, update


def adam(lr):
    def init(p):
        return (jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.zeros(()))

    def update(p, g, s):
        first, second, steps = s
        steps = steps + 1
        first = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, first, g)
        second = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, second, g)
        rate, root = lr / (1 - 0.9**steps), jnp.sqrt(1 - 0.999**steps)
        p = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) / root + 1e-8), p, first,
                         second)
        return p, (first, second, steps)

    return init, update


def train_step(parameters, loss_of, optimizer, x, y, buffers=()):
    """loss_of(parameters, buffers, x, y, key) gives the loss and the new buffers."""
    init, update = optimizer

    def compute(state, data, target):
        p, s, b, key = state
        key, now = jax.random.split(key)
        (loss, b), g = jax.value_and_grad(loss_of, has_aux=True)(p, b, data, target, now)
        p, s = update(p, g, s)
        return (p, s, b, key), loss

    compute = jax.jit(compute, donate_argnums=0)
    state = (parameters, init(parameters), buffers, KEYS())

    def step():
        nonlocal state
        state, loss = compute(state, x, y)
        jax.block_until_ready(state)
        return loss.item()

    return step


def linreg():
    x, truth = normal(1000, 100), normal(100)
    y = x @ truth + 1e-2 * normal(1000)
    w = 1e-2 * normal(100)
    gradient = jax.grad(lambda weights: 0.5 * jnp.mean(jnp.square(x @ weights - y)))
    update = jax.jit(lambda weights: weights - 0.01 * gradient(weights))

    def step():
        nonlocal w
        w = jax.block_until_ready(update(w))

    return step


def dense_parameters(sizes):
    return [(uniform((i, o), i), uniform((o,), i)) for i, o in zip(sizes, sizes[1:])]


def mean_nll(log_probabilities, target):
    return -jnp.mean(jnp.take_along_axis(log_probabilities, target[:, None], 1))


def mlp(hidden, optimizer):
    def loss_of(parameters, buffers, x, y, _):
        for weight, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        weight, bias = parameters[-1]
        return mean_nll(jax.nn.log_softmax(x @ weight + bias), y), buffers

    def make():
        return train_step(dense_parameters([784, hidden, hidden, 10]), loss_of, optimizer,
                          normal(256, 784), labels(256, 10))

    return make


def conv(x, weight, stride=1, padding=0, groups=1):
    pad = (padding, padding)
    return lax.conv_general_dilated(x, weight, (stride, stride), (pad, pad),
                                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                                    feature_group_count=groups)


def pool(x, kernel, stride):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, kernel, kernel, 1), (1, stride, stride, 1),
                             "VALID")


def article_parameters(channels, side):
    convs = []
    for out in (20, 50, 100):
        fan_in = channels * 25
        convs.append((uniform((5, 5, channels, out), fan_in), uniform((out,), fan_in)))
        channels = out
    features = channels * (side // 8) ** 2
    return convs, dense_parameters([features, features // 2, features // 4, 10])


def dropout(x, key):
    return x if key is None else jnp.where(jax.random.bernoulli(key, 0.7, x.shape), x / 0.7, 0)


def article_network(parameters, x, key=None):
    convs, dense = parameters
    for weight, bias in convs:
        x = pool(jax.nn.relu(conv(x, weight, padding=2) + bias), 2, 2)
    x = x.reshape(x.shape[0], -1)
    first, second = (None, None) if key is None else jax.random.split(key)
    x = jax.nn.relu(dropout(x @ dense[0][0] + dense[0][1], first))
    x = dropout(x @ dense[1][0] + dense[1][1], second)
    return jax.nn.log_softmax(x @ dense[2][0] + dense[2][1])


def train_cnn(channels, side):
    def loss_of(parameters, buffers, x, y, key):
        return mean_nll(article_network(parameters, x, key), y), buffers

    def make():
        return train_step(article_parameters(channels, side), loss_of, sgd(0.01),
                          normal(128, side, side, channels), labels(128, 10))

    return make


def infer_cnn(batch):
    return lambda: evaluated(article_network, article_parameters(1, 28), normal(batch, 28, 28, 1))


def batch_norm(x, scale, shift, running):
    mean, var = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
    count = x.size // x.shape[-1]
    running = (0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * var * count / (count - 1))
    return (x - mean) * (scale * lax.rsqrt(var + 1e-5)) + shift, running


def resnet_layers():
    """Kernel, channels in, out and stride of every convolution with its normalisation."""
    layers, channels = [(3, 3, 16, 1)], 16
    for out in (16, 32, 64):
        for _ in range(3):
            layers += [(3, channels, out, 1 if channels == out else 2), (3, out, out, 1)]
            if channels != out:
                layers.append((1, channels, out, 2))
            channels = out
    return layers


def resnet20():
    layers = resnet_layers()
    parameters = ([(uniform((k, k, i, o), k * k * i), jnp.ones(o), jnp.zeros(o))
                   for k, i, o, _ in layers], dense_parameters([64, 10]))
    running = [(jnp.zeros(o), jnp.ones(o)) for _, _, o, _ in layers]

    def loss_of(p, buffers, x, y, _):
        convs, dense = p
        new = []

        def normed(data):
            index = len(new)
            kernel, _, _, stride = layers[index]
            weight, scale, shift = convs[index]
            data, statistics = batch_norm(conv(data, weight, stride, kernel // 2), scale, shift,
                                          buffers[index])
            new.append(statistics)
            return data

        x = jax.nn.relu(normed(x))
        while len(new) < len(layers):
            inner = normed(jax.nn.relu(normed(x)))
            x = jax.nn.relu(inner + (x if x.shape == inner.shape else normed(x)))
        x = jnp.mean(x, (1, 2)) @ dense[0][0] + dense[0][1]
        return mean_nll(jax.nn.log_softmax(x), y), new

    return train_step(parameters, loss_of, sgd(0.1, 0.9), normal(128, 32, 32, 3), labels(128, 10),
                      running)


def conv1d_g8():
    return evaluated(
        lambda x, w: lax.conv_general_dilated(x, w, (1,), "VALID", feature_group_count=8,
                                              dimension_numbers=("NWC", "WIO", "NWC")),
        normal(8, 1000, 256), normal(12, 32, 256))


def conv_transpose1d_dw():
    return evaluated(
        lambda x, w: lax.conv_general_dilated(x, w, (1,), [(11, 11)], feature_group_count=256,
                                              dimension_numbers=("NWC", "WIO", "NWC")),
        normal(8, 1000, 256), normal(12, 1, 256))


def max_pool():
    def both(x, cotangent):
        y, backward = jax.vjp(lambda a: pool(a, 3, 2), x)
        return y, backward(cotangent)

    return evaluated(both, normal(16, 64, 64, 64), jnp.ones((16, 31, 31, 64)))


def chain():
    def gelu(a, b):
        return 0.5 * a * (1 + jnp.tanh(0.79788456 * (a + 0.044715 * a * a * a))) + b

    return evaluated(gelu, normal(SIZE), normal(SIZE))


def adam_4m():
    init, update = adam(1e-3)
    update = jax.jit(update, donate_argnums=(0, 2))
    parameter, gradient = normal(4_000_000), normal(4_000_000)
    state = init(parameter)

    def step():
        nonlocal parameter, state
        parameter, state = jax.block_until_ready(update(parameter, gradient, state))

    return step


def layer_norm():
    def norm(x, weight, bias):
        mean, var = jnp.mean(x, -1, keepdims=True), jnp.var(x, -1, keepdims=True)
        return (x - mean) * lax.rsqrt(var + 1e-5) * weight + bias

    return evaluated(norm, normal(8192, 1024), jnp.ones(1024), jnp.zeros(1024))


def cross_entropy():
    target = labels(4096, 32000)
    return evaluated(
        jax.value_and_grad(lambda logits: mean_nll(jax.nn.log_softmax(logits), target)),
        normal(4096, 32000))


def lstm():
    parameters = [uniform((256, 1024), 256), uniform((256, 1024), 256), uniform((1024,), 256),
                  uniform((1024,), 256)]

    def total(p, x):
        inputs = x @ p[0] + (p[2] + p[3])

        def cell(carry, row):
            h, c = carry
            i, f, g, o = jnp.split(row + h @ p[1], 4, 1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        start = (jnp.zeros((32, 256)), jnp.zeros((32, 256)))
        return jnp.sum(lax.scan(cell, start, inputs)[1])

    return evaluated(jax.value_and_grad(total), parameters, normal(100, 32, 256))


def matmul(m, n, k, equation="mk,kn->mn"):
    def make():
        left, right = equation.split("->")[0].split(",")
        sizes = {"m": m, "n": n, "k": k}
        a, b = (normal(*(sizes[axis] for axis in axes)) for axes in (left, right))
        return evaluated(lambda x, y: jnp.einsum(equation, x, y), a, b)

    return make


WORKLOADS = {
    "linreg": linreg,
    "linreg_compiled": linreg,
    **{f"mlp_h{h}_sgd": mlp(h, sgd(0.1)) for h in (32, 256, 1024)},
    **{f"mlp_h{h}_adam": mlp(h, adam(1e-3)) for h in (32, 256, 1024)},
    "cnn_mnist": train_cnn(1, 28),
    "cnn_cifar": train_cnn(3, 32),
    "resnet20": resnet20,
    "infer_b1": infer_cnn(1),
    "infer_b512": infer_cnn(512),
    "conv1d_g8": conv1d_g8,
    "conv_transpose1d_dw": conv_transpose1d_dw,
    "max_pool": max_pool,
    "chain": chain,
    "exp": lambda: evaluated(jnp.exp, normal(SIZE)),
    "add": lambda: evaluated(jnp.add, normal(SIZE), normal(SIZE)),
    "sum": lambda: evaluated(jnp.sum, normal(SIZE)),
    "softmax": lambda: evaluated(jax.nn.softmax, normal(4096, 1024)),
    "layer_norm": layer_norm,
    "adam_4m": adam_4m,
    "cross_entropy": cross_entropy,
    "lstm": lstm,
    **{f"matmul_{n}": matmul(n, n, n) for n in (512, 1024, 2048)},
    "matmul_256x256x784": matmul(256, 256, 784, "mk,nk->mn"),
    "matmul_256x784x256": matmul(256, 784, 256, "km,kn->mn"),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.parse_args()
    protocol.serve(WORKLOADS, gc.collect)


if __name__ == "__main__":
    main()
