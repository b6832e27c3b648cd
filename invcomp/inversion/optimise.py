"""The search: from the encoder's guess to the symbols with the lowest rate-distortion objective.

Objective of a picture: lambda * bits(symbols) + distortion(picture, generator(symbols)), always judged with rounded
symbols. The best candidate seen is kept, so a search never ends worse than it started.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from invcomp.errors import UsageError
from invcomp.inversion.losses import Loss
from invcomp.inversion.rate import CodeLengths
from invcomp.inversion.relaxations import RELAXATIONS
from invcomp.memory import keep_freed_memory
from invcomp.priors.generator import Generator

DECAY_FIRST, DECAY_SECOND, EPSILON = 0.9, 0.95, 1e-12


@dataclass(frozen=True)
class Schedule:
    """How a search runs. Learning rates are in symbols a step for a symbol whose gradient is the level's RMS."""

    steps: int = 500
    relaxation: str = "straight-through"
    learning_rate: float = 0.03
    level_factors: tuple[float, ...] = (1.0,)
    """Factors on the learning rate, coarse to fine; the last one holds for all finer levels."""
    judge_every: int = 10
    """Steps between judging rounded candidates, where the relaxation does not do so itself."""
    seed: int = 0

    def factor(self, level: int) -> float:
        return self.level_factors[min(level, len(self.level_factors) - 1)]

    def learning_rate_at(self, step: int) -> float:
        """A short rise, then a linear fall to a twentieth."""
        progress = step / max(1, self.steps)
        return self.learning_rate * min(1.0, (step + 1) / 10) * max(0.05, 1 - progress)


def check(schedule: Schedule) -> None:
    """Raises `UsageError` for a schedule that cannot be run."""
    if schedule.steps < 0:
        raise UsageError(f"the number of steps is 0 or more, not {schedule.steps}")
    if schedule.relaxation not in RELAXATIONS:
        raise UsageError(
            f"there is no relaxation {schedule.relaxation!r}; the relaxations are {', '.join(RELAXATIONS)}"
        )


@dataclass
class Candidate:
    """Rounded symbols of a batch, and what they cost."""

    symbols: list[Tensor]
    """(N, C, H, W) by level, whole numbers."""
    bits: Tensor
    """(N,) ideal code lengths."""
    distortion: Tensor
    """(N,)"""
    objective: Tensor
    """(N,)"""


@dataclass(frozen=True)
class Found:
    """The end of a search: the best candidate of every picture, and where it started."""

    best: Candidate
    start: Candidate


class Search:
    """One batch of pictures being inverted."""

    def __init__(
        self,
        generator: Generator,
        loss: Loss,
        lengths: CodeLengths,
        pictures: Tensor,
        rate: Tensor,
        rate_weight: Tensor,
    ) -> None:
        """Pictures (N, 3, H, W) in [0, 1]; `rate` (N,) rate indices; `rate_weight` (N,) lambda, distortion per bit."""
        self.generator, self.loss, self.lengths = generator, loss, lengths
        self.rate, self.rate_weight = rate, rate_weight
        self.references = loss.reference(pictures)

    def cost(self, values: list[Tensor], given: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Bits (N,) of `values`, and distortion (N,) of the pictures made from `given`."""
        bits = torch.stack(
            [self.lengths.bits(level, value).sum(dim=(1, 2, 3)) for level, value in enumerate(values)]
        ).sum(dim=0)
        return bits, self.loss.distance(self.generator(given, self.rate), self.references)

    @torch.no_grad()
    def judge(self, values: list[Tensor]) -> Candidate:
        """Round and judge."""
        symbols = [value.round() for value in values]
        bits, distortion = self.cost(symbols, symbols)
        return Candidate(symbols, bits, distortion, self.rate_weight * bits + distortion)

    def run(self, start: list[Tensor], schedule: Schedule, report: Callable[[int], None] = lambda _: None) -> Found:
        """Search from continuous symbols `start` [(N, C, H, W)]."""
        keep_freed_memory()
        check(schedule)
        bounds = self.lengths.bounds
        values = [v.detach().clamp(-b, b).clone().requires_grad_() for v, b in zip(start, bounds, strict=True)]
        relax = RELAXATIONS[schedule.relaxation]
        rounds_itself = schedule.relaxation == "straight-through"
        random = torch.Generator(device=self.rate.device).manual_seed(schedule.seed)
        first = self.judge(values)
        best = replace(first, symbols=[s.clone() for s in first.symbols])
        moments = [ScaledSteps(v) for v in values]
        for step in range(schedule.steps):
            given = [relax(v, random) for v in values]
            bits, distortion = self.cost(values, given)
            objective = self.rate_weight * bits + distortion
            gradients = torch.autograd.grad(objective.sum(), values)
            if rounds_itself:
                self.keep_better(best, [g.detach() for g in given], distortion.detach())
            with torch.no_grad():
                rate = schedule.learning_rate_at(step)
                for level, (value, gradient, moment) in enumerate(zip(values, gradients, moments, strict=True)):
                    value -= rate * schedule.factor(level) * moment.direction(gradient)
                    value.clamp_(-bounds[level], bounds[level])
            if not rounds_itself and (step + 1) % schedule.judge_every == 0:
                keep(best, self.judge(values))
            report(step + 1)
        if schedule.steps:
            keep(best, self.judge(values))
        return Found(best, first)

    @torch.no_grad()
    def keep_better(self, best: Candidate, symbols: list[Tensor], distortion: Tensor) -> None:
        """Keep rounded symbols whose distortion is known already."""
        bits = torch.stack([self.lengths.bits(i, s).sum(dim=(1, 2, 3)) for i, s in enumerate(symbols)]).sum(dim=0)
        keep(best, Candidate(symbols, bits, distortion, self.rate_weight * bits + distortion))


class ScaledSteps:
    """Adam's moments with one second moment a level and picture.

    Adam itself moves every symbol by its step whatever the gradient, and flips hundreds of symbols that should stay
    zero; here a symbol moves in proportion to its own gradient.
    """

    def __init__(self, like: Tensor) -> None:
        self.first = torch.zeros_like(like)
        self.second = torch.zeros(len(like), 1, 1, 1, device=like.device)
        self.steps = 0

    def direction(self, gradient: Tensor) -> Tensor:
        """(N, C, H, W) gradients → steps of about unit RMS over a level."""
        self.steps += 1
        self.first.lerp_(gradient, 1 - DECAY_FIRST)
        self.second.lerp_(gradient.square().mean(dim=(1, 2, 3), keepdim=True), 1 - DECAY_SECOND)
        first = self.first / (1 - DECAY_FIRST**self.steps)
        second = self.second / (1 - DECAY_SECOND**self.steps)
        return first / (second + EPSILON).sqrt()


def keep(best: Candidate, new: Candidate) -> None:
    """Take over the pictures of `new` whose objective is lower."""
    better = new.objective < best.objective
    if not bool(better.any()):
        return
    pick: Any = better.view(-1, 1, 1, 1)
    for level, symbols in enumerate(new.symbols):
        best.symbols[level] = torch.where(pick, symbols, best.symbols[level])
    best.bits = torch.where(better, new.bits, best.bits)
    best.distortion = torch.where(better, new.distortion, best.distortion)
    best.objective = torch.where(better, new.objective, best.objective)
