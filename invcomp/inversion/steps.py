"""What the gradient steps of a search share: moments, and the best candidate so far."""

from copy import copy
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

DECAY_FIRST, DECAY_SECOND, EPSILON = 0.9, 0.95, 1e-12


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


class ScaledSteps:
    """Adam's moments with one second moment a level and picture.

    Adam itself moves every symbol by its step whatever the gradient, and flips hundreds of symbols that should stay
    zero; here a symbol moves in proportion to its own gradient.
    """

    def __init__(self, like: Tensor) -> None:
        self.first = torch.zeros_like(like)
        self.second = torch.zeros(len(like), 1, 1, 1, device=like.device)
        self.steps = 0

    def subset(self, rows: Tensor) -> Self:
        part = copy(self)
        part.first, part.second = self.first[rows], self.second[rows]
        return part

    def direction(self, gradient: Tensor) -> Tensor:
        """(N, C, H, W) gradients → steps of about unit RMS over a level."""
        self.steps += 1
        self.first.lerp_(gradient, 1 - DECAY_FIRST)
        self.second.lerp_(gradient.square().mean(dim=(1, 2, 3), keepdim=True), 1 - DECAY_SECOND)
        first = self.first / (1 - DECAY_FIRST**self.steps)
        second = self.second / (1 - DECAY_SECOND**self.steps)
        return first / (second + EPSILON).sqrt()


def keep(best: Candidate, new: Candidate, rows: Tensor) -> Tensor:
    """Take over the pictures of `new` that are better; `rows` (M,) says which of `best` they are.

    Gives the improvement as a share of the objective, (M,), negative where there is none.
    """
    gain = 1 - new.objective / best.objective[rows]
    better = (gain > 0).nonzero().flatten()
    if len(better):
        at = rows[better]
        for level, symbols in enumerate(new.symbols):
            best.symbols[level][at] = symbols[better]
        for name in ("bits", "distortion", "objective"):
            getattr(best, name)[at] = getattr(new, name)[better]
    return gain
