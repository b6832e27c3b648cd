"""The alternating direction method of multipliers, as in BPGAN (Liu, Cao, Kim 2020, arXiv 1912.03734).

The generator is given continuous symbols, which a spring of growing strength pulls to whole ones; every few steps the
whole ones are chosen anew, for what they cost and their distance (BPGAN projects to the nearest codeword and has no
rate here), and what remains between both is added up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invcomp.inversion.relaxations.base import Relaxation

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Search

STRENGTHS = 1.0, 30.0  # of the spring at the start and at the end, in lambda a squared symbol
EVERY = 5  # steps between choices


class Admm(Relaxation):
    def __init__(self, random: torch.Generator) -> None:
        super().__init__(random)
        self.whole: list[Tensor] = []
        self.left: list[Tensor] = []  # the scaled multipliers
        self.steps, self.strength = 0, STRENGTHS[0]

    def objective(self, search: Search, values: list[Tensor], progress: float) -> Tensor:
        first, last = STRENGTHS
        strength = first * (last / first) ** progress
        if self.steps % EVERY == 0:
            self.choose(search, values, strength)
        self.steps += 1
        pairs = zip(values, self.whole, self.left, strict=True)
        pull = torch.stack([(v - w + u).square().sum(dim=(1, 2, 3)) for v, w, u in pairs]).sum(0)
        objective: Tensor = search.distortion(values) + search.rate_weight * strength / 2 * pull
        return objective

    @torch.no_grad()
    def choose(self, search: Search, values: list[Tensor], strength: float) -> None:
        """Of the two neighbours and zero, the whole symbols that cost least, in bits and in the spring's length."""
        first = not self.left
        # scaled by the spring's strength, they shrink as it grows (Boyd et al. 2011, section 3.4.1)
        self.left = [u * (self.strength / strength) for u in self.left] or [torch.zeros_like(v) for v in values]
        self.strength = strength
        wanted = [v + u for v, u in zip(values, self.left, strict=True)]
        tables = search.lengths.tables(values)
        self.whole = []
        for level, (want, limit) in enumerate(zip(wanted, search.lengths.limits, strict=True)):
            candidates = torch.stack([want.floor(), want.floor() + 1, torch.zeros_like(want)]).clamp(-limit, limit)
            costs = [
                search.lengths.bits(level, c, tables[level]) + strength / 2 * (c - want).square() for c in candidates
            ]
            self.whole.append(candidates.gather(0, torch.stack(costs).argmin(0, keepdim=True))[0])
        if not first:
            self.left = [w - c for w, c in zip(wanted, self.whole, strict=True)]
