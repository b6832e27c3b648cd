"""What the gradient steps of a search share: moments, and the best candidate so far."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

EPSILON = 1e-12


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

    def subset(self, rows: Tensor) -> Candidate:
        """The pictures `rows` (M,) alone."""
        return Candidate([s[rows] for s in self.symbols], self.bits[rows], self.distortion[rows], self.objective[rows])

    def put(self, rows: Tensor, other: Candidate) -> None:
        """Take over the pictures `rows` (M,) from `other`, which holds these alone."""
        for mine, theirs in zip(self.symbols, other.symbols, strict=True):
            mine[rows] = theirs
        self.bits[rows], self.distortion[rows], self.objective[rows] = other.bits, other.distortion, other.objective


class Moments:
    """Adam's moments of gradients (N, C, H, W), the bias of their start taken out."""

    def __init__(self, first: Tensor, second: Tensor, decays: tuple[float, float]) -> None:
        """`first`, `second`: zeros of the moments' shapes; `decays` per step."""
        self.first, self.second, self.decays, self.steps = first, second, decays, 0

    def subset(self, rows: Tensor) -> Self:
        part = copy(self)
        part.first, part.second = self.first[rows], self.second[rows]
        return part

    def update(self, gradient: Tensor, square: Tensor) -> tuple[Tensor, Tensor]:
        """Take in a gradient and what stands for its square; gives both moments."""
        first, second = self.decays
        self.steps += 1
        self.first.lerp_(gradient, 1 - first)
        self.second.lerp_(square, 1 - second)
        return self.first / (1 - first**self.steps), self.second / (1 - second**self.steps)


class ScaledSteps(Moments):
    """One second moment a level and picture.

    Adam itself moves every symbol by its step whatever the gradient, and flips hundreds of symbols that should stay
    zero; here a symbol moves in proportion to its own gradient.
    """

    def __init__(self, like: Tensor) -> None:
        second = torch.zeros(len(like), 1, 1, 1, device=like.device)
        super().__init__(torch.zeros_like(like), second, (0.9, 0.95))

    def direction(self, gradient: Tensor) -> Tensor:
        """(N, C, H, W) gradients → steps of about unit RMS over a level."""
        first, second = self.update(gradient, gradient.square().mean(dim=(1, 2, 3), keepdim=True))
        return first / (second + EPSILON).sqrt()


class SymbolSteps(Moments):
    """Adam's own: a second moment a symbol; short-lived, since a picture changes much from step to step."""

    def __init__(self, like: Tensor) -> None:
        super().__init__(torch.zeros_like(like), torch.zeros_like(like), (0.7, 0.85))

    def direction(self, gradient: Tensor) -> Tensor:
        """(N, C, H, W) gradients → steps of about unit size."""
        first, second = self.update(gradient, gradient.square())
        return first / (second.sqrt() + EPSILON)


def keep(best: Candidate, new: Candidate, rows: Tensor) -> None:
    """Take over the pictures of `new` that are better; `rows` (M,) says which of `best` they are."""
    better = (new.objective < best.objective[rows]).nonzero().flatten()
    if len(better):
        best.put(rows[better], new.subset(better))
