#!/usr/bin/env python3
"""Checks that #includes only point down the layers of docs/architecture.md.

A folder may include itself and folders of a lower rank. Folders of one rank do not know each other
(nn, optim and data). Kernels (*_cpu.cc, *_cuda.cu) are included by nobody, and neither is any other
source file; tables (*.def) are included by the folder they lie in and by tests.
"""

import pathlib
import re
import sys

RANKS = {
    "core/base": 0,
    "core/runtime": 1,
    "core/graph": 2,
    "core/ops": 3,
    "core/cpu": 3,
    "core/cuda": 3,
    "core/transform": 4,
    "core/plan": 4,
    "core/eval": 5,
    "core/io": 6,
    "nn": 7,
    "optim": 7,
    "data": 7,
    "trainers": 8,
    "benchmarks": 9,
    "tests": 9,
}
# Folders of one rank that make up one layer.
TOGETHER = {frozenset({"core/ops", "core/cpu"}), frozenset({"core/ops", "core/cuda"})}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def layer_of(path):
    parts = path.split("/")
    for length in (2, 1):
        name = "/".join(parts[:length])
        if name in RANKS and len(parts) > length:
            return name
    return None


def problems_of(path, text):
    mine = layer_of(path)
    for match in INCLUDE.finditer(text):
        other = match.group(1)
        line = text.count("\n", 0, match.start(1)) + 1
        theirs = layer_of(other)
        if theirs is None:
            continue  # generated, or of another library
        at = f"{path}:{line}: {other}"
        # Highway compiles a kernel file once per target by having it include itself.
        if other.endswith((".cc", ".cu")) and other != path:
            yield f"{at}: source files are included by nobody"
        elif other.endswith(".def") and theirs != mine and mine not in ("tests", "benchmarks"):
            yield f"{at}: a table is read by its own folder and by tests only"
        elif theirs == mine or frozenset({mine, theirs}) in TOGETHER:
            continue
        elif RANKS[theirs] > RANKS[mine]:
            yield f"{at}: {mine} lies below {theirs}"
        elif RANKS[theirs] == RANKS[mine]:
            yield f"{at}: {mine} and {theirs} lie side by side and must not know each other"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    found, count = [], 0
    for folder in sorted({name.split("/")[0] for name in RANKS}):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in (".h", ".cc", ".cu", ".def", ".inc"):
                continue
            path = file.relative_to(root).as_posix()
            if layer_of(path) is None:
                found.append(f"{path}: this folder has no layer; give it one in .ci/layers.py")
                continue
            count += 1
            found += problems_of(path, file.read_text(encoding="utf-8"))
    print("\n".join(found + [f"layers: {count} files, {len(found)} problems"]))
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
