"""What Mica writes, read by others, and the other way: h5py opens checkpoints and data sets, the
safetensors package reads ours and we read its, PyTorch, MLX and Keras compute the same with the
same weights, ONNX Runtime runs an exported run.

    python3 handing_on.py PROGRAM FIXTURES         PROGRAM: mica

Parts whose packages are not installed are left out and named. Exit code 77 without NumPy or h5py.
"""

import json
import os
import subprocess
import sys
import tempfile

SKIPPED = 77

try:
    import h5py
    import numpy as np
except ImportError as error:
    print("skipped:", error)
    sys.exit(SKIPPED)

CONFIG = """
name: tiny
data: {path: digits.npz, source: npz, batch_size: 10, split: test=0.3}
model:
  - conv2d: {out: 4, kernel: 3, padding: 1}
  - batch_norm: {eps: 1e-3}
  - relu
  - max_pool2d: 2
  - conv2d: {out: 5, kernel: 3, bias: false}
  - flatten
  - layer_norm
  - linear: 6
  - relu
  - dropout: 0.3
  - linear: 3
loss: cross_entropy
optimizer: {sgd: {lr: 0.05}}
train: {epochs: 2, keep: last}
"""


# Images made flat and images made of features: PyTorch has both channels first.
AUTOENCODER = """
name: autoencoder
data: {path: digits.npz, source: npz, batch_size: 10}
model:
  - conv2d: {out: 4, kernel: 3, padding: 1}
  - max_pool2d: 2
  - flatten
  - linear: 7
  - tanh
  - linear: 48
  - batch_norm
  - relu
  - reshape: {shape: [4, 4, 3]}
  - conv_transpose2d: {out: 5, kernel: [4, 2], stride: 2, padding: [1, 0]}
  - group_norm: {groups: 5}
  - upsample: {scale: [2, 2], mode: linear}
  - adaptive_avg_pool2d: {size: [3, 2]}
  - flatten
  - linear: 3
loss: cross_entropy
optimizer: {sgd: {lr: 0.05}}
train: {epochs: 1}
"""


class Place:
    """A folder with a small data set, a config and a run of it."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        random = np.random.default_rng(0)
        y = random.integers(0, 3, 90)
        x = (random.random((90, 8, 8, 1)) * 60).astype(np.uint8)
        for i in range(90):
            x[i, :, 2 * y[i]: 2 * y[i] + 3] += 150
        np.savez(self / "digits.npz", x=x, y=y)
        for name, text in (("tiny.yaml", CONFIG), ("autoencoder.yaml", AUTOENCODER)):
            with open(self / name, "w") as file:
                file.write(text)
        self.mica("train", "tiny.yaml", "--out", "run", "-q")

    def __truediv__(self, name):
        return os.path.join(self.folder, name)

    def mica(self, *arguments):
        done = subprocess.run([self.program, *arguments], cwd=self.folder, text=True,
                              capture_output=True)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def example(self, target):
        """Examples, and what Mica makes of them with the weights of a run or checkpoint."""
        self.mica("export", target, "--out", "check.onnx", "--example", "check.npz")
        arrays = np.load(self / "check.npz")
        return arrays["input"], arrays["output"]

    def weights(self, target):
        """The weights of a run or checkpoint, as h5py reads them."""
        checkpoint = target if target.endswith(".h5") else f"{target}/checkpoints/last.h5"
        with h5py.File(self / checkpoint) as file:
            return {name: array[()] for name, array in file["model"].items()}


def equal(got, wanted, what, tolerance=1e-5):
    assert got.shape == wanted.shape, (what, got.shape, wanted.shape)
    error = float(np.abs(np.asarray(got, np.float64) - wanted).max())
    assert error <= tolerance * max(1.0, float(np.abs(wanted).max())), (what, error)
    print(f"  {what}: {error:.1e}")


def same_arrays(got, wanted):
    assert sorted(got) == sorted(wanted), (sorted(got), sorted(wanted))
    for name in got:
        assert got[name].dtype == wanted[name].dtype, (name, got[name].dtype, wanted[name].dtype)
        np.testing.assert_array_equal(got[name], wanted[name], err_msg=name)


def hdf5(place):
    shapes = {"0.weight": (4, 3, 3, 1), "0.bias": (4,), "1.weight": (4,), "1.bias": (4,),
              "1.running_mean": (4,), "1.running_var": (4,), "4.weight": (5, 3, 3, 4),
              "6.weight": (20,), "6.bias": (20,), "7.weight": (6, 20), "7.bias": (6,),
              "10.weight": (3, 6), "10.bias": (3,)}
    with h5py.File(place / "run/checkpoints/last.h5") as file:
        assert file.attrs["format"] in ("mica-checkpoint", b"mica-checkpoint")
        model = file["model"]
        assert {name: array.shape for name, array in model.items()} == shapes
        assert all(array.dtype == np.float32 for array in model.values())
        assert list(model.attrs["example_shape"]) == [8, 8, 1]
        assert len(model.attrs["mean"]) == len(model.attrs["std"]) == 1
        # 63 of 90 examples in batches of 10, twice
        assert file["state"].attrs["step"] == 14, file["state"].attrs["step"]
        assert "optimizer" in file["state"]
        assert file["config"].asstr()[()].startswith("name: tiny")
    place.mica("prepare", "npz", "--source", "digits.npz", "--out", "digits.h5",
               "--split", "test=0.3")
    source = np.load(place / "digits.npz")
    with h5py.File(place / "digits.h5") as file:
        x = np.concatenate([file["train/x"], file["test/x"]])
        y = np.concatenate([file["train/y"], file["test/y"]])
        assert x.dtype == np.uint8 and y.dtype == np.int32 and x.shape == (90, 8, 8, 1)
        assert len(file["test/y"]) == 27
        rows = sorted((image.tobytes(), int(label)) for image, label in zip(x, y))
        assert rows == sorted((image.tobytes(), int(label))
                              for image, label in zip(source["x"], source["y"]))
        mean = np.asarray(file["train/x"], np.float64).mean()
        assert abs(file.attrs["mean"][0] - mean) < 1e-9 * mean
    print("  a checkpoint and a data set: names, shapes, values")


def safetensors(place):
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    place.mica("export", "run", "--out", "ours.safetensors")
    same_arrays(load_file(place / "ours.safetensors"), place.weights("run"))
    with safe_open(place / "ours.safetensors", "numpy") as file:
        assert file.metadata()["format"] == "mica"
        assert json.loads(file.metadata()["class_names"]) == ["0", "1", "2"]
    changed = {name: array + np.float32(1) for name, array in place.weights("run").items()}
    save_file(changed, place / "theirs.safetensors")
    place.mica("import", "theirs.safetensors", "--names", "mica", "--config", "tiny.yaml",
               "--out", "theirs.h5")
    same_arrays(place.weights("theirs.h5"), changed)
    np.savez(place / "theirs.npz", **changed)
    place.mica("import", "theirs.npz", "--names", "mica", "--config", "tiny.yaml",
               "--out", "theirs2.h5")
    same_arrays(place.weights("theirs2.h5"), changed)
    print("  ours read by the package, its read by us")


def torch(place):
    import torch
    from safetensors.torch import load_file, save_file
    from torch import nn

    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4, eps=1e-3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3, bias=False), nn.Flatten(), nn.LayerNorm(20), nn.Linear(20, 6),
        nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 3)).eval()

    def outputs(x):
        with torch.no_grad():
            return model(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()

    torch.manual_seed(1)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.1)
    save_file(model.state_dict(), place / "torch.safetensors", metadata={"format": "pt"})
    place.mica("import", "torch.safetensors", "--config", "tiny.yaml", "--out", "torch.h5")
    x, y = place.example("torch.h5")
    equal(outputs(x), y, "weights of PyTorch, used here")
    place.mica("export", "run", "--out", "to_torch.safetensors", "--names", "torch")
    state = load_file(place / "to_torch.safetensors")
    assert sorted(state) == sorted(model.state_dict())
    model.load_state_dict(state)
    x, y = place.example("run")
    equal(outputs(x), y, "weights of ours, used by PyTorch")


def torch_autoencoder(place):
    import torch
    from safetensors.torch import load_file
    from torch import nn

    place.mica("train", "autoencoder.yaml", "--out", "autoencoder", "-q")
    place.mica("export", "autoencoder", "--out", "autoencoder.safetensors", "--names", "torch")
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 7), nn.Tanh(),
        nn.Linear(7, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Unflatten(1, (3, 4, 4)),
        nn.ConvTranspose2d(3, 5, (4, 2), 2, padding=(1, 0)), nn.GroupNorm(5, 5),
        nn.Upsample(scale_factor=2, mode="bilinear"), nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(),
        nn.Linear(30, 3)).eval()
    model.load_state_dict(load_file(place / "autoencoder.safetensors"))
    x, y = place.example("autoencoder")
    with torch.no_grad():
        got = model(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    equal(got, y, "weights of an autoencoder, used by PyTorch")


def mlx(place):
    import mlx.core as mx
    from mlx import nn

    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm(4, eps=1e-3), nn.ReLU(), nn.MaxPool2d(2, 2),
        nn.Conv2d(4, 5, 3, bias=False), lambda x: x.reshape(x.shape[0], -1), nn.LayerNorm(20),
        nn.Linear(20, 6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 3))
    model.eval()
    for name in ("to_mlx.safetensors", "to_mlx.npz"):
        place.mica("export", "run", "--out", name, "--names", "mlx")
        model.load_weights(place / name)
        x, y = place.example("run")
        equal(np.asarray(model(mx.array(x))), y, f"weights of ours, used by MLX ({name[7:]})")
    model.save_weights(place / "mlx.safetensors")
    place.mica("import", "mlx.safetensors", "--names", "mlx", "--config", "tiny.yaml", "--out",
               "mlx.h5")
    same_arrays(place.weights("mlx.h5"), place.weights("run"))


def onnxruntime(place):
    import onnxruntime

    x, y = place.example("run")
    session = onnxruntime.InferenceSession(place / "check.onnx")
    equal(session.run(None, {"input": x})[0], y, "a run as ONNX")
    place.mica("export", "run", "--out", "raw.onnx", "--raw", "--channels-first", "--example",
               "raw.npz")
    arrays = np.load(place / "raw.npz")
    session = onnxruntime.InferenceSession(place / "raw.onnx")
    assert session.get_inputs()[0].shape == ["batch", 1, 8, 8]
    got = session.run(None, {"input": arrays["input"]})[0]
    equal(got, arrays["output"], "with raw inputs, channels first")
    with h5py.File(place / "run/checkpoints/last.h5") as file:
        mean, std = file["model"].attrs["mean"], file["model"].attrs["std"]
    equal((arrays["input"].transpose(0, 2, 3, 1) - mean) / std, x, "its inputs, normalised", 1e-5)
    first, second = open(place / "raw.onnx", "rb").read(), place / "again.onnx"
    place.mica("export", "run", "--out", "again.onnx", "--raw", "--channels-first")
    assert open(second, "rb").read() == first


def keras_files(place, folder):
    example = np.load(os.path.join(folder, "example.npz"))
    for name in ("model.keras", "model.weights.h5", "model.h5"):
        place.mica("import", os.path.join(folder, name), "--config", "tiny.yaml", "--out", "k.h5")
        x, y = place.example("k.h5")
        try:
            import onnxruntime
        except ImportError:
            continue
        session = onnxruntime.InferenceSession(place / "check.onnx")
        got = session.run(None, {"input": example["input"]})[0]
        equal(got, example["output"], name)


def keras(place):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    from keras import layers

    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(),
        layers.ReLU(), layers.MaxPooling2D(2), layers.Conv2D(5, 3, use_bias=False),
        layers.Flatten(), layers.LayerNormalization(epsilon=1e-5),
        layers.Dense(6, activation="relu"), layers.Dropout(0.3), layers.Dense(3)])
    place.mica("export", "run", "--out", "to_keras.weights.h5")
    model.load_weights(place / "to_keras.weights.h5")
    x, y = place.example("run")
    equal(np.asarray(model.predict(x, verbose=0)), y, "weights of ours, used by Keras")


def main():
    program, fixtures = (os.path.abspath(argument) for argument in sys.argv[1:3])
    parts = {"h5py": hdf5, "safetensors": safetensors, "PyTorch": torch,
             "PyTorch again": torch_autoencoder, "MLX": mlx, "ONNX Runtime": onnxruntime,
             "files of Keras": lambda place: keras_files(place, os.path.join(fixtures, "keras")),
             "Keras": keras}
    with tempfile.TemporaryDirectory() as folder:
        place = Place(program, folder)
        for name, part in parts.items():
            print(name)
            try:
                part(place)
            except ImportError as error:
                print("  left out:", error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
