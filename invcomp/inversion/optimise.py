"""The search: from a first guess to the symbols with the lowest rate-distortion objective.

Objective of a picture: lambda * bits(symbols) + distortion(picture, generator(symbols)), always judged with rounded
symbols. The best candidate seen is kept, so a search never ends worse than it started.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from invcomp.errors import UsageError
from invcomp.inversion.approach import approach
from invcomp.inversion.course import Course
from invcomp.inversion.losses import Loss
from invcomp.inversion.polish import polish
from invcomp.inversion.promises import GENTLY, MostBits, Promise, shrink
from invcomp.inversion.rate import CodeLengths
from invcomp.inversion.relaxations import RELAXATIONS
from invcomp.inversion.steps import Candidate, ScaledSteps, keep
from invcomp.memory import keep_freed_memory
from invcomp.priors.files import AnyGenerator


@dataclass(frozen=True)
class Schedule:
    """How a search runs: gradient steps under a relaxation, then rounds of whole moves (`polish.py`).

    `steps` is the most of both together. A picture whose best candidate no longer improves goes back to it and takes
    smaller steps; when they have become too small to matter it has converged. Learning rates are in symbols a step
    for a symbol whose gradient is the level's RMS.
    """

    steps: int = 500
    relaxation: str = "straight-through"
    far: bool = False
    """Whether the start lies far from the picture (`approach.py`), so that what follows does not apply."""
    levels: int | None = None
    """How many of the coarsest levels are used; None is all."""
    polish_share: float = 0.4
    """Share of the steps that is kept for whole moves."""
    learning_rate: float = 0.01
    judge_every: int = 5
    """Steps between judging rounded candidates, where the relaxation does not do so itself."""
    patience: int = 20
    """Steps without improvement after which a picture's steps are halved."""
    improvement: float = 5e-4
    """What counts as one, as a share of the objective."""
    smallest: float = 0.2
    """Share of the learning rate below which a picture has converged."""
    seed: int = 0

    @property
    def gradient_steps(self) -> int:
        return self.steps - int(self.polish_share * self.steps)


def check(schedule: Schedule) -> None:
    """Raises `UsageError` for a schedule that cannot be run."""
    if schedule.steps < 0:
        raise UsageError(f"the number of steps is 0 or more, not {schedule.steps}")
    if schedule.relaxation not in RELAXATIONS:
        raise UsageError(
            f"there is no relaxation {schedule.relaxation!r}; the relaxations are {', '.join(RELAXATIONS)}"
        )


@dataclass(frozen=True)
class Found:
    """The end of a search: the best candidate of every picture, where it started, and how it went."""

    best: Candidate
    start: Candidate
    course: Course


class Search:
    """One batch of pictures being inverted."""

    def __init__(
        self,
        generator: AnyGenerator,
        loss: Loss,
        lengths: CodeLengths,
        pictures: Tensor,
        rate: Tensor,
        rate_weight: Tensor,
        promise: Promise | None = None,
    ) -> None:
        """Pictures (N, 3, H, W) in [0, 1]; `rate` (N,) rate indices; `rate_weight` (N,) lambda, distortion per bit.

        Under a `promise` lambda is only where the search begins to look.
        """
        self.generator, self.loss, self.lengths = generator, loss, lengths
        self.pictures, self.rate, self.rate_weight, self.promise = pictures, rate, rate_weight, promise
        self.references = loss.reference(pictures)

    def subset(self, rows: Tensor) -> Self:
        """The search of the pictures `rows` (M,) alone."""
        part = copy(self)
        part.pictures, part.rate, part.rate_weight = self.pictures[rows], self.rate[rows], self.rate_weight[rows]
        part.promise = self.promise and self.promise.subset(rows)
        part.references = select(self.references, rows)
        part.lengths = self.lengths.subset(rows)
        return part

    def distortion(self, symbols: list[Tensor]) -> Tensor:
        """Distances (N,) of the pictures that the generator makes of symbols."""
        return self.loss.distance(self.generator(symbols, self.rate), self.references)

    @torch.no_grad()
    def judge(self, values: list[Tensor], distortion: Tensor | None = None) -> Candidate:
        """Round and judge; `distortion` (N,), if the rounded symbols' is known already."""
        symbols = [value.round() for value in values]
        distortion = self.distortion(symbols) if distortion is None else distortion.detach()
        return self.candidate(symbols, self.lengths.total(symbols), distortion)

    def candidate(self, symbols: list[Tensor], bits: Tensor, distortion: Tensor) -> Candidate:
        """Rounded symbols with their objective."""
        if self.promise is None:
            return Candidate(symbols, bits, distortion, self.rate_weight * bits + distortion)
        return Candidate(symbols, bits, distortion, self.promise.objective(bits, distortion))

    def weighed(self, costs: Tensor) -> Tensor:
        """lambda * bits + distortion (N,) of `costs` (2, N), which are bits and distortion."""
        return self.rate_weight * costs[0] + costs[1]

    def steer(self, bits: Tensor, distortion: Tensor, firmness: float = GENTLY) -> None:
        """Under a promise: adapt lambda to what is reached, (N,) each."""
        if self.promise is not None:
            self.rate_weight = self.promise.steered(self.rate_weight, bits, distortion, firmness)

    def cut_back(self, best: Candidate, rows: Tensor, limit: Tensor, seed: int) -> None:
        """Take from the pictures `rows` (M,) of `best` what is over `limit` (M,) bits."""
        part = self.subset(rows)
        part.promise = MostBits(limit)
        best.put(rows, part.judge(shrink(part, best.subset(rows).symbols, limit, seed)))

    def refine(self, best: Candidate, rows: Tensor, promise: Promise, rounds: int, seed: int) -> Course:
        """Rounds of whole moves for the pictures `rows` (M,) of `best`, under another promise to them (M,)."""
        part = self.subset(rows)
        part.promise = promise
        now = best.subset(rows)
        now = part.candidate(now.symbols, now.bits, now.distortion)
        course = Course(now, rows)
        polish(part, now, rounds, seed, lambda _: course.note(now, moves=True))
        best.put(rows, now)
        return course

    def run(self, start: list[Tensor], schedule: Schedule, report: Callable[[int], None] = lambda _: None) -> Found:
        """Search from continuous symbols `start` [(N, C, H, W)]; `report` is given the steps done."""
        keep_freed_memory()
        check(schedule)
        values = [v.detach().clamp(-b, b) for v, b in zip(start, self.lengths.limits, strict=True)]
        first = self.judge(values)
        best = replace(first, symbols=[s.clone() for s in first.symbols])
        best.bits, best.distortion, best.objective = (
            x.clone() for x in (first.bits, first.distortion, first.objective)
        )
        done, course = schedule.gradient_steps, Course(best)

        def step(number: int) -> None:
            course.note(best, moves=number > done)
            report(number)

        if schedule.far and done:
            approach(self, values, best, schedule, step)
        elif done:
            self.descend(values, best, schedule, step)
        if isinstance(self.promise, MostBits) and len(rows := (best.bits > self.promise.limit).nonzero().flatten()):
            self.cut_back(best, rows, self.promise.limit[rows], schedule.seed)
        course.settle(best)
        polish(self, best, schedule.steps - done, schedule.seed, lambda rounds: step(done + rounds))
        report(schedule.steps)
        return Found(best, first, course)

    def descend(self, start: list[Tensor], best: Candidate, schedule: Schedule, report: Callable[[int], None]) -> None:
        """Gradient steps under a relaxation; better candidates go to `best`. The batch shrinks as pictures converge."""
        part, limits = self, self.lengths.limits
        values = [v.clone().requires_grad_() for v in start]
        best_values = [v.clone() for v in start]
        relax = RELAXATIONS[schedule.relaxation]
        rounds_itself = schedule.relaxation == "straight-through"
        random = torch.Generator(device=self.rate.device).manual_seed(schedule.seed)
        active = torch.arange(len(self.rate), device=self.rate.device)
        moments = [ScaledSteps(v) for v in values]
        scale, stale = torch.ones_like(self.rate), torch.zeros_like(self.rate)
        reached = torch.stack([best.bits, best.distortion])
        judged_steps = 1 if rounds_itself else schedule.judge_every
        for step in range(schedule.gradient_steps):
            distortion = part.distortion([relax(v, random, step / schedule.gradient_steps) for v in values])
            objective = part.rate_weight * part.lengths.total(values) + distortion
            gradients = torch.autograd.grad(objective.sum(), values)
            with torch.no_grad():
                if (step + 1) % judged_steps == 0:
                    judged = part.judge(values, distortion if rounds_itself else None)
                    keep(best, judged, active)
                    now = torch.stack([judged.bits, judged.distortion])
                    # lambda may have moved since: both are weighed with that of now
                    gain = 1 - part.weighed(now) / part.weighed(reached)
                    reached = torch.where(gain > 0, now, reached)
                    part.steer(judged.bits, judged.distortion)
                    self.rate_weight = self.rate_weight.index_copy(0, active, part.rate_weight)
                    stale = torch.where(gain > schedule.improvement, 0.0, stale + judged_steps)
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


def select(nested: Any, rows: Tensor) -> Any:
    """The pictures `rows` (M,) of every tensor (N, ...) in nested lists."""
    return nested[rows] if isinstance(nested, Tensor) else [select(item, rows) for item in nested]
