"""Ablations of the search: losses x relaxations x steps x starts x priors, with real bytes and all metrics."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from invcomp.codec import Codec, check_arguments
from invcomp.errors import UsageError
from invcomp.lab.codecs import InvcompCodec, InvcompSetting
from invcomp.lab.effects import marginal_effects
from invcomp.lab.estimate import in_words, seconds_a_step
from invcomp.lab.folder import PictureSet, load_pictures, spread
from invcomp.lab.metrics import Judge
from invcomp.lab.results import Comparison, Panel, Report, Result
from invcomp.lab.run import Run, Say
from invcomp.lab.store import Store

FACTORS = ("loss", "relaxation", "steps", "start", "prior", "levels")
SUBSETS = ("full", "star")
OWN = "prior"  # a loss, relaxation or start: the prior's own
ALL = "all"
SHOWN_PICTURES = 8


@dataclass(frozen=True)
class Cell:
    """One combination of factors."""

    loss: str
    relaxation: str
    steps: int
    start: str
    prior: str
    levels: str = ALL
    """How many of the coarsest latent levels are used."""

    def factors(self) -> dict[str, str]:
        return {name: str(getattr(self, name)) for name in FACTORS}


@dataclass(frozen=True)
class AblateRequest:
    """What is varied. The first value of every factor is the one that the others are compared with."""

    folder: Path
    losses: tuple[str, ...] = (OWN,)
    """Loss expressions; `prior` is the distortion that the prior was trained with."""
    relaxations: tuple[str, ...] = (OWN,)
    steps: tuple[int, ...] = (500, 100)
    starts: tuple[str, ...] = (OWN,)
    priors: tuple[str, ...] = ("faces",)
    levels: tuple[str, ...] = (ALL,)
    qualities: tuple[float, ...] = (24.0, 48.0)
    """Every cell is measured at all of them, so that cells can be compared at equal bytes."""
    subset: str = "full"
    """`full`: every combination. `star`: each factor by itself, the others at their first value."""
    size: int | None = None
    most: int | None = None
    seed: int = 0
    cache: Path | None = None
    device: str = "auto"


def grid(request: AblateRequest) -> list[Cell]:
    """The cells of a request, the reference first. Raises `UsageError`."""
    if request.subset not in SUBSETS:
        raise UsageError(f"there is no subset {request.subset!r}; the subsets are {', '.join(SUBSETS)}")
    axes = (request.losses, request.relaxations, request.steps, request.starts, request.priors, request.levels)
    for name, values in zip(FACTORS, axes, strict=True):
        if not values:
            raise UsageError(f"an ablation needs at least one value of {name}")
    cells = [Cell(*values) for values in itertools.product(*axes)]
    reference = cells[0]
    if request.subset == "star":
        cells = [cell for cell in cells if distance(cell, reference) <= 1]
    for cell in cells:
        for quality in request.qualities:
            check_arguments(
                quality=quality,
                steps=cell.steps,
                loss=chosen(cell.loss),
                relaxation=chosen(cell.relaxation),
                start=chosen(cell.start),
            )
        if cell.levels != ALL and not cell.levels.isdecimal():
            raise UsageError(f"levels are a whole number, or {ALL}, not {cell.levels!r}")
    return list(dict.fromkeys(cells))


def chosen(value: str) -> str | None:
    """What a codec is told for a factor's value: nothing, for the prior's own."""
    return None if value == OWN else value


def number_of_levels(cell: Cell) -> int | None:
    return None if cell.levels == ALL else int(cell.levels)


def distance(left: Cell, right: Cell) -> int:
    """In how many factors two cells differ."""
    return sum(getattr(left, name) != getattr(right, name) for name in FACTORS)


def ablate(
    request: AblateRequest,
    announce: Callable[[str], None] = lambda _: None,
    say: Say = lambda text, share: None,
    cells: Sequence[Cell] | None = None,
) -> Report:
    """Measure all cells, the finished ones from the cache.

    `cells` replaces the request's grid; the first is the reference. Raises `UsageError` for a wrong request, before
    anything is computed.
    """
    cells = list(cells) if cells is not None else grid(request)
    codecs = {prior: Codec(prior, request.device) for prior in dict.fromkeys(cell.prior for cell in cells)}
    for cell in cells:
        codecs[cell.prior].check_search(chosen(cell.loss), chosen(cell.start), number_of_levels(cell))
    first = next(iter(codecs.values()))
    pictures = load_pictures(request.folder, request.size or first.prior.arch.image_size, request.most)
    judge = Judge(pictures.images, lpips=first.prior.lpips)
    varied = [name for name in FACTORS if len({getattr(cell, name) for cell in cells}) > 1]
    announce(cost(cells, request, first, pictures))

    run = Run(pictures, judge, Store(request.cache), say)
    results: list[Result] = []
    work = [(cell, quality) for cell in cells for quality in request.qualities]
    total, done = sum(effort(cell) for cell, _ in work), 0.0
    for cell, quality in work:
        codec = codecs[cell.prior]
        setting = InvcompSetting(
            quality,
            cell.steps,
            chosen(cell.loss),
            chosen(cell.relaxation),
            chosen(cell.start),
            number_of_levels(cell),
            request.seed,
        )
        name = label(cell, varied)
        wrapped = InvcompCodec(codec, name)
        found = run.one(wrapped, setting, done / total, effort(cell) / total)
        assert found is not None
        found = run.identity(found, wrapped, setting)
        results.append(Result(name, f"quality {quality:g}", found.files, found.mean, cell.factors()))
        done += effort(cell)
    reference = cells[0]
    near = [cell for cell in cells if distance(cell, reference) <= 1]
    return Report(
        title=f"Ablation of the search on {request.folder.resolve().name}",
        facts={
            "pictures": f"{len(pictures.images)} of {request.folder.resolve().name}",
            "cells": f"{len(cells)}, each at qualities {', '.join(f'{q:g}' for q in request.qualities)}",
            "varied": ", ".join(varied) or "nothing",
            "reference": label(reference, FACTORS),
            "prior's own loss": first.prior.info.distortion,
            "bytes": "of real files; figures are of the decoded 8-bit files",
        },
        notes=[
            *pictures.notes,
            *judge.notes,
            *run.notes,
            "A metric that is a term of a cell's loss flatters that cell: judge it with the others.",
        ],
        metrics=judge.metrics,
        results=results,
        effects=marginal_effects(results, judge.metrics, reference.factors()),
        comparisons=comparisons(results, [label(c, varied) for c in near], codecs, pictures),
        first_codec=label(reference, varied),
        drawn=tuple(label(cell, varied) for cell in near),
    )


def label(cell: Cell, factors: Sequence[str]) -> str:
    """The values of factors, for people."""
    values = cell.factors()
    texts = [f"{values[name]} steps" if name == "steps" else values[name] for name in factors]
    return " · ".join(texts) or "reference"


def effort(cell: Cell) -> float:
    """Expected time of a cell, relative."""
    return 20.0 + cell.steps


def cost(cells: Sequence[Cell], request: AblateRequest, codec: Codec, pictures: PictureSet) -> str:
    """What the run will take if nothing is kept from an earlier one."""
    steps = sum(cell.steps for cell in cells) * len(request.qualities)
    seconds = seconds_a_step(codec, pictures.images) * steps * len(pictures.images)
    kept = f"; finished cells are kept in {request.cache}" if request.cache else ""
    return (
        f"{len(cells)} cells at {len(request.qualities)} qualities on {len(pictures.images)} pictures: "
        f"about {in_words(seconds)} here with the prior's own loss{kept}"
    )


def comparisons(
    results: Sequence[Result], names: Sequence[str], codecs: dict[str, Codec], pictures: PictureSet
) -> list[Comparison]:
    """Pictures of the cells that differ from the reference in one factor, at equal qualities."""
    found = []
    qualities = list(dict.fromkeys(result.setting for result in results))
    for index in spread(range(len(pictures.names)), SHOWN_PICTURES):
        budgets: dict[str, list[Panel]] = {}
        for quality in qualities:
            panels: list[Panel] = []
            for result in results:
                if result.setting == quality and result.codec in names:
                    file = result.files[index]
                    image = codecs[result.factors["prior"]].decompress(file.data)
                    fits = not panels or file.bytes <= panels[0].bytes
                    panels.append(Panel(result.codec, quality, file.bytes, file.figures, image, fits))
            budgets[quality] = panels
        found.append(Comparison(pictures.names[index], pictures.images[index], budgets))
    return found
