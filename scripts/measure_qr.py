"""What QR codes of files cost and withstand, as Markdown tables.

    python scripts/measure_qr.py

First the version and modules that files of several sizes take at level M, as bytes and as text (`--text`). Then how
many of `--shots` simulated photographs (`tests/photos.py`) of a full version 10-M, 213 bytes that are new in each, are
read while one thing at a time gets worse: by zxing-cpp at once, and by `read_code`, which looks in other ways too.
"""

import argparse
import io
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import zxingcpp
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for tests

from invcomp.carriers.qr import LARGEST, read_code, room, write_code  # noqa: E402
from invcomp.errors import InvcompError  # noqa: E402
from invcomp.pictures import png_bytes  # noqa: E402
from tests.photos import Shot, photographed  # noqa: E402

SIZES = (60, 100, 150, 200, 237, 300, 400, 600, 888, 1300)
BORDER = 4
LADDERS = {
    "degrees": (0, 10, 20, 30, 45, 90, 180),
    "blur": (0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6),
    "noise": (12, 20, 30, 40, 50, 60, 80),
    "module": (6, 4, 3, 2.5, 2, 1.75, 1.5),
    "tilt": (0, 0.1, 0.2, 0.3, 0.4),
    "light": (0.6, 0.4, 0.2, 0.1),
}
SAID = {
    "degrees": "turned by, degrees",
    "blur": "blur, in modules",
    "noise": "noise, of 255 levels",
    "module": "pixels a module",
    "tilt": "tilt",
    "light": "light in the darkest corner",
}
TOGETHER = (Shot(blur=0.3, noise=25, tilt=0.1), Shot(blur=0.4, noise=40, tilt=0.1), Shot(module=3, blur=0.4, noise=25))


def content(size: int, seed: int) -> bytes:
    """Bytes that look like a file's."""
    return b"\xa0" + np.random.default_rng(seed).bytes(size - 1)


def tried(shot: Shot, shots: int) -> tuple[int, int, int, float]:
    """How many photographs are read at once, and by `read_code`; how many wrongly; the longest time in seconds."""
    at_once = read = wrong = 0
    longest = 0.0
    for seed in range(shots):
        data = content(room(10, "M", False), seed)
        code = write_code(data, "random", "png", "M", False, LARGEST, 8, BORDER)
        photo = photographed(Image.open(io.BytesIO(code.image)), code.modules + 2 * BORDER, shot, seed)
        found = zxingcpp.read_barcodes(photo, formats=zxingcpp.BarcodeFormat.QRCode)
        at_once += any(one.bytes == data for one in found)
        file = png_bytes(photo)
        began = time.perf_counter()
        try:
            right = read_code(file, "the photo") == data
        except InvcompError:
            pass
        else:
            read, wrong = read + right, wrong + (not right)
        longest = max(longest, time.perf_counter() - began)
    return at_once, read, wrong, longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=20)
    args = parser.parse_args()

    print("| bytes | as bytes: version | modules | as text: version | modules |\n|---|---|---|---|---|")
    for size in SIZES:
        codes = [write_code(content(size, 0), "x", "png", "M", text, LARGEST, 8, BORDER) for text in (False, True)]
        print(f"| {size} | " + " | ".join(f"{code.version} | {code.modules}" for code in codes) + " |")

    print(f"\n{Shot()}, but for what is named; of {args.shots} photographs:\n")
    print("| | | read at once | read |\n|---|---|---|---|")
    longest, wrong = 0.0, 0
    shots = [(SAID[key], str(value), replace(Shot(), **{key: value})) for key in LADDERS for value in LADDERS[key]]
    for name, value, shot in [*shots, *(("together", str(shot), shot) for shot in TOGETHER)]:
        at_once, read, mistaken, seconds = tried(shot, args.shots)
        print(f"| {name} | {value} | {at_once} | {read} |", flush=True)
        longest, wrong = max(longest, seconds), wrong + mistaken
    print(f"\nRead wrongly: {wrong}. The longest look took {longest:.1f} s.")


if __name__ == "__main__":
    main()
