"""How long compression and decompression take: the table of the README.

    python scripts/bench_speed.py --prior faces            (a few minutes on two cores)

Times are wall-clock seconds of the calls a user makes, the median over `--repeats` after one warm-up. The share of the
arithmetic limit is the time that the multiplications of generator and LPIPS, forward and backward to the symbols, would
take in the fastest matrix product that this machine did just before.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import nn

from invcomp import Codec
from invcomp.inversion.losses import build_loss
from invcomp.inversion.schedules import SCHEDULES
from invcomp.pictures import read_picture

ROOT = Path(__file__).resolve().parent.parent
MAX_BYTES = 200


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    call()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def multiplications(codec: Codec, picture: Image.Image) -> float:
    """Multiply-adds of one pass of a picture through the generator's and the loss's convolutions."""
    found = [0.0]

    def count(module: nn.Conv2d, _: object, output: torch.Tensor) -> None:
        found[0] += output[0].numel() * module.weight[0].numel()

    lpips = codec.prior.lpips("squeeze")
    assert lpips is not None
    loss = build_loss(codec.prior.info.distortion, lambda: codec.prior.critic, codec.prior.device, lambda _: lpips)
    x = codec.to_coded(picture)[None].to(codec.prior.device)
    reference = loss.reference(x)
    convolutions = [m for n in (codec.prior.generator, lpips) for m in n.modules() if isinstance(m, nn.Conv2d)]
    hooks = [convolution.register_forward_hook(count) for convolution in convolutions]
    symbols = [np.zeros(shape, dtype=np.int32) for shape in codec.prior.arch.latent_shapes(*x.shape[2:])]
    loss.distance(codec.paint([symbols], [0]), reference)
    for hook in hooks:
        hook.remove()
    return found[0]


def products_a_second(side: int = 2048, trials: int = 20) -> float:
    """Multiply-adds a second of the fastest of a few matrix products in float32."""
    a, b = torch.rand(side, side), torch.rand(side, side)
    seconds = []
    for _ in range(trials):
        began = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - began)
    return side**3 / min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--faces", type=Path, default=ROOT / "examples" / "faces", help="folder of pictures")
    parser.add_argument("--batch", type=int, default=32, help="pictures")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()

    codec = Codec(args.prior, args.device)
    paths = sorted(args.faces.glob("*.png"))
    faces = [read_picture(path).image for path in paths]
    side = codec.prior.arch.image_size
    faces = [face.resize((side, side)) for face in faces] if side else faces
    batch = [faces[index % len(faces)] for index in range(args.batch)]

    single = {
        name: median_seconds(lambda name=name: codec.compress(faces[0], schedule=name), args.repeats)  # type: ignore[misc]
        for name in ("fast", "default")
    }
    fast = SCHEDULES["fast"]
    promised = median_seconds(lambda: codec.compress(faces[0], schedule="fast", max_bytes=MAX_BYTES), args.repeats)
    many = median_seconds(lambda: codec.compress_batch(batch, schedule="fast"), 1) / len(batch)
    limit = fast.steps * 2 * multiplications(codec, faces[0]) / products_a_second()
    alone = median_seconds(lambda: codec.compress(faces[0], steps=0), 5)
    data = codec.compress(faces[0], steps=0)
    decode = median_seconds(lambda: codec.decompress(data), 20)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "face.inv"
        file.write_bytes(data)
        command = [sys.executable, "-m", "invcomp.cli", "decompress", str(file), "--force", "--runtime", "torch"]
        command += ["--prior", args.prior]
        cold = median_seconds(lambda: subprocess.run(command, check=True, capture_output=True), 3)
    help_command = [sys.executable, "-m", "invcomp.cli", "--help"]
    usage = median_seconds(lambda: subprocess.run(help_command, check=True, capture_output=True), 5)

    table = Table(
        "what", "seconds", title=f"{codec.prior.device}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    for name, seconds in single.items():
        table.add_row(f"compress one picture, {SCHEDULES[name].steps} steps", f"{seconds:.2f}")
    times = promised / single["fast"]
    table.add_row(f"    {fast.steps} steps with --max-bytes {MAX_BYTES}", f"{promised:.2f} ({times:.2f} times)")
    table.add_row(f"compress a picture in a batch of {len(batch)}, {fast.steps} steps", f"{many:.2f}")
    table.add_row("    of that the arithmetic limit of its steps", f"{limit:.2f} ({limit / many:.0%})")
    table.add_row("compress one picture, encoder alone", f"{alone:.3f}")
    table.add_row("decompress one picture in a running process", f"{decode:.4f}")
    table.add_row("invcomp decompress, cold start to written PNG", f"{cold:.2f}")
    table.add_row("invcomp --help", f"{usage:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
