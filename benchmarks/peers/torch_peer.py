#!/usr/bin/env python3
"""The workloads of benchmarks/table.py in PyTorch: torch_peer.py [--threads N] [--compile]

With --compile, each step's model, loss or function goes through torch.compile; optimizers stay as
they are. Images are channels_last, the faster layout. Protocol: protocol.py.
"""

import argparse
import gc

import torch
import torch.nn.functional as F
from torch import nn

import protocol

OPTIONS = None
SIZE = 1 << 22


def maybe_compiled(function):
    return torch.compile(function) if OPTIONS.compile else function


def train_step(model, optimizer, loss_of, x, y):
    forward = maybe_compiled(lambda data, target: loss_of(model(data), target))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def without_grad(function, *arguments):
    function = maybe_compiled(function)

    def step():
        with torch.no_grad():
            return function(*arguments)

    return step


def linreg():
    x, truth = torch.randn(1000, 100), torch.randn(100)
    y = x @ truth + 1e-2 * torch.randn(1000)
    w = (1e-2 * torch.randn(100)).requires_grad_()
    loss_of = maybe_compiled(lambda weights: 0.5 * ((x @ weights - y) ** 2).mean())

    def step():
        (gradient,) = torch.autograd.grad(loss_of(w), w)
        with torch.no_grad():
            w.sub_(0.01 * gradient)

    return step


def mlp(hidden, make_optimizer):
    def make():
        model = nn.Sequential(
            nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 10),
        )
        x, y = torch.randn(256, 784), torch.randint(0, 10, (256,))
        return train_step(model, make_optimizer(model.parameters()), nn.CrossEntropyLoss(), x, y)

    return make


def sgd(parameters):
    return torch.optim.SGD(parameters, 0.1)


def adam(parameters):
    return torch.optim.Adam(parameters, 1e-3)


def article_network(channels, side):
    layers = []
    for out in (20, 50, 100):
        layers += [nn.Conv2d(channels, out, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
        channels = out
    features = channels * (side // 8) ** 2
    layers += [
        nn.Flatten(), nn.Linear(features, features // 2), nn.Dropout(0.3), nn.ReLU(),
        nn.Linear(features // 2, features // 4), nn.Dropout(0.3),
        nn.Linear(features // 4, 10), nn.LogSoftmax(1),
    ]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def images(batch, channels, side):
    return torch.randn(batch, channels, side, side).to(memory_format=torch.channels_last)


def train_cnn(channels, side):
    def make():
        model = article_network(channels, side)
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        labels = torch.randint(0, 10, (128,))
        return train_step(model, optimizer, nn.NLLLoss(), images(128, channels, side), labels)

    return make


def train_cnn_bf16():
    model = article_network(1, 28)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def loss_of(x, y):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = model(x)
        return F.nll_loss(output.float(), y)

    return train_step(lambda x: x, optimizer, loss_of, images(128, 1, 28),
                      torch.randint(0, 10, (128,)))


def infer_cnn(batch):
    def make():
        return without_grad(article_network(1, 28).eval(), images(batch, 1, 28))

    return make


class ResidualBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(out)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(out)
        self.shortcut = nn.Identity()
        if channels != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        inner = self.second_norm(self.second(F.relu(self.first_norm(self.first(x)))))
        return F.relu(inner + self.shortcut(x))


def resnet20():
    layers, channels = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for out in (16, 32, 64):
        for _ in range(3):
            layers.append(ResidualBlock(channels, out, 1 if channels == out else 2))
            channels = out
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    return train_step(model, optimizer, nn.CrossEntropyLoss(), images(128, 3, 32),
                      torch.randint(0, 10, (128,)))


def conv1d_g8():
    x, weight = torch.randn(8, 256, 1000), torch.randn(256, 32, 12)
    return without_grad(lambda a, b: F.conv1d(a, b, groups=8), x, weight)


def conv_transpose1d_dw():
    x, weight = torch.randn(8, 256, 1000), torch.randn(256, 1, 12)
    return without_grad(lambda a, b: F.conv_transpose1d(a, b, groups=256), x, weight)


def max_pool():
    x = images(16, 64, 64).requires_grad_()
    ones = torch.ones(16, 64, 31, 31).to(memory_format=torch.channels_last)
    pool = maybe_compiled(lambda data: F.max_pool2d(data, 3, 2))

    def step():
        pool(x).backward(ones)
        x.grad = None

    return step


def chain():
    def gelu(a, b):
        return 0.5 * a * (1 + torch.tanh(0.79788456 * (a + 0.044715 * a * a * a))) + b

    return without_grad(gelu, torch.randn(SIZE), torch.randn(SIZE))


def adam_4m():
    parameter = torch.randn(4_000_000).requires_grad_()
    parameter.grad = torch.randn_like(parameter)
    return maybe_compiled(torch.optim.Adam([parameter]).step)


def layer_norm():
    x, weight, bias = torch.randn(8192, 1024), torch.ones(1024), torch.zeros(1024)
    return without_grad(lambda *a: F.layer_norm(a[0], (1024,), a[1], a[2]), x, weight, bias)


def cross_entropy():
    logits = torch.randn(4096, 32000).requires_grad_()
    labels = torch.randint(0, 32000, (4096,))
    loss_of = maybe_compiled(F.cross_entropy)

    def step():
        loss_of(logits, labels).backward()
        logits.grad = None

    return step


def lstm():
    model, x = nn.LSTM(256, 256), torch.randn(100, 32, 256)
    forward = maybe_compiled(lambda data: model(data)[0].sum())

    def step():
        forward(x).backward()
        model.zero_grad()

    return step


def matmul(m, n, k, transpose_left=False, transpose_right=False):
    def make():
        a = torch.randn(k, m).T if transpose_left else torch.randn(m, k)
        b = torch.randn(n, k).T if transpose_right else torch.randn(k, n)
        return without_grad(torch.matmul, a, b)

    return make


WORKLOADS = {
    "linreg": linreg,
    "linreg_compiled": linreg,
    **{f"mlp_h{h}_sgd": mlp(h, sgd) for h in (32, 256, 1024)},
    **{f"mlp_h{h}_adam": mlp(h, adam) for h in (32, 256, 1024)},
    "cnn_mnist": train_cnn(1, 28),
    "cnn_cifar": train_cnn(3, 32),
    "cnn_bf16": train_cnn_bf16,
    "resnet20": resnet20,
    "infer_b1": infer_cnn(1),
    "infer_b512": infer_cnn(512),
    "conv1d_g8": conv1d_g8,
    "conv_transpose1d_dw": conv_transpose1d_dw,
    "max_pool": max_pool,
    "chain": chain,
    "exp": lambda: without_grad(torch.exp, torch.randn(SIZE)),
    "add": lambda: without_grad(torch.add, torch.randn(SIZE), torch.randn(SIZE)),
    "sum": lambda: without_grad(torch.sum, torch.randn(SIZE)),
    "softmax": lambda: without_grad(lambda x: torch.softmax(x, -1), torch.randn(4096, 1024)),
    "layer_norm": layer_norm,
    "adam_4m": adam_4m,
    "cross_entropy": cross_entropy,
    "lstm": lstm,
    **{f"matmul_{n}": matmul(n, n, n) for n in (512, 1024, 2048)},
    "matmul_256x256x784": matmul(256, 256, 784, transpose_right=True),
    "matmul_256x784x256": matmul(256, 784, 256, transpose_left=True),
}


def release():
    gc.collect()
    torch._dynamo.reset()


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    OPTIONS = parser.parse_args()
    torch.set_num_threads(OPTIONS.threads)
    torch.manual_seed(0)
    protocol.serve(WORKLOADS, release if OPTIONS.compile else gc.collect)


if __name__ == "__main__":
    main()
