"""Gradient steps straight through, with the whole symbols judged at each. The batch shrinks as pictures converge."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invcomp.inversion.relaxations.straight_through import straight_through
from invcomp.inversion.steps import Candidate, ScaledSteps, keep

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Search
    from invcomp.inversion.schedules import Schedule


def descend(
    search: Search,
    start: list[Tensor],
    best: Candidate,
    schedule: Schedule,
    steps: int,
    report: Callable[[int], None],
) -> None:
    """At most `steps` steps from `start` [(N, C, H, W)]; better candidates go to `best`."""
    part, limits = search, search.lengths.limits
    values = [v.clone().requires_grad_() for v in start]
    best_values = [v.clone() for v in start]
    active = torch.arange(len(search.rate), device=search.rate.device)
    moments = [ScaledSteps(v) for v in values]
    scale, stale = torch.ones_like(search.rate), torch.zeros_like(search.rate)
    reached = torch.full((2, len(active)), torch.inf, device=search.rate.device)
    for step in range(steps):
        distortion = part.distortion([straight_through(v) for v in values])
        objective = part.rate_weight * part.lengths.total(values) + distortion
        gradients = torch.autograd.grad(objective.sum(), values)
        with torch.no_grad():
            judged = part.judge(values, distortion)
            keep(best, judged, active)
            now = torch.stack([judged.bits, judged.distortion])
            # lambda may have moved since: both are weighed with that of now
            gain = 1 - part.weighed(now) / part.weighed(reached)
            reached = torch.where(gain > 0, now, reached)
            part.steer(judged.bits, judged.distortion)
            search.rate_weight = search.rate_weight.index_copy(0, active, part.rate_weight)
            stale = torch.where(gain > schedule.improvement, 0.0, stale + 1)
            lost = stale >= schedule.patience
            scale, stale = torch.where(lost, scale / 2, scale), torch.where(lost, 0.0, stale)
            for kept, value, moment in zip(best_values, values, moments, strict=True):
                kept[active[gain > 0]] = value[gain > 0]
                value[lost] = kept[active[lost]]
                moment.first[lost] = 0
            length = schedule.learning_rate * scale.view(-1, 1, 1, 1)
            for value, gradient, moment, limit in zip(values, gradients, moments, limits, strict=True):
                value -= length * moment.direction(gradient)
                value.clamp_(-limit, limit)
        report(step + 1)
        going = (scale >= schedule.smallest).nonzero().flatten()
        if not len(going):
            return
        if len(going) < len(active):
            part, active, scale, stale = part.subset(going), active[going], scale[going], stale[going]
            reached = reached[:, going]
            values = [v.detach()[going].requires_grad_() for v in values]
            moments = [m.subset(going) for m in moments]
    keep(best, part.judge(values), active)
