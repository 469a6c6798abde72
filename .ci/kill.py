#!/usr/bin/env python3
"""Kills a training run with kill -9 at random moments, writes of checkpoints included, and fills the
disk while one is written. Every time the last checkpoint must open, and the run that is resumed must
end with the bytes of one that nothing disturbed.

    .ci/kill.py [--program build/release/mica] [--kills 200] [--seed 0]
"""
import argparse
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Runs:
    def __init__(self, program, folder):
        self.program = program
        self.folder = pathlib.Path(folder)
        # Augmentation and dropout are on, and a checkpoint of 11 MB is written every 20th step.
        self.config = [ROOT / "configs/mnist_mlp.yaml"]
        for setting in ("train.epochs=1", "train.checkpoint_steps=20", "train.checkpoint_seconds=0",
                        "data.augment=[pad_crop: 2]"):
            self.config += ["--set", setting]

    def command(self, name, threads):
        run = self.folder / name
        resume = ["--resume"] if (run / "config.yaml").exists() else []
        return [self.program, "train", *self.config, "--out", run, "--threads", str(threads), *resume]

    def finish(self, name, threads, **options):
        return subprocess.run(self.command(name, threads), capture_output=True, text=True, **options)

    def last(self, name):
        return self.folder / name / "checkpoints" / "last.h5"

    def must_open(self, name):
        done = subprocess.run([self.program, "evaluate", self.last(name), "--json"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"a checkpoint does not open: {done.stderr}")


def kill_until_done(runs, name, generator, kills, wanted):
    """Kills and resumes one run until it ends by itself; the number of kills so far."""
    while True:
        threads = generator.choice([1, 2])
        process = subprocess.Popen(runs.command(name, threads), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        try:
            if kills < wanted:
                process.wait(generator.uniform(0.02, 2))
            errors = process.communicate()[1]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            if runs.last(name).exists():
                runs.must_open(name)
            continue
        if process.returncode != 0:
            sys.exit(f"after {kills} kills: exit code {process.returncode}: {errors}")
        return kills


def fill_disk(runs, whole):
    """A file may not grow beyond less than a checkpoint: what a full disk does to a write."""
    name = "full"
    process = subprocess.Popen(runs.command(name, 1), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    while not runs.last(name).exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = runs.last(name).read_bytes()
    limit = len(before) // 2
    done = runs.finish(name, 1,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    if done.returncode != 3 or "last.h5: cannot write" not in done.stderr:
        sys.exit(f"disk full: exit code {done.returncode}: {done.stderr}")
    if runs.last(name).read_bytes() != before:
        sys.exit("disk full: the checkpoint from before is not what it was")
    left = [path.name for path in runs.last(name).parent.iterdir() if "tmp" in path.name]
    done = runs.finish(name, 1)
    if done.returncode != 0 or runs.last(name).read_bytes() != whole:
        sys.exit(f"after a full disk the run does not go on: {done.stderr}")
    return left


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default=ROOT / "build/release/mica")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(os.path.abspath(arguments.program), folder)
        done = runs.finish("whole", 2)
        if done.returncode != 0:
            sys.exit(done.stderr)
        whole = runs.last("whole").read_bytes()
        kills = ended = 0
        while kills < arguments.kills:
            name = f"killed{ended}"
            kills = kill_until_done(runs, name, generator, kills, arguments.kills)
            if runs.last(name).read_bytes() != whole:
                sys.exit(f"after {kills} kills: other bytes than without")
            ended += 1
        left = fill_disk(runs, whole)
        print(f"{kills} kills in {ended} runs: every checkpoint opened, every run ended with the same "
              f"bytes; so did one whose disk was full ({len(left)} temporary files left)")


if __name__ == "__main__":
    main()
