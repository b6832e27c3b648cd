"""The model card of a prior: its text, pictures that show what it can and cannot do, and the curve of its training."""

import json
import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image
from torch import Tensor

from invcomp.entropy.chain import draw
from invcomp.entropy.tables import LevelTables
from invcomp.pictures import grid, png_bytes
from invcomp.pixels import to_image
from invcomp.priors.calibration import SHARES, UNUSUAL
from invcomp.priors.drawing import draw_symbols
from invcomp.priors.factors import Factors, Residuals
from invcomp.priors.generator import Generator
from invcomp.priors.info import PriorInfo
from invcomp.svg import STYLE, canvas, standalone, text_of
from invcomp.training.monitor import decode_held_out
from invcomp.training.step import Networks
from invcomp.writing import write_whole

SAMPLES, CUTS, WORST, CURVE = "samples.png", "cuts.png", "worst.png", "curve.svg"
SHOWN = 8  # pictures a row of the cuts and of the worst
CURVE_BYTES = ((400, "#009E73"), (200, "#D55E00"), (100, "#1C82C4"))  # where the curve is read off, and its colours
WATTS_PER_THREAD, WATTS_PER_GPU = 15, 700  # assumed for the estimate of energy


def watts(device: torch.device) -> int:
    """The power that the estimate of energy assumes, in W."""
    return WATTS_PER_GPU if device.type == "cuda" else WATTS_PER_THREAD * torch.get_num_threads()


def write_card(
    folder: Path,
    info: PriorInfo,
    networks: Networks,
    tables: tuple[LevelTables, ...],
    factors: Factors | None,
    held_out: Tensor,
    log: Path,
) -> None:
    """`README.md` and its pictures; `held_out` is (N, 3, S, S) in [0, 1], `log` that of the run."""
    middle = networks.generator.arch.rates // 2
    pictures = {
        SAMPLES: samples(networks.generator, tables, factors, middle, held_out),
        CUTS: cuts(networks, tables, factors, middle, held_out[:SHOWN]),
        WORST: worst(networks, middle, held_out),
    }
    for name, picture in pictures.items():
        write_whole(folder / name, png_bytes(picture))
    curve = training_curve(log)
    if curve:
        write_whole(folder / CURVE, curve.encode())
    write_whole(folder / "README.md", card(info, networks, middle, bool(curve), factors is not None).encode())


def drawn(
    tables: tuple[LevelTables, ...], rate: int, like: Tensor, generator: Generator, kept: Sequence[Tensor]
) -> list[Tensor]:
    """Residuals of as many pictures as `like` has, and of their size: the coarse levels `kept`, the others drawn from
    their tables."""
    n, shapes = len(like), generator.arch.latent_shapes(*like.shape[2:])
    bounded = [level.clamp(-t.bound, t.bound).long().cpu().numpy() for level, t in zip(kept, tables, strict=False)]
    return [torch.from_numpy(level).float().to(like.device) for level in draw(tables, rate, n, shapes, 0, bounded)]


def stacked(pictures: Sequence[Residuals], like: Tensor) -> list[Tensor]:
    """Residuals (C, H, W) by level of N pictures → residuals (N, C, H, W) by level, where `like` is."""
    return [torch.from_numpy(np.stack(level)).float().to(like.device) for level in zip(*pictures, strict=True)]


@torch.no_grad()
def samples(
    generator: Generator, tables: tuple[LevelTables, ...], factors: Factors | None, rate: int, like: Tensor
) -> Image.Image:
    """The 64 pictures that `invcomp sample` draws."""
    rates = torch.full((64,), float(rate), device=like.device)
    shapes = generator.arch.latent_shapes(*like.shape[2:])
    levels = stacked([draw_symbols(tables, factors, shapes, rate, (0, index)) for index in range(64)], like)
    return grid([to_image(p) for p in generator(levels, rates)], columns=16)


@torch.no_grad()
def cuts(
    networks: Networks, tables: tuple[LevelTables, ...], factors: Factors | None, rate: int, pictures: Tensor
) -> Image.Image:
    """A row for every number of coarse levels kept, from one to all; below them the originals.

    Finer levels are as `decompress --levels` has them, or drawn from the tables if there is no factor analysis.
    """
    n = len(pictures)
    coded, _ = decode_held_out(networks, pictures, rate)
    generator, rates = networks.generator, torch.full((n,), float(rate), device=pictures.device)

    def cut(kept: int) -> list[Tensor]:
        if factors is None:
            return drawn(tables, rate, pictures, generator, coded[:kept])
        there = [level < kept for level in range(len(coded))]
        zeroed = [level if known else torch.zeros_like(level) for level, known in zip(coded, there, strict=True)]
        filled = [factors.filled([level[i].cpu().numpy() for level in zeroed], rate, there) for i in range(n)]
        return stacked(filled, pictures)

    rows = [generator(cut(kept), rates) for kept in range(1, len(coded) + 1)]
    return grid([to_image(p) for row in (*rows, pictures) for p in row], columns=n)


@torch.no_grad()
def worst(networks: Networks, rate: int, pictures: Tensor) -> Image.Image:
    """The pictures that lose most, worst first, above what is decoded of them."""
    _, decoded = decode_held_out(networks, pictures, rate)
    order = (decoded - pictures).square().mean(dim=(1, 2, 3)).argsort(descending=True)[:SHOWN]
    return grid([to_image(p) for row in (pictures[order], decoded[order]) for p in row], columns=len(order))


def psnr_at(figures: list[dict[str, Any]], size: float) -> float:
    """Held-out PSNR, dB, at a mean size in bytes, between rate indices linear in log bytes; NaN outside of them."""
    pairs = np.array(sorted((math.log(max(f["bytes"], 1.0)), f["psnr"]) for f in figures))
    return float(np.interp(math.log(size), pairs[:, 0], pairs[:, 1], left=math.nan, right=math.nan))


def training_curve(log: Path) -> str:
    """Held-out PSNR at three sizes against pictures seen, over a run and those before it, as SVG; empty without any."""
    entries = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    entries = [entry for entry in entries if "before" in entry]  # older logs do not say
    parts = [list(part) for _, part in groupby(entries, lambda entry: entry["image_size"])]
    values = [psnr_at(entry["held_out"], size) for entry in entries for size, _ in CURVE_BYTES]
    if len(entries) < 2 or all(math.isnan(value) for value in values):
        return ""
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas("Held-out PSNR, dB", "encoder alone, at three mean sizes", 260, 42, 52)
        for part in parts:
            seen = [entry["before"] + entry["seen"] for entry in part]
            for size, colour in CURVE_BYTES:
                curve = [psnr_at(entry["held_out"], size) for entry in part]
                axes.plot(seen, curve, "o-", color=colour, markersize=3, linewidth=1.3)
                if part is parts[-1] and math.isfinite(curve[-1]):
                    place: dict[str, Any] = {"textcoords": "offset points", "va": "center", "color": colour}
                    axes.annotate(f"{size} B", (seen[-1], curve[-1]), (6, 0), **place)
            side = f"{part[0]['image_size']} x {part[0]['image_size']}"
            axes.annotate(side, (seen[0], 1), (2, -4), ("data", "axes fraction"), "offset points", va="top")
        axes.set_xlabel("pictures seen")
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(True)
        return standalone(text_of(figure, "training", "held-out PSNR at 100, 200 and 400 bytes against pictures seen"))


def usual(info: PriorInfo) -> str:
    """What is usual, as a table."""
    known = info.usual
    if known is None:
        return "What is usual was not measured."
    median, high = SHARES.index(0.5), SHARES.index(UNUSUAL)
    rows = "\n".join(
        f"| {index} | {series[median]:.3g} | {series[high]:.3g} |" for index, series in enumerate(known.distortion)
    )
    looks = f"; looks score {known.domain[median]:.2f}, {known.domain[high]:.2f}" if known.domain else ""
    return f"""Of {known.decoded:,} pictures, held-out ones and what augmentation made of them
(`compress` says where others fall{looks}):

| rate index | distortion, median | 99th percentile |
|---|---|---|
{rows}"""


def card(info: PriorInfo, networks: Networks, rate: int, curve: bool, factors: bool) -> str:
    """The text; `rate` is the index that the pictures show, and `factors` whether they use a factor analysis."""
    arch, training = networks.generator.arch, info.training
    config = training["config"]
    size = f"{arch.image_size} x {arch.image_size} pixels" if arch.image_size else "any size"
    millions = {
        n: sum(p.numel() for p in m.parameters()) / 1e6
        for n, m in (("generator", networks.generator), ("encoder", networks.encoder), ("critic", networks.critic))
    }
    rows = "\n".join(
        f"| {index} | {b:.0f} | {p:.2f} | {info.term_means['ssim'][index]:.3f} |"
        for index, (b, p) in enumerate(zip(info.results["bytes"], info.results["psnr"], strict=True))
    )
    before = "".join(
        f"\n- Before that, at {past['image_size']} pixels: {past['seen']:,} seen, {past['seconds'] / 3600:.2f} hours."
        for past in training["before"]
    )
    hours = sum(past["seconds"] for past in (*training["before"], training)) / 3600
    watts = training["watts"]
    adversarial = ", without a critic."
    if config["pure_gan"]:
        adversarial = (
            " is what is usual measured with; training knew the critic alone (`--pure-gan`; relativistic, R1 and R2).\n"
            "  The encoder was not trained, nor the tables fitted to more than its guesses: this prior is for samples."
        )
    elif config["adversarial_weight"]:
        adversarial = (
            f" + {config['adversarial_weight']} * adversarial\n  (relativistic, R1 and R2); "
            f"the critic joins at {config['adversarial_start']:.0%} of the run on."
        )
    source = "the factor analysis, finer ones than it covers left zero" if factors else "the tables"
    pictures = [
        (SAMPLES, f"64 pictures with all levels drawn from {source}"),
        (
            CUTS,
            f"only the first level kept, the first two, …, and the finer ones {'expected' if factors else 'drawn'}; "
            "last the originals",
        ),
        (WORST, "the held-out pictures that lose most, and below them what is decoded of them"),
        *([(CURVE, "held-out PSNR while it was trained")] if curve else []),
    ]
    return f"""# Prior `{info.name}`: {info.domain}

Pictures of {size}; prior id `{info.id[:16]}…`; licence: {info.licence}.
Generator {millions["generator"]:.1f} M parameters,
encoder {millions["encoder"]:.1f} M, critic {millions["critic"]:.1f} M.

## Training

- Data: {training["data"]}
- {training["pictures"]:,} training pictures, {training["held_out"]} held out; {training["seen"]:,} pictures seen
  ({training["seen"] / training["pictures"]:.1f} passes).{before}
- Hardware: {training["hardware"]}; {training["seconds"] / 3600:.2f} hours.
- Energy: about {hours * watts / 1000:.2f} kWh, an estimate: {hours:.2f} hours in all at an assumed {watts} W.
- Loss: `{info.distortion}`{"" if config["pure_gan"] else " + lambda * bits"}{adversarial}

## Held-out pictures, encoder alone (0 steps of search), symbols rounded, integer tables

| rate index | bytes | PSNR, dB | 1 - SSIM |
|---|---|---|---|
{rows}

{usual(info)}

At rate index {rate}:

{chr(10).join(f"- `{name}`: {what}" for name, what in pictures)}

## What it cannot do

{training["limits"]}
"""
