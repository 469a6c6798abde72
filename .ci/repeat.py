#!/usr/bin/env python3
"""Trains configs twice, with two threads and with one, the second time stopped in the middle of an
epoch and resumed. Both must write the same checkpoint, byte for byte.

    .ci/repeat.py [--program build/release/mica] [--data FILE=PATH]... [--set KEY=VALUE]... [CONFIG]...

All shipped configs by default; --data says where a config's data.path lies (cifar10.h5=/data/c.h5).
"""
import argparse
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def train(program, config, out, threads, settings, *more):
    command = [program, "train", config, "--out", out, "--threads", str(threads), *more]
    for setting in settings:
        command += ["--set", setting]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process):
    errors = process.communicate()[1]
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, process.args))}: exit code {process.returncode}\n{errors}")


def position(errors):
    found = re.search(r"stopped by SIGINT at step (\d+)", errors)
    return f"stopped at step {found[1]}" if found else "not stopped"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default=ROOT / "build/release/mica")
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("configs", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    places = dict(entry.split("=", 1) for entry in arguments.data)
    failed = 0
    for config in arguments.configs or sorted((ROOT / "configs").glob("*.yaml")):
        settings = list(arguments.set)
        path = re.search(r"^  path: (\S+)", config.read_text(), re.M)
        if path and path[1] in places:
            settings.append(f"data.path={places[path[1]]}")
        elif path and not (config.parent / path[1]).exists():
            print(f"{config.name}: no {path[1]}, left out")
            continue
        with tempfile.TemporaryDirectory() as folder:
            one, two = pathlib.Path(folder) / "one", pathlib.Path(folder) / "two"
            began = time.time()
            finish(train(arguments.program, config, one, 2, settings))
            seconds = time.time() - began
            process = train(arguments.program, config, two, 1, settings)
            try:
                process.wait(0.6 * seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            errors = process.communicate()[1]
            if process.returncode == 130:
                finish(train(arguments.program, config, two, 1, settings, "--resume"))
            same = all((one / name).read_bytes() == (two / name).read_bytes()
                       for name in ("checkpoints/last.h5", "checkpoints/best.h5"))
            print(f"{config.name}: {'the same bytes' if same else 'OTHER BYTES'} "
                  f"({position(errors)}, {seconds:.1f} s)", flush=True)
            failed += not same
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
