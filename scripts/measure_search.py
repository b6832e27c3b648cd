"""What the search is worth: bytes at equal quality of every schedule, against the encoder alone and against each other.

    python scripts/measure_search.py FOLDER... --prior faces-64 --qualities 10,25,40,60 --most 14

Every figure is that of real files: compressed, read back, decoded to 8 bits. LPIPS is taken on pictures enlarged to
128 pixels. Bytes at equal quality are Bjøntegaard rates of curves over mean bytes; the encoder's curve has a point for
every rate index.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from invcomp import Codec
from invcomp.inversion.losses import build_loss
from invcomp.inversion.schedules import SCHEDULES
from invcomp.lab.curves import Curve, bjontegaard_rate
from invcomp.lab.metrics import PSNR
from invcomp.lab.results import Metric
from invcomp.pictures import extensions, read_picture
from invcomp.pixels import to_tensor
from invcomp.writing import write_whole

METRICS = (
    PSNR,
    Metric("lpips-squeeze", "LPIPS-squeeze", False, 4),
    Metric("lpips-alex", "LPIPS-alex", False, 4),
)
ENCODER = "encoder alone"
SEARCHES: dict[str, dict[str, Any]] = {
    ENCODER: {"steps": 0},
    "straight-through": {"relaxation": "straight-through"},
    **{name: {"schedule": name} for name in SCHEDULES},
}


def measured(codec: Codec, images: list[Image.Image], judges: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Per-picture bytes, metrics, and objectives of start and end."""
    began = time.perf_counter()
    results = codec.compress_batch(images, **options)
    seconds = (time.perf_counter() - began) / len(images)
    decoded = torch.stack([to_tensor(codec.decompress(result.data, native=True)) for result in results])
    original = torch.stack([to_tensor(image) for image in images])
    figures = {
        "bytes": [result.bytes for result in results],
        "over_ideal": [result.bytes - result.ideal_bits / 8 for result in results],
        "gain": [result.start_objective - result.objective for result in results],
        PSNR.key: (-10 * (decoded - original).square().mean(dim=(1, 2, 3)).log10()).tolist(),
    }
    with torch.no_grad():
        for name, judge in judges.items():
            figures[name] = judge.distance(decoded, judge.reference(original)).tolist()
    return {"seconds": seconds, **figures}


def curve(points: list[dict[str, Any]], metric: Metric) -> Curve:
    """Mean bytes and values, bytes rising."""
    return sorted((float(np.mean(p["bytes"])), float(np.mean(p[metric.key]))) for p in points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--searches", default=",".join(SEARCHES), help="with commas")
    parser.add_argument("--qualities", default="10,25,40,60", help="at least four, with commas")
    parser.add_argument("--most", type=int, default=1000, help="pictures of each folder")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()

    codec = Codec(args.prior)
    side, rates = codec.prior.arch.image_size or 64, codec.prior.arch.rates
    judges = {m.key: build_loss(m.key, lambda: codec.prior.critic, torch.device("cpu")) for m in METRICS[1:]}
    console, everything = Console(width=150), {}
    for folder in args.folders:
        paths = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in extensions()][: args.most]
        images = [read_picture(p).image.resize((side, side), Image.Resampling.LANCZOS) for p in paths]
        found: dict[str, list[dict[str, Any]]] = {}
        for name in args.searches.split(","):
            qualities = [float(q) for q in args.qualities.split(",")]
            if name == ENCODER:
                qualities = [100 * rate / (rates - 1) for rate in range(rates)]
            found[name] = []
            for quality in qualities:
                found[name].append(measured(codec, images, judges, quality=quality, **SEARCHES[name]))
                console.print(
                    f"{folder.name}, {name}, quality {quality:g}: {np.mean(found[name][-1]['bytes']):.1f} bytes"
                )
        labels = [f"{metric.label} against {anchor}" for anchor in list(found)[:2] for metric in METRICS]
        table = Table("search", "seconds", "worse", *labels, title=f"{folder.name}: {len(images)} pictures")
        for name, points in found.items():
            row = [f"{np.mean([p['seconds'] for p in points]):.2f}", str(sum(g < 0 for p in points for g in p["gain"]))]
            for anchor in list(found)[:2]:
                for metric in METRICS:
                    rate = bjontegaard_rate(name, curve(points, metric), anchor, curve(found[anchor], metric), metric)
                    row.append("–" if rate.percent is None or name == anchor else f"{rate.percent:+.1f} %")
            table.add_row(name, *row)
        console.print(table)
        everything[folder.name] = found
    worst = max(max(p["over_ideal"]) for found in everything.values() for points in found.values() for p in points)
    console.print(f"largest difference of a file to its ideal length: {worst:.2f} bytes")
    if args.json:
        write_whole(args.json, json.dumps(everything).encode())


if __name__ == "__main__":
    main()
