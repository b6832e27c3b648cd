"""What the search is worth: `--steps N` against the encoder alone, at equal mean bytes, on folders of pictures.

    python scripts/measure_search.py FOLDER... --steps 500

Every figure is that of real files: compressed, read back, decoded to 8 bits. LPIPS is taken on pictures enlarged to
128 pixels. The encoder's curve (all rate indices) is interpolated at the search's mean bytes, LPIPS and bytes on
logarithmic scales; a point outside the curve is left out.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from invcomp import Codec
from invcomp.inversion.losses import build_loss
from invcomp.pictures import extensions, read_picture, to_tensor

METRICS = ("lpips-squeeze", "lpips-alex", "mse")


def measured(
    codec: Codec, images: list[Image.Image], judges: dict, quality: float, steps: int, loss: str | None
) -> dict[str, np.ndarray]:
    """Per-picture bytes, metrics, and objectives of start and end."""
    results = codec.compress_batch(images, quality=quality, steps=steps, loss=loss)
    decoded = torch.stack([to_tensor(codec.decompress(result.data, native=True)) for result in results])
    original = torch.stack([to_tensor(image) for image in images])
    figures = {"bytes": np.array([result.bytes for result in results], dtype=float)}
    figures["over_ideal"] = np.array([result.bytes - result.ideal_bits / 8 for result in results])
    figures["gain"] = np.array([result.start_objective - result.objective for result in results])
    with torch.no_grad():
        for name, judge in judges.items():
            figures[name] = judge.distance(decoded, judge.reference(original)).numpy()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--loss", default=None)
    parser.add_argument("--qualities", default="25,40,60")
    parser.add_argument("--most", type=int, default=1000, help="pictures of each folder")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()

    codec = Codec(args.prior)
    side = codec.prior.arch.image_size or 64
    judges = {name: build_loss(name, lambda: codec.prior.critic, torch.device("cpu")) for name in METRICS}
    console, everything = Console(), {}
    for folder in args.folders:
        paths = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in extensions()][: args.most]
        images = [read_picture(p).image.resize((side, side), Image.Resampling.LANCZOS) for p in paths]
        rates = codec.prior.arch.rates
        curve = [measured(codec, images, judges, 100 * r / (rates - 1), 0, args.loss) for r in range(rates)]
        columns = ("quality", "steps", "bytes", *METRICS, "PSNR", "gain, squeeze", "gain, alex", "gain, bytes", "worse")
        table = Table(*columns, title=f"{folder.name}: {len(images)} pictures")
        sizes = np.log([c["bytes"].mean() for c in curve])
        for quality in (float(q) for q in args.qualities.split(",")):
            for steps in (0, args.steps):
                found = measured(codec, images, judges, quality, steps, args.loss)
                at = np.log(found["bytes"].mean())
                gains = {}
                for name in METRICS[:2]:
                    values = np.log([c[name].mean() for c in curve])
                    inside = sizes.min() <= at <= sizes.max()
                    gains[name] = 1 - found[name].mean() / np.exp(np.interp(at, sizes, values)) if inside else np.nan
                squeeze = np.log([c["lpips-squeeze"].mean() for c in curve])
                same = np.exp(np.interp(-np.log(found["lpips-squeeze"].mean()), -squeeze, sizes))
                row = [quality, steps, found["bytes"].mean(), *(found[m].mean() for m in METRICS)]
                row += [float((-10 * np.log10(found["mse"])).mean()), *gains.values(), 1 - np.exp(at) / same]
                table.add_row(*(f"{x:.4g}" for x in row), str(int((found["gain"] < 0).sum())))
                everything[f"{folder.name}/{quality:g}/{steps}"] = {k: v.tolist() for k, v in found.items()}
        console.print(table)
    worst = max(max(entry["over_ideal"]) for entry in everything.values())
    console.print(f"largest difference of a file to its ideal length: {worst:.2f} bytes")
    if args.json:
        args.json.write_text(json.dumps(everything))


if __name__ == "__main__":
    main()
