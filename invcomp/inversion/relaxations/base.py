"""What a relaxation is: an objective with gradients that stands in for that of rounded symbols."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Search


class Relaxation(ABC):
    """The relaxation of one search. Its pictures stay the same, so that it may keep something of each."""

    learning_rate: ClassVar[float] = 0.002
    """At the start, in symbols a step for a symbol whose gradient is the level's RMS; it falls to zero along a cosine.
    Chosen of 0.01, 0.005 and 0.002."""

    def __init__(self, random: torch.Generator) -> None:
        self.random = random

    @abstractmethod
    def objective(self, search: Search, values: list[Tensor], progress: float) -> Tensor:
        """What continuous symbols `values` [(N, C, H, W)] cost, (N,); `progress` in [0, 1] of the relaxed steps."""


class StandIn(Relaxation):
    """A relaxation that gives the generator and the tables something else in the place of rounded symbols."""

    @abstractmethod
    def stand_in(self, values: Tensor, progress: float) -> Tensor:
        """Symbols of a level, (N, C, H, W)."""

    def objective(self, search: Search, values: list[Tensor], progress: float) -> Tensor:
        limits = search.lengths.limits  # beyond them there is nothing, and in levels that are not used they are 0
        used = [self.stand_in(v, progress).clamp(-b, b) for v, b in zip(values, limits, strict=True)]
        return search.rate_weight * search.lengths.total(used) + search.distortion(used)
