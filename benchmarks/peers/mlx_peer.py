#!/usr/bin/env python3
"""The workloads of benchmarks/table.py in MLX on the CPU: mlx_peer.py [--threads N] [--compile]

With --compile, each step goes through mx.compile. MLX chooses its threads itself. Protocol:
protocol.py.
"""

import argparse
import gc

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

import protocol

OPTIONS = None
SIZE = 1 << 22


def normal(*shape):
    x = mx.random.normal(shape)
    mx.eval(x)
    return x


def labels(count, classes):
    y = mx.random.randint(0, classes, (count,))
    mx.eval(y)
    return y


def evaluated(function, *arguments):
    if OPTIONS.compile:
        function = mx.compile(function)
    return lambda: mx.eval(function(*arguments))


def train_step(model, optimizer, loss_of, x, y):
    mx.eval(model.parameters())
    value_and_grad = nn.value_and_grad(model, lambda m, a, b: loss_of(m(a), b))
    state = [model.state, optimizer.state, mx.random.state]

    def update(data, target):
        loss, gradients = value_and_grad(model, data, target)
        optimizer.update(model, gradients)
        return loss

    if OPTIONS.compile:
        update = mx.compile(update, inputs=state, outputs=state)

    def step():
        loss = update(x, y)
        mx.eval(state)
        return loss.item()

    return step


def linreg():
    x, truth = normal(1000, 100), normal(100)
    y = x @ truth + 1e-2 * normal(1000)
    w = 1e-2 * normal(100)
    mx.eval(y, w)
    gradient = mx.grad(lambda weights: 0.5 * mx.mean(mx.square(x @ weights - y)))

    def update(weights):
        return weights - 0.01 * gradient(weights)

    if OPTIONS.compile:
        update = mx.compile(update)

    def step():
        nonlocal w
        w = update(w)
        mx.eval(w)

    return step


def mean_cross_entropy(scores, target):
    return nn.losses.cross_entropy(scores, target, reduction="mean")


def mean_nll(scores, target):
    return nn.losses.nll_loss(scores, target, reduction="mean")


def mlp(hidden, make_optimizer):
    def make():
        model = nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, hidden),
                              nn.ReLU(), nn.Linear(hidden, 10))
        return train_step(model, make_optimizer(), mean_cross_entropy, normal(256, 784),
                          labels(256, 10))

    return make


class Flatten(nn.Module):
    def __call__(self, x):
        return x.reshape(x.shape[0], -1)


def article_network(channels, side):
    layers = []
    for out in (20, 50, 100):
        layers += [nn.Conv2d(channels, out, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2, 2)]
        channels = out
    features = channels * (side // 8) ** 2
    return nn.Sequential(
        *layers, Flatten(), nn.Linear(features, features // 2), nn.Dropout(0.3), nn.ReLU(),
        nn.Linear(features // 2, features // 4), nn.Dropout(0.3),
        nn.Linear(features // 4, 10), nn.LogSoftmax(),
    )


def train_cnn(channels, side):
    def make():
        return train_step(article_network(channels, side), optim.SGD(0.01), mean_nll,
                          normal(128, side, side, channels), labels(128, 10))

    return make


def infer_cnn(batch):
    def make():
        model = article_network(1, 28)
        model.eval()
        mx.eval(model.parameters())
        return evaluated(model, normal(batch, 28, 28, 1))

    return make


class ResidualBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm(out)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm(out)
        self.shortcut = nn.Identity()
        if channels != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm(out)
            )

    def __call__(self, x):
        inner = self.second_norm(self.second(nn.relu(self.first_norm(self.first(x)))))
        return nn.relu(inner + self.shortcut(x))


class GlobalAveragePool(nn.Module):
    def __call__(self, x):
        return mx.mean(x, axis=(1, 2))


def resnet20():
    layers, channels = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm(16), nn.ReLU()], 16
    for out in (16, 32, 64):
        for _ in range(3):
            layers.append(ResidualBlock(channels, out, 1 if channels == out else 2))
            channels = out
    model = nn.Sequential(*layers, GlobalAveragePool(), nn.Linear(64, 10))
    return train_step(model, optim.SGD(0.1, momentum=0.9), mean_cross_entropy,
                      normal(128, 32, 32, 3), labels(128, 10))


def max_pool():
    x, ones = normal(16, 64, 64, 64), mx.ones((16, 31, 31, 64))
    pool = nn.MaxPool2d(3, 2)

    def both(data, cotangent):
        outputs, gradients = mx.vjp(lambda a: pool(a), [data], [cotangent])
        return outputs[0], gradients[0]

    return evaluated(both, x, ones)


def chain():
    def gelu(a, b):
        return 0.5 * a * (1 + mx.tanh(0.79788456 * (a + 0.044715 * a * a * a))) + b

    return evaluated(gelu, normal(SIZE), normal(SIZE))


def adam_4m():
    parameters, gradients = {"p": normal(4_000_000)}, {"p": normal(4_000_000)}
    optimizer = optim.Adam(1e-3, bias_correction=True)
    optimizer.init(parameters)

    def update(values, slopes):
        return optimizer.apply_gradients(slopes, values)

    if OPTIONS.compile:
        update = mx.compile(update, inputs=[optimizer.state], outputs=[optimizer.state])

    def step():
        nonlocal parameters
        parameters = update(parameters, gradients)
        mx.eval(parameters, optimizer.state)

    return step


def cross_entropy():
    logits, target = normal(4096, 32000), labels(4096, 32000)
    return evaluated(mx.value_and_grad(mean_cross_entropy), logits, target)


def lstm():
    model, x = nn.LSTM(256, 256), normal(100, 32, 256)
    mx.eval(model.parameters())

    def both(parameters, data):
        def total(values):
            model.update(values)
            # MLX wants (batch, time, features).
            return model(data.transpose(1, 0, 2))[0].sum()

        return mx.value_and_grad(total)(parameters)

    return evaluated(both, model.parameters(), x)


def matmul(m, n, k, transpose_left=False, transpose_right=False):
    def make():
        a = normal(k, m).T if transpose_left else normal(m, k)
        b = normal(n, k).T if transpose_right else normal(k, n)
        return evaluated(mx.matmul, a, b)

    return make


WORKLOADS = {
    "linreg": linreg,
    "linreg_compiled": linreg,
    **{f"mlp_h{h}_sgd": mlp(h, lambda: optim.SGD(0.1)) for h in (32, 256, 1024)},
    **{f"mlp_h{h}_adam": mlp(h, lambda: optim.Adam(1e-3, bias_correction=True))
       for h in (32, 256, 1024)},
    "cnn_mnist": train_cnn(1, 28),
    "cnn_cifar": train_cnn(3, 32),
    "resnet20": resnet20,
    "infer_b1": infer_cnn(1),
    "infer_b512": infer_cnn(512),
    "conv1d_g8": lambda: evaluated(lambda x, w: mx.conv1d(x, w, groups=8), normal(8, 1000, 256),
                                   normal(256, 12, 32)),
    "conv_transpose1d_dw": lambda: evaluated(
        lambda x, w: mx.conv_transpose1d(x, w, groups=256), normal(8, 1000, 256),
        normal(256, 12, 1)),
    "max_pool": max_pool,
    "chain": chain,
    "exp": lambda: evaluated(mx.exp, normal(SIZE)),
    "add": lambda: evaluated(mx.add, normal(SIZE), normal(SIZE)),
    "sum": lambda: evaluated(mx.sum, normal(SIZE)),
    "softmax": lambda: evaluated(lambda x: mx.softmax(x, -1), normal(4096, 1024)),
    "layer_norm": lambda: evaluated(lambda x, w, b: mx.fast.layer_norm(x, w, b, 1e-5),
                                    normal(8192, 1024), mx.ones(1024), mx.zeros(1024)),
    "adam_4m": adam_4m,
    "cross_entropy": cross_entropy,
    "lstm": lstm,
    **{f"matmul_{n}": matmul(n, n, n) for n in (512, 1024, 2048)},
    "matmul_256x256x784": matmul(256, 256, 784, transpose_right=True),
    "matmul_256x784x256": matmul(256, 784, 256, transpose_left=True),
}


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    OPTIONS = parser.parse_args()
    mx.set_default_device(mx.cpu)
    mx.random.seed(0)
    protocol.serve(WORKLOADS, gc.collect)


if __name__ == "__main__":
    main()
