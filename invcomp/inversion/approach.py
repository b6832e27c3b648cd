"""The long way: gradient steps from a start far from the picture, like the prior's mean.

First without rounding, to where the picture is; then under the relaxation, and at last straight through. Adam's
moments, short-lived, one each for a symbol. A symbol moves in units of the geometric mean of what it varies by and
what the symbol that varies most does: by its own spread, the many that hardly vary would never arrive; by the same
for all, the few that vary much would not. Before rounding the rate weighs more, which leaves fewer symbols to be
rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invcomp.inversion.relaxations import ANNEALED
from invcomp.inversion.relaxations.straight_through import straight_through
from invcomp.inversion.steps import SymbolSteps, keep

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Search
    from invcomp.inversion.schedules import Schedule
    from invcomp.inversion.steps import Candidate

LONGEST, SHORTEST = 0.13, 0.003  # steps, in those units
FREE, FREE_RATE = 0.55, 3.0  # share of the steps without rounding, and the weight of the rate in them
WARM_UP = 5  # steps
SETTLING = 0.25  # share of the steps that round straight through, at least


def approach(
    search: Search, start: list[Tensor], best: Candidate, schedule: Schedule, report: Callable[[int], None]
) -> None:
    """Gradient steps from `start` [(N, C, H, W)]; better candidates go to `best`."""
    steps, limits = schedule.gradient_steps, search.lengths.limits
    spreads = search.lengths.spreads()
    values = [v.clone().requires_grad_() for v in start]
    moments = [SymbolSteps(v) for v in values]
    widest = torch.stack([spread.amax(dim=(1, 2, 3)) for spread in spreads]).amax(dim=0).view(-1, 1, 1, 1)
    units = [(spread * widest).sqrt() for spread in spreads]
    random = torch.Generator(device=search.rate.device).manual_seed(schedule.seed)
    relaxation = ANNEALED[schedule.relaxation](random) if schedule.relaxation in ANNEALED else None
    everyone = torch.arange(len(search.rate), device=search.rate.device)
    for step in range(steps):
        progress = step / steps
        free, settling = progress < FREE, progress >= 1 - SETTLING
        if relaxation and not free and not settling:
            objective = relaxation.objective(search, values, (progress - FREE) / (1 - SETTLING - FREE))
        else:
            distortion = search.distortion(values if free else [straight_through(v) for v in values])
            objective = (FREE_RATE if free else 1.0) * search.rate_weight * search.lengths.total(values) + distortion
        gradients = torch.autograd.grad(objective.sum(), values)
        with torch.no_grad():
            if settling:
                judged = search.judge(values, distortion)
                keep(best, judged, everyone)
                search.steer(judged.bits, judged.distortion)
            cosine = (1 + math.cos(math.pi * progress)) / 2
            length = (LONGEST * cosine + SHORTEST) * min(1, (step + 1) / WARM_UP)
            for value, gradient, unit, moment, limit in zip(values, gradients, units, moments, limits, strict=True):
                gradient = gradient.nan_to_num(0, 0, 0)  # of a picture that left what numbers hold
                value -= length * unit * moment.direction(gradient)
                value.clamp_(-limit, limit)
        report(step + 1)
    keep(best, search.judge(values), everyone)
