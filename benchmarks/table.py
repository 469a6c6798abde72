"""The rows of the performance table: what each is, what it costs at the least, what is asked of it.

The floor of a row is a sum of phases. A phase takes as long as its arithmetic at the machine's
peak or its memory traffic at the machine's bandwidth, whichever is longer:

    floor = sum over phases of max(flops / peak, bytes moved / bandwidth)

`flops` counts a multiply-add as two and only products of matrices and convolutions, each done
directly (Winograd's algorithm can beat it). Gradients cost as much again for the weights and as
much for the input, which the first layer does not need. Memory traffic counts every array that has
to be read or written once; peak and bandwidth are measured beside the workloads, bandwidth with as
many arrays of the same size as the phase walks through.
"""

import dataclasses

BATCH = 128
SIZE = 1 << 22


@dataclasses.dataclass(frozen=True)
class Phase:
    flops: float = 0
    reads: int = 0
    writes: int = 0
    bytes: int = 0  # of each array


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    phases: tuple = ()
    times: float = None  # at least so many times as fast as PyTorch eager
    share: float = None  # at least this share of the peak
    mlx: float = 1  # at least so many times as fast as MLX
    mlx_compiled: float = 1
    memory: bool = False  # peak memory is compared as well
    of: tuple = None  # (another row, at least so many times as fast as it)


def update(parameters, optimizer):
    """Reads parameter, gradient and state; writes parameter and state."""
    state = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    return Phase(reads=2 + state, writes=1 + state, bytes=4 * parameters)


def mlp(hidden, optimizer, times):
    sizes = [784, hidden, hidden, 10]
    products = [2 * 256 * a * b for a, b in zip(sizes, sizes[1:])]
    parameters = sum((a + 1) * b for a, b in zip(sizes, sizes[1:]))
    return Row(
        f"mlp_h{hidden}_{optimizer}",
        f"MLP 784-{hidden}-{hidden}-10, batch 256, {optimizer.upper() if optimizer == 'sgd' else 'Adam'} step",
        (Phase(3 * sum(products) - products[0]), update(parameters, optimizer)),
        times,
    )


def article_flops(channels, side):
    """Of one image, layer by layer, forward."""
    flops = []
    for out in (20, 50, 100):
        flops.append(2 * side * side * 25 * channels * out)
        channels, side = out, side // 2
    features = channels * side * side
    sizes = [features, features // 2, features // 4, 10]
    return flops + [2 * a * b for a, b in zip(sizes, sizes[1:])]


def training(layers, batch):
    return Phase(batch * (3 * sum(layers) - layers[0]))


def cnn(name, title, channels, side):
    return Row(name, title, (training(article_flops(channels, side), BATCH),), 1.4, mlx=8,
               memory=True)


def resnet_flops():
    flops, channels, side = [2 * 32 * 32 * 9 * 3 * 16], 16, 32
    for out in (16, 32, 64):
        for _ in range(3):
            if channels != out:
                side //= 2
                flops.append(2 * side * side * channels * out)
            flops += [2 * side * side * 9 * channels * out, 2 * side * side * 9 * out * out]
            channels = out
    return flops + [2 * 64 * 10]


def pointwise(name, title, reads, writes, times, count=SIZE):
    return Row(name, title, (Phase(reads=reads, writes=writes, bytes=4 * count),), times)


def product(m, n, k, title, share):
    return Row(f"matmul_{m}" if m == n == k else f"matmul_{m}x{n}x{k}", title,
               (Phase(2 * m * n * k),), share=share)


def rows():
    regression = (Phase(reads=1, bytes=400_000), Phase(reads=1, bytes=400_000))
    images = 4 * 16 * 64 * 64 * 64
    return [
        Row("linreg", "linear regression 1000×100, plain loop", regression, 4.5),
        Row("linreg_compiled", "the same, compiled", regression, 6, mlx_compiled=2),
        mlp(32, "sgd", 2), mlp(32, "adam", 2.2),
        mlp(256, "sgd", 1.5), mlp(256, "adam", 1.5),
        mlp(1024, "sgd", 1.6), mlp(1024, "adam", 1.6),
        cnn("cnn_mnist", "CNN on MNIST shapes, batch 128, training step", 1, 28),
        cnn("cnn_cifar", "CNN on CIFAR shapes, batch 128, training step", 3, 32),
        Row("resnet20", "ResNet-20 on CIFAR shapes, batch 128, training step",
            (training(resnet_flops(), BATCH),), 1.6, mlx=8, memory=True),
        Row("infer_b1", "CNN inference, one image", (Phase(sum(article_flops(1, 28))),), 2),
        Row("infer_b512", "CNN inference, batch 512", (Phase(512 * sum(article_flops(1, 28))),),
            1.4),
        Row("conv1d_g8", "conv1d 8×1000×256, kernel 12, 8 groups",
            (Phase(2 * 8 * 989 * 256 * 12 * 32, 1, 1, 4 * 8 * 1000 * 256),), 1.15),
        Row("conv_transpose1d_dw", "depthwise conv_transpose1d of the same",
            (Phase(2 * 8 * 1000 * 256 * 12, 1, 1, 4 * 8 * 1000 * 256),), 8),
        pointwise("chain", "fused chain (GELU + bias), 4 M", 2, 1, 5),
        pointwise("softmax", "softmax 4096×1024", 1, 1, 1.2),
        pointwise("exp", "exp, 4 M", 1, 1, 1.2),
        pointwise("add", "add, 4 M", 2, 1, 1),
        pointwise("sum", "sum, 4 M", 1, 0, 1),
        pointwise("layer_norm", "layer_norm 8192×1024", 1, 1, 3, 8192 * 1024),
        # The window's maxima take another read of x in the backward pass.
        Row("max_pool", "max-pool 3×3 stride 2, 16×64×64×64, forward + backward",
            (Phase(reads=1, bytes=images), Phase(reads=1, writes=1, bytes=images),
             Phase(reads=1, writes=1, bytes=images * 31 * 31 // (64 * 64))), 1.2),
        Row("adam_4m", "Adam step over 4 M parameters", (update(4_000_000, "adam"),), 2),
        # A row of logits stays in the cache between its passes.
        pointwise("cross_entropy", "cross-entropy 4096×32000, value and gradient", 1, 1, 3,
                  4096 * 32000),
        # Projection and recurrence forward; both weights and the recurrence's input backward.
        Row("lstm", "LSTM, 100 steps, batch 32, hidden 256, forward + backward",
            (Phase(5 * 2 * 3200 * 256 * 1024),), 1.5),
        Row("cnn_bf16", "CNN on MNIST shapes in bfloat16, training step", (), 1.2,
            of=("cnn_mnist", 1.4)),
        product(512, 512, 512, "matmul 512³", None),
        product(1024, 1024, 1024, "matmul 1024³", 0.85),
        product(2048, 2048, 2048, "matmul 2048³", None),
        product(256, 784, 256, "matmul 256×784×256 (Aᵀ·B)", 0.8),
        product(256, 256, 784, "matmul 256×256×784 (A·Bᵀ)", 0.8),
    ]
