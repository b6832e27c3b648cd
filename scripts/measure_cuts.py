"""What a picture looks like of which only the coarse levels are there: missing ones as zeros, or as expected.

    python scripts/measure_cuts.py FOLDER... --prior faces --most 24

Pictures are compressed with `--steps` of search (0: the encoder alone) at a quality, and decoded after each level, as
`invcomp decompress --levels` shows them, at the prior's own size; once with the prior's factor analysis, once without.
Bytes are those of a progressive file up to there. LPIPS is taken on pictures enlarged to 128 pixels.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from invcomp import Codec, container
from invcomp.inversion.losses import build_loss
from invcomp.lab.metrics import psnr
from invcomp.pictures import extensions, read_picture
from invcomp.pixels import to_tensor

MISSING = ("zeros", "expected")
METRICS = ("PSNR, dB", "lpips-squeeze", "lpips-alex")


def shown(codec: Codec, data: bytes, levels: int, missing: str) -> Tensor:
    """A file's coarsest levels as a picture (3, S, S) in [0, 1]."""
    content, symbols = codec.read(data)
    residuals = codec.residuals(content, symbols, levels)
    if missing == "zeros":
        residuals = [level if n < levels else np.zeros_like(level) for n, level in enumerate(symbols)]
    picture = torch.from_numpy(codec.painted(residuals, content.rate, None)).clamp(0, 1)
    return (picture * 255).round() / 255


@torch.no_grad()
def figures(decoded: Tensor, original: Tensor, judges: dict[str, Any]) -> list[float]:
    """Means of `METRICS` over pictures (N, 3, S, S)."""
    lpips = [judge.distance(decoded, judge.reference(original)) for judge in judges.values()]
    return [float(values.mean()) for values in (psnr(decoded, original), *lpips)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--quality", type=float, default=60)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--most", type=int, default=24, help="pictures of each folder")
    args = parser.parse_args()

    codec = Codec(args.prior, "cpu")
    side, levels = codec.prior.arch.coded_size, codec.prior.arch.levels
    if side is None:
        parser.error(f"{args.prior} is of free size")
    judges = {name: build_loss(name, None, torch.device("cpu")) for name in METRICS[1:]}
    for folder in args.folders:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in extensions())[: args.most]
        images = [read_picture(path).image.resize((side, side), Image.Resampling.LANCZOS) for path in paths]
        original = torch.stack([to_tensor(image) for image in images])
        options = {"steps": args.steps, "quality": args.quality, "progressive": True}
        files = [result.data for result in codec.compress_batch(images, **options)]
        table = Table(
            "levels", "bytes", *(f"{metric}: {missing}" for metric in METRICS for missing in MISSING),
            title=f"{len(images)} of {folder.name}, {args.steps} steps, quality {args.quality:g}",
        )  # fmt: skip
        for kept in range(1, levels + 1):
            ends = [container.cut_points(codec.prior.info.id_bytes, data) for data in files]
            size = np.mean([points[min(kept, len(points)) - 1] for points in ends])
            found = [
                figures(torch.stack([shown(codec, data, kept, missing) for data in files]), original, judges)
                for missing in MISSING
            ]
            values = [f"{found[m][n]:.{2 if not n else 3}f}" for n in range(len(METRICS)) for m in range(len(MISSING))]
            table.add_row(str(kept), f"{size:.0f}", *values)
        Console(width=140).print(table)


if __name__ == "__main__":
    main()
