"""Does a prior know its training pictures by heart? The encoder alone on pictures of its training and on others.

    python scripts/make_faces.py -n 600 -o trained --size 128 --seed 7         # pictures that `faces` was trained with
    python scripts/make_faces.py -n 300 -o held-out --size 128 --seed 9001     # and others of the same kind
    python scripts/measure_gap.py trained held-out --prior faces

A Markdown table: means with standard errors at every second rate index. PSNR and LPIPS-squeeze are those of 8-bit
pictures, bytes the ideal lengths by the prior's integer tables and what a header takes. Where the gap is as small as
its error, more pictures of this kind have little to add; a large one asks for them, or for more augmentation.
About 10 minutes on one core for 900 pictures of 128 pixels.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from invcomp import Codec
from invcomp.entropy.chain import ideal_bits
from invcomp.errors import InvcompError
from invcomp.exact import exact
from invcomp.lab.metrics import lpips_measure, psnr
from invcomp.pictures import extensions, read_picture
from invcomp.priors.generator import Generator
from invcomp.training.finish import HEADER_BYTES

BATCH = 32
COLUMNS = ("PSNR, dB", "LPIPS-squeeze", "bytes")


def read(codec: Codec, folder: Path, most: int | None = None) -> Tensor:
    """The first pictures of a folder as the prior codes them, (N, 3, S, S) in [0, 1]."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in extensions())[:most]
    return torch.stack([codec.to_coded(read_picture(path).image) for path in paths])


@torch.no_grad()
def encoder_alone(codec: Codec, pictures: Tensor, rate: int) -> tuple[list[float], Tensor]:
    """Ideal bytes of each picture (N, 3, S, S) at a rate index without a search, and what is decoded, of 8 bits."""
    encoder, generator, tables = codec.prior.encoder, codec.prior.generator, codec.prior.tables
    if encoder is None or not isinstance(generator, Generator):
        raise InvcompError(f"the prior {codec.prior.info.name} has no encoder: give a trained one")

    def quantise(level: int, residual: Tensor) -> Tensor:
        return residual.round().clamp(-tables[level].bound, tables[level].bound)

    sizes, decoded = [], []
    for part in torch.split(pictures, BATCH):
        with exact():
            rates = torch.full((len(part),), float(rate))
            residuals, painted = encoder(part, generator, rates, quantise)
        decoded.append((painted.clamp(0, 1) * 255).round() / 255)
        symbols = [quantise(level, residual).int().numpy() for level, residual in enumerate(residuals)]
        sizes += [
            sum(ideal_bits(tables, list(levels), rate)) / 8 + HEADER_BYTES for levels in zip(*symbols, strict=True)
        ]
    return sizes, torch.cat(decoded)


def measured(codec: Codec, pictures: Tensor, rate: int) -> list[list[float]]:
    """Of each picture: PSNR, LPIPS-squeeze, bytes."""
    network = codec.prior.lpips("squeeze")
    if network is None:
        raise InvcompError(f"the prior {codec.prior.info.name} does not carry LPIPS-squeeze")
    sizes, decoded = encoder_alone(codec, pictures, rate)
    lpips = lpips_measure(network)
    pairs = list(zip(torch.split(decoded, BATCH), torch.split(pictures, BATCH), strict=True))
    with torch.no_grad():
        distances = [value for new, old in pairs for value in lpips(new, old).tolist()]
    return [psnr(decoded, pictures).tolist(), distances, sizes]


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)


def cells(trained: Sequence[float], others: Sequence[float], places: int) -> str:
    """Both means and their difference, each with its standard error."""
    (a, error), (b, other) = mean_and_error(trained), mean_and_error(others)
    pairs = [
        (f"{a:.{places}f}", error),
        (f"{b:.{places}f}", other),
        (f"{b - a:+.{places}f}", float(np.hypot(error, other))),
    ]
    return " | ".join(f"{value} ± {spread:.{places}f}" for value, spread in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, help="pictures that training saw")
    parser.add_argument("held_out", type=Path, help="pictures of the same kind that it did not")
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--most", type=int, default=600, help="pictures of each folder (default 600)")
    args = parser.parse_args()

    codec = Codec(args.prior, "cpu")
    sets = [read(codec, folder, args.most) for folder in (args.trained, args.held_out)]
    print(f"{len(sets[0])} pictures that training saw, {len(sets[1])} others; encoder alone\n")
    print("| rate index | | seen in training | others | difference |\n|---|---|---|---|---|")
    rates = range(1, codec.prior.arch.rates, 2)
    for rate in track(rates, description="rates", console=Console(stderr=True), transient=True):
        trained, others = (measured(codec, pictures, rate) for pictures in sets)
        for name, places, a, b in zip(COLUMNS, (3, 4, 1), trained, others, strict=True):
            print(f"| {rate} | {name} | {cells(a, b, places)} |", flush=True)


if __name__ == "__main__":
    main()
