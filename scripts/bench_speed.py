"""How long compression and decompression take: the table of the README.

    python scripts/bench_speed.py            (500 steps, default loss, the shipped prior; a few minutes on two cores)

Times are wall-clock seconds of the calls a user makes, the median over `--repeats` after one warm-up.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from invcomp import Codec
from invcomp.pictures import read_picture

ROOT = Path(__file__).resolve().parent.parent


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    call()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--faces", type=Path, default=ROOT / "examples" / "faces", help="folder of pictures")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--loss", default=None)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()

    codec = Codec(args.prior, args.device)
    paths = sorted(args.faces.glob("*.png"))
    faces = [read_picture(path).image for path in paths]
    side = codec.prior.arch.image_size
    faces = [face.resize((side, side)) for face in faces] if side else faces
    batch = [faces[index % len(faces)] for index in range(32)]
    options = {"steps": args.steps, "loss": args.loss}

    one = median_seconds(lambda: codec.compress(faces[0], **options), args.repeats)
    many = median_seconds(lambda: codec.compress_batch(batch, **options), 1) / len(batch)
    alone = median_seconds(lambda: codec.compress(faces[0], steps=0), 5)
    data = codec.compress(faces[0], steps=0)
    decode = median_seconds(lambda: codec.decompress(data), 20)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "face.inv"
        file.write_bytes(data)
        command = [sys.executable, "-m", "invcomp.cli", "decompress", str(file), "--force", "--prior", args.prior]
        cold = median_seconds(lambda: subprocess.run(command, check=True, capture_output=True), 3)
    help_command = [sys.executable, "-m", "invcomp.cli", "--help"]
    usage = median_seconds(lambda: subprocess.run(help_command, check=True, capture_output=True), 5)

    table = Table(
        "what", "seconds", title=f"{codec.prior.device}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    table.add_row(f"compress one picture, {args.steps} steps", f"{one:.2f}")
    table.add_row(f"compress a picture in a batch of 32, {args.steps} steps", f"{many:.2f}")
    table.add_row("compress one picture, encoder alone", f"{alone:.3f}")
    table.add_row("decompress one picture in a running process", f"{decode:.4f}")
    table.add_row("invcomp decompress, cold start to written PNG", f"{cold:.2f}")
    table.add_row("invcomp --help", f"{usage:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
