"""Draws docs/errors.png, the errors of three broken configs, with headless Chromium.

    python3 docs/errors.py build/release/mica
"""
import html
import pathlib
import re
import subprocess
import sys
import tempfile

program = pathlib.Path(sys.argv[1]).resolve()
folder = pathlib.Path(__file__).resolve().parent.parent / "tests/trainers/broken"
CASES = sys.argv[2:] or ["everything", "forgotten-flatten", "error-in-base"]

STYLE = """
body { margin: 0; background: #14171c; }
pre { margin: 0; padding: 22px 26px; font: 15px/1.5 "DejaVu Sans Mono", monospace; color: #d5d9e0;
      white-space: pre-wrap; width: 1080px; }
.prompt { color: #7fd1a8; } .place { color: #ffffff; font-weight: bold; }
.error { color: #ff6b6b; font-weight: bold; } .hint { color: #f2c063; }
.dim { color: #78808c; }
"""


def paint(line):
    text = html.escape(line, quote=False)
    text = re.sub(r"^(\S+:\d+:\d+): error:",
                  r'<span class="place">\1:</span> <span class="error">error:</span>', text)
    return re.sub(r"(\((?:did you mean|here it is|known|a blank|leave|.*belongs).*\))$",
                  r'<span class="hint">\1</span>', text)


lines = []
for case in CASES:
    path = next(folder.glob(f"*-{case}.yaml"))
    shown = path.name.split("-", 1)[1]
    result = subprocess.run([program, "validate", path.name], cwd=folder, text=True,
                            capture_output=True)
    lines.append(f'<span class="prompt">$</span> mica validate {shown}')
    lines += [paint(line.replace(path.name, shown)) for line in result.stderr.splitlines()]
    lines.append("")
with tempfile.TemporaryDirectory() as scratch:
    page = pathlib.Path(scratch) / "page.html"
    page.write_text(f"<meta charset=utf-8><style>{STYLE}</style><pre>" + "\n".join(lines[:-1]))
    subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                    f"--screenshot={scratch}/page.png", "--window-size=1132,1400", page],
                   check=True, capture_output=True)
    from PIL import Image, ImageChops
    picture = Image.open(f"{scratch}/page.png").convert("RGB")
    box = ImageChops.difference(picture, Image.new("RGB", picture.size, (20, 23, 28))).getbbox()
    picture = picture.crop((0, 0, picture.width, box[3] + 22))
    picture.quantize(64).save(pathlib.Path(__file__).parent / "errors.png", optimize=True)
