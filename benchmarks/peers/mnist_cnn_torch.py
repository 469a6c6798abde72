#!/usr/bin/env python3
"""configs/mnist_cnn.yaml in PyTorch: the same network, data, batches and hyper-parameters.

    mnist_cnn_torch.py FOLDER [--epochs N] [--threads N] [--layout nhwc|nchw]

FOLDER holds the four IDX files of MNIST (.gz). Prints one JSON object: seconds of each epoch's
training (without evaluation), test accuracy and peak memory of the whole process.
"""

import argparse
import gzip
import json
import pathlib
import resource
import time

import torch
from torch import nn


def read_idx(path):
    with gzip.open(path) as file:
        raw = bytearray(file.read())
    rank = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return torch.frombuffer(raw, dtype=torch.uint8, offset=4 + 4 * rank).reshape(shape)


def network():
    layers, channels = [], 1
    for out in (20, 50, 100):
        layers += [nn.Conv2d(channels, out, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
        channels = out
    return nn.Sequential(
        *layers, nn.Flatten(),
        nn.Linear(900, 450), nn.Dropout(0.3), nn.ReLU(),
        nn.Linear(450, 225), nn.Dropout(0.3),
        nn.Linear(225, 10), nn.LogSoftmax(dim=1),
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--layout", choices=("nhwc", "nchw"), default="nhwc")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    def split(name):
        images = read_idx(options.folder / f"{name}-images-idx3-ubyte.gz").unsqueeze(1)
        return images, read_idx(options.folder / f"{name}-labels-idx1-ubyte.gz").long()

    train_x, train_y = split("train")
    test_x, test_y = split("t10k")
    # In chunks, so that the peak of memory is that of training.
    moments = [(part.double().sum(), part.double().square().sum()) for part in train_x.split(1024)]
    mean = sum(first for first, _ in moments) / train_x.numel() / 255
    square = sum(second for _, second in moments) / train_x.numel() / 255**2
    mean, std = mean.float(), (square - mean**2).sqrt().float()
    layout = torch.channels_last if options.layout == "nhwc" else torch.contiguous_format

    def normalized(images):
        return ((images.float() / 255 - mean) / std).contiguous(memory_format=layout)

    model = network().to(memory_format=layout)
    loss_of = nn.NLLLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    steps = options.epochs * (len(train_x) // options.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    seconds = []
    for _ in range(options.epochs):
        began = time.perf_counter()
        model.train()
        order = torch.randperm(len(train_x))
        total = torch.zeros(())
        for start in range(0, len(order) - options.batch + 1, options.batch):
            rows = order[start : start + options.batch]
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(normalized(train_x[rows])), train_y[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
        total.item()
        seconds.append(time.perf_counter() - began)

    model.eval()
    right = 0
    with torch.inference_mode():
        for start in range(0, len(test_x), 512):
            answer = model(normalized(test_x[start : start + 512])).argmax(1)
            right += int((answer == test_y[start : start + 512]).sum())
    print(json.dumps({
        "torch": torch.__version__,
        "threads": options.threads,
        "layout": options.layout,
        "epoch_seconds": [round(value, 3) for value in seconds],
        "test_accuracy": right / len(test_x),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }))


if __name__ == "__main__":
    main()
