"""The long way: gradient steps from a start far from the picture, like the prior's mean.

Adam's moments, short-lived, a symbol each, and steps in units of what the tables say that a symbol varies by: so the
few symbols that vary by many get there as soon as the many that hardly vary. A level of mostly zeros stays shut:
gradient steps scatter it, with many symbols that cost more than they give. The whole moves that follow open it where
that pays. Steps shrink along a cosine, the relaxation sharpens, and the last quarter rounds straight through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invcomp.inversion.relaxations import RELAXATIONS, straight_through
from invcomp.inversion.steps import SymbolSteps, keep

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Schedule, Search
    from invcomp.inversion.steps import Candidate

LONGEST, SHORTEST = 0.3, 0.009  # steps in units of a symbol's spread
SPARSE = 0.35  # symbols; a level none of whose symbols varies by more stays shut
WARM_UP = 5  # steps
SETTLING = 0.25  # share of the steps that round straight through


def approach(
    search: Search, start: list[Tensor], best: Candidate, schedule: Schedule, report: Callable[[int], None]
) -> None:
    """Gradient steps from `start` [(N, C, H, W)]; better candidates go to `best`."""
    steps, limits = schedule.gradient_steps, search.lengths.limits
    spreads = search.lengths.spreads()
    open_levels = [level for level, spread in enumerate(spreads) if float(spread.max()) > SPARSE]
    if not open_levels:
        return
    values = [v.clone().requires_grad_(level in open_levels) for level, v in enumerate(start)]
    moments = {level: SymbolSteps(values[level]) for level in open_levels}
    relax = RELAXATIONS[schedule.relaxation]
    random = torch.Generator(device=search.rate.device).manual_seed(schedule.seed)
    everyone = torch.arange(len(search.rate), device=search.rate.device)
    for step in range(steps):
        progress = step / steps
        settling = progress >= 1 - SETTLING
        stand_in = straight_through if settling else relax
        distortion = search.distortion([stand_in(v, random, progress / (1 - SETTLING)) for v in values])
        objective = search.rate_weight * search.bits(values) + distortion
        gradients = torch.autograd.grad(objective.sum(), [values[level] for level in open_levels])
        with torch.no_grad():
            if settling:
                keep(best, search.judge(values, distortion), everyone)
            cosine = (1 + math.cos(math.pi * progress)) / 2
            share = (cosine + SHORTEST / LONGEST) * min(1, (step + 1) / WARM_UP)
            for level, gradient in zip(open_levels, gradients, strict=True):
                gradient = gradient.nan_to_num(0, 0, 0)  # of a picture that left what numbers hold
                values[level] -= share * LONGEST * spreads[level] * moments[level].direction(gradient)
                values[level].clamp_(-limits[level], limits[level])
        report(step + 1)
    keep(best, search.judge(values), everyone)
