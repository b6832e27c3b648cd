"""Gradient steps under a relaxation that anneals, all pictures together; what comes after rounds straight through."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invcomp.inversion.relaxations import ANNEALED
from invcomp.inversion.steps import Candidate, ScaledSteps, keep

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Search
    from invcomp.inversion.schedules import Schedule


def relaxed(
    search: Search, start: list[Tensor], best: Candidate, schedule: Schedule, report: Callable[[int], None]
) -> list[Tensor]:
    """Steps from `start` [(N, C, H, W)] → where they end; better rounded candidates go to `best`."""
    steps, limits = schedule.relaxed_steps, search.lengths.limits
    values = [v.clone().requires_grad_() for v in start]
    moments = [ScaledSteps(v) for v in values]
    everyone = torch.arange(len(search.rate), device=search.rate.device)
    random = torch.Generator(device=search.rate.device).manual_seed(schedule.seed)
    relaxation = ANNEALED[schedule.relaxation](random)
    distortion = best.distortion.clone()  # as last judged
    for step in range(steps):
        progress = step / steps
        objective = relaxation.objective(search, values, progress)
        gradients = torch.autograd.grad(objective.sum(), values)
        with torch.no_grad():
            length = relaxation.learning_rate * (1 + math.cos(math.pi * progress)) / 2
            for value, gradient, moment, limit in zip(values, gradients, moments, limits, strict=True):
                value -= length * moment.direction(gradient)
                value.clamp_(-limit, limit)
            if (step + 1) % schedule.judge_every == 0:
                judged = search.judge(values)
                keep(best, judged, everyone)
                distortion = judged.distortion
            if search.promise is not None:  # bits are known without a pass through the generator
                search.steer(search.lengths.total([v.round() for v in values]), distortion)
        report(step + 1)
    return [v.detach() for v in values]
