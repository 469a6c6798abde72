"""Writes what is said about each config of this folder behind it; read the changes before they stay.

    python3 tests/trainers/broken/fill.py build/release/mica
"""
import pathlib
import subprocess
import sys

program = pathlib.Path(sys.argv[1]).resolve()
folder = pathlib.Path(__file__).resolve().parent
for path in sorted(folder.glob("*.yaml")):
    text = path.read_text().split("# expected, exit ")[0]
    path.write_text(text)
    command = [program, "validate", path.name]
    for line in text.splitlines():
        if line.startswith("# --set "):
            command += ["--set", line[8:]]
    result = subprocess.run(command, cwd=folder, text=True, capture_output=True)
    said = result.stderr.replace(f"{folder}/", "").splitlines()
    with path.open("a") as file:
        file.write(f"# expected, exit {result.returncode}:\n")
        file.writelines(f"# {line}\n" for line in said)
