#!/usr/bin/env python3
"""Checks that files and functions stay small enough to read.

Files have at most 600 lines, public headers 250, functions 60; tables (*.def) may be longer, and so
may functions of tests, which list cases. Blocks are found by the house style: one ends at the first
line that starts with "}" at the indentation of the line that opened it. A block that opens with a
parenthesis is a function (or a part of one).
"""

import pathlib
import re
import sys

FOLDERS = ("core", "nn", "optim", "data", "trainers", "tests", "benchmarks")
MAX_FILE, MAX_HEADER, MAX_FUNCTION = 600, 250, 60
# An initialiser is data.
NOT_A_FUNCTION = re.compile(r"^(namespace|class|struct|union|enum|extern|#|//)|= \{$")


def blocks(lines):
    """Yields (first line, number of lines, opening line) of each block of lines in braces."""
    opened = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if text.startswith("}"):
            while opened and opened[-1][0] > indent:
                opened.pop()
            if opened and opened[-1][0] == indent:
                _, start, opening = opened.pop()
                yield start, number - start + 1, opening
        if text.endswith("{"):
            # The signature may have begun lines above: go back until its parentheses balance.
            start, balance = number, text.count("(") - text.count(")")
            while balance < 0 and start > 1:
                start -= 1
                balance += lines[start - 1].count("(") - lines[start - 1].count(")")
            first = lines[start - 1]
            opened.append((len(first) - len(first.lstrip()), start, first.strip()))


def long_functions(path, lines):
    for start, length, opening in blocks(lines):
        is_function = "(" in opening and not NOT_A_FUNCTION.search(opening)
        if is_function and length > MAX_FUNCTION:
            yield f"{path}:{start}: a function of {length} lines (at most {MAX_FUNCTION}): {opening}"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    found, count, total = [], 0, 0
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in (".h", ".cc", ".cu", ".inc"):
                continue
            lines = file.read_text(encoding="utf-8").splitlines()
            path = file.relative_to(root).as_posix()
            count += 1
            total += len(lines)
            limit = MAX_HEADER if file.suffix == ".h" and folder != "tests" else MAX_FILE
            if len(lines) > limit:
                found.append(f"{path}: {len(lines)} lines (at most {limit})")
            if folder != "tests":
                found += long_functions(path, lines)
    print("\n".join(found + [f"sizes: {count} files, {total} lines, {len(found)} problems"]))
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
