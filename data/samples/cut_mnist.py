"""Cuts the shipped sample out of MNIST: the first 10,000 training and 2,000 test digits.

    python3 data/samples/cut_mnist.py FOLDER_WITH_THE_FOUR_GZ_FILES data/samples/mnist

The same input gives the same bytes.
"""
import gzip
import pathlib
import struct
import sys

ROWS = {"train": 10000, "t10k": 2000}

source, out = map(pathlib.Path, sys.argv[1:3])
out.mkdir(parents=True, exist_ok=True)
for part, rows in ROWS.items():
    for kind, axes in (("images-idx3", 3), ("labels-idx1", 1)):
        name = f"{part}-{kind}-ubyte.gz"
        data = gzip.decompress((source / name).read_bytes())
        header = 4 + 4 * axes
        row_bytes = (len(data) - header) // struct.unpack(">I", data[4:8])[0]
        cut = data[:4] + struct.pack(">I", rows) + data[8:header + rows * row_bytes]
        (out / name).write_bytes(gzip.compress(cut, 9, mtime=0))
