"""The course of a search: what the best candidates so far cost, step by step.

Noted of every search, since it costs a copy of 3 N numbers a step beside a pass through the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from invcomp.inversion.steps import Candidate


@dataclass(frozen=True)
class Stretch:
    """One search of one picture, or rounds of moves after one. Figures are of the best rounded candidate so far: first
    of the start, then after every step, in which the objective never rises."""

    bits: tuple[float, ...]
    distortion: tuple[float, ...]
    objective: tuple[float, ...]
    gradient_steps: int
    """How many of the steps are gradient steps; the others are rounds of whole moves, and follow them."""
    written: bool = False
    """Whether the file is of this stretch's end."""

    @property
    def steps(self) -> int:
        """Gradient steps and rounds of moves, as many as were made while any picture of the batch needed them."""
        return len(self.bits) - 1


class Course:
    """A stretch of a batch, as it is made."""

    def __init__(self, start: Candidate, rows: Tensor | None = None) -> None:
        """`rows` (M,): which pictures of the batch `start` has; None is all."""
        self.rows = list(range(len(start.bits))) if rows is None else rows.tolist()
        self.costs = [costs(start)]
        self.gradient_steps = 0

    def note(self, best: Candidate, moves: bool) -> None:
        """A step was made: a gradient step, or a round of `moves`."""
        self.costs.append(costs(best))
        self.gradient_steps += not moves

    def settle(self, best: Candidate) -> None:
        """What the best came to after the last step, without another."""
        self.costs[-1] = costs(best)

    def of(self, picture: int) -> Stretch:
        """The stretch of one of `rows`."""
        values = torch.stack(self.costs)[:, :, self.rows.index(picture)].cpu()
        bits, distortion, objective = (tuple(column.tolist()) for column in values.T)
        return Stretch(bits, distortion, objective, self.gradient_steps)


def costs(candidate: Candidate) -> Tensor:
    """Bits, distortion and objective (3, N)."""
    return torch.stack([candidate.bits, candidate.distortion, candidate.objective])


def of_picture(courses: Sequence[Course], picture: int, written: int) -> tuple[Stretch, ...]:
    """The stretches of a picture in the order in which they were made; its file is of the end of `courses[written]`."""
    return tuple(
        replace(course.of(picture), written=number == written)
        for number, course in enumerate(courses)
        if picture in course.rows
    )
