"""Where a search starts."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from invcomp.entropy.chain import draw
from invcomp.entropy.tables import LevelTables
from invcomp.errors import UsageError
from invcomp.inversion.optimise import Search
from invcomp.inversion.relaxations import STRAIGHT_THROUGH
from invcomp.inversion.schedules import Schedule, check, find_schedule, polished

MOST_STARTS = 64
FAR_POLISH = 0.25  # share of the steps for whole moves, where the gradient has a longer way
STARTS = "encoder, mean or best-of-K (like best-of-8)"


def parse_start(start: str) -> int:
    """How many candidates a start looks at: `encoder` and `mean` 1, `best-of-8` 8. Raises `UsageError`."""
    if start in ("encoder", "mean"):
        return 1
    prefix, _, count = start.rpartition("-")
    if prefix != "best-of" or not count.isdecimal() or not 2 <= int(count) <= MOST_STARTS:
        raise UsageError(f"there is no start {start!r}; it is {STARTS}, K from 2 to {MOST_STARTS}")
    return int(count)


def choose_start(start: str | None, has_encoder: bool, prior: str) -> str:
    """The start of a search: by default the best that the prior has. Raises `UsageError`."""
    if start is None:
        return "encoder" if has_encoder else "mean"
    parse_start(start)
    if start == "encoder" and not has_encoder:
        raise UsageError(f"the prior {prior} has no encoder to start from: start at mean or best-of-8")
    return start


def schedule_for(
    preset: str,
    start: str,
    has_encoder: bool,
    *,
    steps: int | None = None,
    relaxation: str | None = None,
    polish: bool | None = None,
    levels: int | None = None,
    seed: int = 0,
) -> Schedule:
    """The preset of that name with what is told in its place. Raises `UsageError`.

    From the mean, or without an encoder, the search goes the long way (`approach.py`).
    """
    chosen = replace(find_schedule(preset), levels=levels, seed=seed)
    if start == "mean" or not has_encoder:
        chosen = replace(chosen, far=True, polish_share=FAR_POLISH, relaxation=STRAIGHT_THROUGH)
    chosen = replace(
        chosen,
        steps=chosen.steps if steps is None else steps,
        relaxation=relaxation or chosen.relaxation,
    )
    check(chosen)
    return polished(chosen, polish)


def first_guess(
    start: str,
    guess: Callable[[], list[Tensor]] | None,
    search: Search,
    tables: Sequence[LevelTables],
    rates: Sequence[int],
    shapes: Sequence[tuple[int, int, int]],
    seed: int,
) -> list[Tensor]:
    """Symbols (N, C, H, W) by level from which N pictures are searched.

    `guess`: the encoder's, if there is one. `mean`: the prior's, all residuals zero. `best-of-K`: of the guess, the
    mean, and draws from the tables of its rate index, K in all, that with the lowest objective, for every picture by
    itself.
    """
    count, device = len(search.rate), search.rate.device
    mean = [torch.zeros(count, *shape, device=device) for shape in shapes]
    candidates = parse_start(start)
    if start == "mean":
        return mean
    if candidates == 1 and guess:
        return guess()
    # the guess is not rounded: where a symbol lies between two is worth knowing
    limits = search.lengths.limits
    values = [v.clamp(-most, most) for v, most in zip(guess() if guess else mean, limits, strict=True)]
    objective = search.judge(values).objective
    for number in range(candidates - 1):
        if number == 0 and guess:
            other = mean
        else:
            drawn = {rate: draw(tables, rate, 1, shapes, seed + number) for rate in set(rates)}
            levels = (np.concatenate([drawn[rate][level] for rate in rates]) for level in range(len(shapes)))
            other = [torch.from_numpy(level.astype(np.float32)).to(device) for level in levels]
            other = [v.clamp(-most, most) for v, most in zip(other, limits, strict=True)]
        found = search.judge(other).objective
        better = (found < objective).nonzero().flatten()
        for mine, theirs in zip(values, other, strict=True):
            mine[better] = theirs[better]
        objective[better] = found[better]
    return values
