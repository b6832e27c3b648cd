"""The long way: gradient steps from a start far from the picture, like the prior's mean.

Adam's moments, short-lived, a symbol each, and steps in units of what the tables say that a symbol varies by: so the
few symbols that vary by many get there as soon as the many that hardly vary. Adam moves every symbol by its step
whatever the gradient, which would scatter a level of mostly zeros; there, steps are scaled by the level's RMS gradient
(`ScaledSteps`). Steps shrink along a cosine, the relaxation sharpens, and the last quarter rounds straight through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invcomp.inversion.relaxations import RELAXATIONS, straight_through
from invcomp.inversion.steps import ScaledSteps, keep

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Schedule, Search
    from invcomp.inversion.steps import Candidate

LONGEST, SHORTEST = 0.2, 0.006  # steps in units of a symbol's spread
SPARSE_STEP = 0.1  # in symbols, for a symbol whose gradient is the level's RMS
WARM_UP = 5  # steps
SETTLING = 0.25  # share of the steps that round straight through
DECAY_FIRST, DECAY_SECOND, EPSILON = 0.7, 0.85, 1e-12


class SymbolSteps:
    """Adam's moments, a symbol each."""

    def __init__(self, like: Tensor) -> None:
        self.first, self.second, self.steps = torch.zeros_like(like), torch.zeros_like(like), 0

    def direction(self, gradient: Tensor) -> Tensor:
        """(N, C, H, W) gradients → steps of about unit size."""
        self.steps += 1
        self.first.lerp_(gradient, 1 - DECAY_FIRST)
        self.second.lerp_(gradient.square(), 1 - DECAY_SECOND)
        first = self.first / (1 - DECAY_FIRST**self.steps)
        second = self.second / (1 - DECAY_SECOND**self.steps)
        return first / (second.sqrt() + EPSILON)


def approach(
    search: Search, start: list[Tensor], best: Candidate, schedule: Schedule, report: Callable[[int], None]
) -> None:
    """Gradient steps from `start` [(N, C, H, W)]; better candidates go to `best`."""
    steps, bounds = schedule.gradient_steps, search.lengths.bounds
    spreads = search.lengths.spreads()
    dense = [float(spread.square().mean()) > 1 for spread in spreads]
    values = [v.clone().requires_grad_() for v in start]
    moments = [SymbolSteps(v) if d else ScaledSteps(v) for v, d in zip(values, dense, strict=True)]
    relax = RELAXATIONS[schedule.relaxation]
    random = torch.Generator(device=search.rate.device).manual_seed(schedule.seed)
    everyone = torch.arange(len(search.rate), device=search.rate.device)
    for step in range(steps):
        progress = step / steps
        settling = progress >= 1 - SETTLING
        stand_in = straight_through if settling else relax
        distortion = search.distortion([stand_in(v, random, progress / (1 - SETTLING)) for v in values])
        objective = search.rate_weight * search.bits(values) + distortion
        gradients = torch.autograd.grad(objective.sum(), values)
        with torch.no_grad():
            if settling:
                keep(best, search.judge(values, distortion), everyone)
            cosine = (1 + math.cos(math.pi * progress)) / 2
            share = (cosine + SHORTEST / LONGEST) * min(1, (step + 1) / WARM_UP)
            for value, gradient, moment, spread, bound, d in zip(
                values, gradients, moments, spreads, bounds, dense, strict=True
            ):
                length = LONGEST * spread if d else SPARSE_STEP
                value -= share * length * moment.direction(gradient)
                value.clamp_(-bound, bound)
        report(step + 1)
    keep(best, search.judge(values), everyone)
