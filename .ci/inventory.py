#!/usr/bin/env python3
"""Checks docs/inventory.md: every name stands in the header and in the test that its row gives."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (\w+) \| (.*?) \|\s*(\S*)\s*\|\s*(\S*)\s*\|$")


def problems_of(line):
    name, ours, header, test = ROW.match(line).groups()
    if ours.startswith("not needed: "):
        return
    word = re.compile(r"\b" + re.escape(re.search(r"`([\w:]+)`", ours).group(1).split("::")[-1]) + r"\b")
    for what, path in ("header", ROOT / header), ("test", ROOT / test):
        # Rows of a table are tested through the table.
        if what == "test" and header.endswith(".def"):
            found = path.exists()
        else:
            found = path.is_file() and word.search(path.read_text())
        if not found:
            yield f"{name}: not in the {what} {path.relative_to(ROOT)}"


def main():
    text = (ROOT / "docs/inventory.md").read_text()
    rows = [line for line in text.splitlines()
            if line.startswith("| ") and not line.startswith("| name ")]
    problems = [p for line in rows for p in problems_of(line)]
    print("\n".join(problems + [f"inventory: {len(rows)} names, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
