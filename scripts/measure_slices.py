"""What a slice of training gained: priors side by side on real pictures, each with its encoder alone.

    python scripts/measure_slices.py REAL faces faces-next -o slices.md        # names of priors, or folders

PSNR, LPIPS-squeeze and, with the extra `faces`, the identity distance and the share recognised, read off at 60,
100 and 200 bytes by the lengths of the integer tables; bytes at equal PSNR and LPIPS against the first prior
(Bjøntegaard rates). All of them paint pictures of one size. Nothing is searched: a minute or two a prior on two cores.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from measure_gap import encoder_alone
from rich.console import Console

from invcomp import Codec
from invcomp.errors import InvcompError, UsageError
from invcomp.lab.curves import Curve, at_bytes, bjontegaard_rate, pareto_front
from invcomp.lab.folder import load_pictures
from invcomp.lab.metrics import IDENTITY, IDENTITY_DISTANCE, PSNR, Judge, lpips_metric, means
from invcomp.lab.results import Metric
from invcomp.pixels import to_image, to_tensor
from invcomp.writing import write_whole

SIZES = (60, 100, 200)  # bytes that metrics are read off at
Points = list[dict[str, float]]
"""Mean bytes and metrics at every rate index."""


class Pictures:
    """Real pictures, and what of decoded ones is measured against them."""

    def __init__(self, folder: Path, size: int, most: int) -> None:
        found = load_pictures(folder, size, most)
        self.digest, self.originals = found.digest(), torch.stack([to_tensor(image) for image in found.images])
        self.judge = Judge(found.images)
        kept = (PSNR.key, lpips_metric("squeeze").key, IDENTITY_DISTANCE.key, IDENTITY.key)
        self.metrics = [metric for metric in self.judge.metrics if metric.key in kept]

    def points(self, codec: Codec) -> Points:
        """What a prior makes of them, the encoder alone."""
        found = []
        for rate in range(codec.prior.arch.rates):
            sizes, decoded = encoder_alone(codec, self.originals, rate)
            images = [to_image(picture) for picture in decoded]
            figures, _ = self.judge.measure(images)
            figures = [a | b for a, b in zip(figures, self.judge.measure_identity(images), strict=True)]
            found.append({"bytes": sum(sizes) / len(sizes)} | {m.key: means(figures)[m.key] for m in self.metrics})
        return found


def curve(points: Points, metric: Metric) -> Curve:
    return sorted((point["bytes"], point[metric.key]) for point in points)


def front(points: Points, metric: Metric) -> Curve:
    """What a very short run gives need not improve with every rate, as Bjøntegaard rates ask for."""
    found = curve(points, metric)
    return [found[index] for index in pareto_front(found, metric.higher_is_better)]


def row(name: str, results: Mapping[str, Points], metrics: Sequence[Metric]) -> str:
    """A line of the table, without what stands before the figures."""
    (reference, first), *_ = results.items()
    cells = []
    for metric in metrics:
        values = [at_bytes(curve(results[name], metric), size) for size in SIZES]
        cells.append(" / ".join("–" if value is None else f"{value:.{metric.decimals}f}" for value in values))
    for metric in metrics[:2]:
        rate = bjontegaard_rate(name, front(results[name], metric), reference, front(first, metric), metric)
        cells.append("–" if rate.percent is None or name == reference else f"{rate.percent:+.1f} %")
    return " | ".join(cells)


def table(results: Mapping[str, Points], metrics: Sequence[Metric], notes: Mapping[str, str], heads: str) -> str:
    """Markdown; `heads` and, for each, `notes` stand before the figures, and the first is what others are held to."""
    columns = [f"{metric.label} at {' / '.join(map(str, SIZES))} B" for metric in metrics]
    columns += [f"bytes at equal {metric.label.split(',')[0]}" for metric in metrics[:2]]
    lines = [f"| {heads} | {' | '.join(columns)} |", "|---" * (heads.count("|") + 1 + len(columns)) + "|"]
    return "\n".join(lines + [f"| {notes[name]} | {row(name, results, metrics)} |" for name in results])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path, help="pictures to measure on: a folder")
    parser.add_argument("priors", nargs="+", help="names or folders; the others are held against the first")
    parser.add_argument("-o", "--output", type=Path, help="a Markdown file")
    parser.add_argument("--most", type=int, default=64, help="real pictures")
    args = parser.parse_args()

    codecs = {name: Codec(name, "cpu") for name in args.priors}
    sizes = {codec.prior.arch.image_size for codec in codecs.values()}
    size = sizes.pop()
    if sizes or size is None:
        raise UsageError("the priors have to paint pictures of one size: give such priors")
    pictures = Pictures(args.real, size, args.most)
    results = {name: pictures.points(codec) for name, codec in codecs.items()}
    text = table(results, pictures.metrics, {name: name for name in results}, "prior")
    print(text)
    for note in pictures.judge.notes:
        Console(stderr=True).print(note)
    if args.output:
        write_whole(args.output, (text + "\n").encode())


if __name__ == "__main__":
    try:
        main()
    except InvcompError as error:
        sys.exit(str(error))
