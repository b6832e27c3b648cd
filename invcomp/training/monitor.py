"""What a run shows of itself: held-out figures with real rounding, sample and reconstruction grids, a log."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invcomp.pictures import grid, png_bytes
from invcomp.pixels import to_image
from invcomp.training.step import Networks
from invcomp.writing import write_whole

LOG = "log.jsonl"


@dataclass(frozen=True)
class RateFigures:
    """Held-out figures at one rate index, encoder only, residuals rounded as in a file."""

    rate: int
    bytes: float
    """Mean bytes by the smooth densities; the integer tables come later."""
    level_bytes: list[float]
    psnr: float
    """Mean over pictures, dB."""


def rounded(opened: int | None, level: int, residual: Tensor) -> Tensor:
    return residual.round() if opened is None or level < opened else torch.zeros_like(residual)


@torch.no_grad()
def decode_held_out(
    networks: Networks, pictures: Tensor, rate: int, opened: int | None = None, batch: int = 64
) -> tuple[list[Tensor], Tensor]:
    """Rounded residuals by level, and decoded pictures (N, 3, H, W), of held-out pictures at a rate index.

    Levels from `opened` on, if given, are zero: early in a run they are not in use.
    """
    quantise = partial(rounded, opened)
    found: list[list[Tensor]] = []
    decoded = []
    for part in torch.split(pictures, batch):
        rates = torch.full((len(part),), float(rate), device=part.device)
        residuals, pictures_of_rounded = networks.encoder(part, networks.generator, rates, quantise)
        symbols = [quantise(level, r) for level, r in enumerate(residuals)]
        decoded.append(pictures_of_rounded.clamp(0, 1))
        found.append(symbols)
    return [torch.cat(level) for level in zip(*found, strict=True)], torch.cat(decoded)


@torch.no_grad()
def evaluate(networks: Networks, pictures: Tensor, opened: int | None = None) -> list[RateFigures]:
    """Figures at every rate index on held-out pictures (N, 3, H, W) in [0, 1]."""
    figures = []
    for rate in range(networks.generator.arch.rates):
        symbols, decoded = decode_held_out(networks, pictures, rate, opened)
        rates = torch.full((len(pictures),), float(rate), device=pictures.device)
        levels = [float(networks.density.bits(i, s, rates).mean()) / 8 for i, s in enumerate(symbols[:opened])]
        psnr = -10 * (decoded - pictures).square().mean(dim=(1, 2, 3)).clamp(min=1e-10).log10()
        figures.append(RateFigures(rate, sum(levels), levels, float(psnr.mean())))
    return figures


@torch.no_grad()
def sample(networks: Networks, n: int, rate: float, height: int, width: int, device: torch.device) -> Tensor:
    """`n` pictures (N, 3, H, W) with every level drawn from the densities."""
    rates = torch.full((n,), rate, device=device)
    shapes = networks.generator.arch.latent_shapes(height, width)
    drawn = [networks.density.sample(i, torch.zeros(n, *shape, device=device), rates) for i, shape in enumerate(shapes)]
    return networks.generator(drawn, rates).clamp(0, 1)  # type: ignore[no-any-return]


@torch.no_grad()
def write_grids(networks: Networks, pictures: Tensor, folder: Path, opened: int | None = None) -> None:
    """`samples.png`: drawn from the prior; `reconstructions.png`: originals and decoded pictures at three rates."""
    last = networks.generator.arch.rates - 1
    drawn = sample(networks, 32, last / 2, pictures.shape[2], pictures.shape[3], pictures.device)
    write_whole(folder / "samples.png", png_bytes(grid([to_image(x) for x in drawn], columns=8)))
    shown = pictures[:16]
    rates = sorted({1, round(last / 2), last - 1})
    rows = [shown, *(decode_held_out(networks, shown, rate, opened)[1] for rate in rates)]
    write_whole(
        folder / "reconstructions.png", png_bytes(grid([to_image(x) for row in rows for x in row], columns=len(shown)))
    )


def append_log(folder: Path, entry: dict[str, Any]) -> None:
    """Add a line to the log, written anew so that it has whole lines alone."""
    path = folder / LOG
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    whole = [line for line in lines if line.endswith("\n")]  # a killed run of an older version may have left less
    write_whole(path, "".join([*whole, json.dumps(entry) + "\n"]).encode())
