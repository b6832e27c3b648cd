"""Promises on a file: its bits or its distortion are limited, and lambda follows from that.

Under a promise lambda only says where to look: it rises or falls with every step, towards keeping the promise and no
more. (Of the distortion a relaxed step knows only what was last judged.) The best candidate is the best of those that
keep it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from invcomp.inversion.moves import curvature_scale, flat, like, look, sensitivities

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Search

BROKEN = 1e6  # objective of what does not keep its promise, times by how much: above all that do
AIM = 0.99  # share of a limit that steps and moves are drawn to
GENTLY, FIRMLY = 0.3, 1.0  # how fast lambda follows, per gradient step and per round of moves
SHARPEST = 0.15  # largest change of its logarithm, in the same units
ROUNDS = 64  # of forced moves
MARGIN = 1.02  # more bits than are needed are aimed at, since contexts take some back


@dataclass(frozen=True)
class Promise(ABC):
    """What a batch of N pictures is to keep; everything is (N,)."""

    limit: Tensor

    @abstractmethod
    def limited(self, bits: Tensor, distortion: Tensor) -> Tensor:
        """What may not pass the limit."""

    @abstractmethod
    def sought(self, bits: Tensor, distortion: Tensor) -> Tensor:
        """What is lowest in the best candidate that keeps the promise."""

    @abstractmethod
    def steered(self, rate_weight: Tensor, bits: Tensor, distortion: Tensor, firmness: float) -> Tensor:
        """Lambda for the next step."""

    @abstractmethod
    def room(self, bits: Tensor) -> Tensor:
        """How many bits may be added."""

    def kept(self, bits: Tensor, distortion: Tensor) -> Tensor:
        """Whether the promise is."""
        return self.limited(bits, distortion) <= self.limit

    def objective(self, bits: Tensor, distortion: Tensor) -> Tensor:
        """What is lowest in the best candidate."""
        broken = BROKEN * self.limited(bits, distortion) / self.limit
        return torch.where(self.kept(bits, distortion), self.sought(bits, distortion), broken)

    def subset(self, rows: Tensor) -> Self:
        """The promise to the pictures `rows` (M,) alone."""
        return type(self)(self.limit[rows])


class MostBits(Promise):
    """No more bits than `limit`, and the least distortion with them."""

    def limited(self, bits: Tensor, distortion: Tensor) -> Tensor:
        return bits

    def sought(self, bits: Tensor, distortion: Tensor) -> Tensor:
        return distortion

    def steered(self, rate_weight: Tensor, bits: Tensor, distortion: Tensor, firmness: float) -> Tensor:
        return follow(rate_weight, bits / self.limit, firmness)

    def room(self, bits: Tensor) -> Tensor:
        return self.limit - bits


class MostDistortion(Promise):
    """No more distortion than `limit`, and the fewest bits with it."""

    def limited(self, bits: Tensor, distortion: Tensor) -> Tensor:
        return distortion

    def sought(self, bits: Tensor, distortion: Tensor) -> Tensor:
        return bits

    def steered(self, rate_weight: Tensor, bits: Tensor, distortion: Tensor, firmness: float) -> Tensor:
        return follow(rate_weight, self.limit / distortion.clamp(min=1e-12) * AIM**2, firmness)

    def room(self, bits: Tensor) -> Tensor:
        return torch.full_like(bits, torch.inf)


def follow(rate_weight: Tensor, used: Tensor, firmness: float) -> Tensor:
    """Lambda (N,) for the next step: more where more than its aim is `used` (N,), less where less is."""
    return rate_weight * ((used - AIM).clamp(-SHARPEST, SHARPEST) * firmness).exp()


def shrink(search: Search, symbols: list[Tensor], limit: Tensor, seed: int) -> list[Tensor]:
    """Symbols [(N, C, H, W)] of no more than `limit` (N,) bits: those whose bits cost least are moved towards zero."""
    random = torch.Generator(device=search.rate.device).manual_seed(seed)
    state = look(search, symbols)
    sensitivity = flat(sensitivities(search, state.symbols, random))
    for _ in range(ROUNDS):
        excess = (state.bits - limit) * MARGIN
        if not (excess > 0).any():
            return state.symbols
        values, towards = flat(state.symbols), -flat(state.symbols).sign()
        tables = search.lengths.tables(state.symbols)
        with torch.no_grad():
            nearer = like(towards, state.symbols)
            changes = (
                search.lengths.change(level, *level_moves)
                for level, level_moves in enumerate(zip(state.symbols, tables, nearer, strict=True))
            )
            saved = -flat(list(changes))
            damage = towards * flat(state.gradients) + curvature_scale(search, state)[:, None] * sensitivity / 2
            price = torch.where((values != 0) & (saved > 0), damage.clamp(min=0) / saved, torch.inf)
            order = price.argsort(dim=1)
            before = (saved.gather(1, order).clamp(min=0)).cumsum(dim=1) - saved.gather(1, order).clamp(min=0)
            taken = (before < excess[:, None]).gather(1, order.argsort(dim=1)) & price.isfinite()
            step = like(torch.where(taken, towards, 0.0), state.symbols)
        state = look(search, [s + d for s, d in zip(state.symbols, step, strict=True)])
    within = (state.bits <= limit).view(-1, 1, 1, 1)
    return [torch.where(within, s, 0.0) for s in state.symbols]
