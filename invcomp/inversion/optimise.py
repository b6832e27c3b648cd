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

from invcomp.inversion.approach import approach
from invcomp.inversion.course import Course
from invcomp.inversion.descent import descend
from invcomp.inversion.losses import Loss
from invcomp.inversion.polish import polish
from invcomp.inversion.promises import GENTLY, MostBits, Promise, shrink
from invcomp.inversion.rate import CodeLengths
from invcomp.inversion.relaxed import relaxed
from invcomp.inversion.schedules import Schedule
from invcomp.inversion.steps import Candidate
from invcomp.memory import keep_freed_memory
from invcomp.priors.files import AnyGenerator

SETTLED = 10_000  # rounds of whole moves at most, where they go on until none improves


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

    def refine(
        self, best: Candidate, rows: Tensor, promise: Promise, rounds: int, seed: int, settle: bool = False
    ) -> Course:
        """Rounds of whole moves for the pictures `rows` (M,) of `best`, under another promise to them (M,)."""
        part = self.subset(rows)
        part.promise = promise
        now = best.subset(rows)
        now = part.candidate(now.symbols, now.bits, now.distortion)
        course = Course(now, rows)
        polish(part, now, rounds, seed, lambda _: course.note(now, moves=True), settle)
        best.put(rows, now)
        return course

    def run(self, start: list[Tensor], schedule: Schedule, report: Callable[[int], None] = lambda _: None) -> Found:
        """Search from continuous symbols `start` [(N, C, H, W)]; `report` is given the steps done."""
        keep_freed_memory()
        values = [v.detach().clamp(-b, b) for v, b in zip(start, self.lengths.limits, strict=True)]
        first = self.judge(values)
        best = replace(first, symbols=[s.clone() for s in first.symbols])
        best.bits, best.distortion, best.objective = (
            x.clone() for x in (first.bits, first.distortion, first.objective)
        )
        done, course = schedule.gradient_steps, Course(best)

        def step(number: int) -> None:
            course.note(best, moves=number > done)
            report(min(number, schedule.steps))

        if schedule.far and done:
            approach(self, values, best, schedule, step)
        elif done:
            relaxed_steps = schedule.relaxed_steps
            if relaxed_steps:
                values = relaxed(self, values, best, schedule, step)
            descend(self, values, best, schedule, done - relaxed_steps, lambda n: step(relaxed_steps + n))
        if isinstance(self.promise, MostBits) and len(rows := (best.bits > self.promise.limit).nonzero().flatten()):
            self.cut_back(best, rows, self.promise.limit[rows], schedule.seed)
        course.settle(best)
        rounds = SETTLED if schedule.settle else schedule.steps - done
        polish(self, best, rounds, schedule.seed, lambda n: step(done + n), schedule.settle)
        report(schedule.steps)
        return Found(best, first, course)


def select(nested: Any, rows: Tensor) -> Any:
    """The pictures `rows` (M,) of every tensor (N, ...) in nested lists."""
    return nested[rows] if isinstance(nested, Tensor) else [select(item, rows) for item in nested]
