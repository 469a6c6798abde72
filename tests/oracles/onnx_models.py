"""ONNX Runtime gives the outputs that Mica gives: every layer, and the models of configs/.

    python3 onnx_models.py MODELS CONFIG...      MODELS: the program of models/main.cc

Says what was compared and the worst difference; 1 for one above 1e-4, 77 without the packages.
"""

import glob
import os
import subprocess
import sys
import tempfile

TOLERANCE = 1e-4  # relative to the largest of 1 and the outputs
SKIPPED = 77


def compare(path):
    import numpy as np
    import onnx
    import onnxruntime

    onnx.checker.check_model(onnx.load(path), full_check=True)
    case = np.load(path[: -len(".onnx")] + ".npz")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    (given,) = session.get_outputs()
    assert (taken.name, given.name) == ("input", "output"), (taken.name, given.name)
    assert taken.shape == ["batch", *case["x"].shape[1:]], taken.shape
    assert given.shape == ["batch", *case["y"].shape[1:]], given.shape
    worst = 0.0
    for count in (len(case["x"]), 1):  # the batch may have any size
        (y,) = session.run(None, {"input": case["x"][:count]})
        wanted = case["y"][:count]
        assert y.shape == wanted.shape, (y.shape, wanted.shape)
        worst = max(worst, float(np.abs(y - wanted).max() / max(1.0, np.abs(wanted).max())))
    return worst


def main():
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run([sys.argv[1], folder, *sys.argv[2:]]).returncode != 0:
            return 1
        try:
            import numpy, onnx, onnxruntime  # noqa: F401
        except ImportError as error:
            print("skipped:", error)
            return SKIPPED
        errors = {}
        for path in sorted(glob.glob(os.path.join(folder, "*.onnx"))):
            name = os.path.basename(path)[: -len(".onnx")]
            try:
                errors[name] = compare(path)
            except Exception as error:  # a model that the runtime refuses is one failure of many
                print(f"{name}: {error}")
                errors[name] = float("inf")
    for name, error in errors.items():
        print(f"{name:<28} {error:.1e}{'' if error <= TOLERANCE else '  FAILED'}")
    bad = [name for name, error in errors.items() if not error <= TOLERANCE]
    print(f"{len(errors)} models, {len(bad)} failed, worst difference {max(errors.values()):.1e}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
