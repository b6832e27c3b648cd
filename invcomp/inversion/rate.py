"""The rate term of the search: what continuous symbols would cost."""

from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np
import torch
from torch import Tensor

from invcomp.entropy.tables import TOTAL, LevelTables


class CodeLengths:
    """Code lengths as a function of continuous symbols, for the search: piecewise linear between the integers.

    Each stretch has a slope, so that the rate pulls a symbol everywhere, at zero from both sides.
    """

    def __init__(
        self,
        tables: Sequence[LevelTables],
        rates: Sequence[int],
        shapes: Sequence[tuple[int, int, int]],
        levels: int | None = None,
    ) -> None:
        """For a batch of N pictures with the rate indices `rates`; `shapes` are (C, H, W) by level.

        `levels`: how many of the coarsest may be used; the symbols of the others stay zero. None is all.
        """
        self.bounds = [table.bound for table in tables]
        self.limits = [b if levels is None or level < levels else 0 for level, b in enumerate(self.bounds)]
        """Largest symbols that the search may use."""
        self.lengths = [torch.from_numpy(table.lengths()).float().flatten() for table in tables]
        self.offsets = [
            torch.from_numpy(np.stack([table.chosen(rate, shape) for rate in rates]) * (2 * table.bound + 1))
            for table, shape in zip(tables, shapes, strict=True)
        ]

    def to(self, device: torch.device) -> "CodeLengths":
        self.lengths = [x.to(device) for x in self.lengths]
        self.offsets = [x.to(device) for x in self.offsets]
        return self

    def subset(self, rows: Tensor) -> Self:
        """The code lengths of the pictures `rows` (M,) alone."""
        part = copy(self)
        part.offsets = [x[rows] for x in self.offsets]
        return part

    def spreads(self) -> list[Tensor]:
        """The standard deviation of every symbol under its table, without the least frequency, which all symbols have
        whether they occur or not; [(N, C, H, W)]."""
        found = []
        for bound, lengths, offsets in zip(self.bounds, self.lengths, self.offsets, strict=True):
            squares = torch.arange(-bound, bound + 1, device=lengths.device).square()
            shares = (2.0**-lengths - 1 / TOTAL).clamp(min=0).view(-1, 2 * bound + 1)
            variance = shares @ squares.to(lengths.dtype) / shares.sum(dim=1)
            found.append(variance[offsets // (2 * bound + 1)].sqrt())
        return found

    def bits(self, level: int, values: Tensor) -> Tensor:
        """Values (N, C, H, W), clamped to the bounds → bits (N, C, H, W), differentiable."""
        bound = self.bounds[level]
        shifted = values.clamp(-bound, bound) + bound
        low = shifted.detach().floor().clamp(max=max(0, 2 * bound - 1))
        at = self.offsets[level] + low.long()
        here = self.lengths[level][at]
        above = self.lengths[level][at + 1] if bound else here
        return torch.lerp(here, above, shifted - low)

    def change(self, level: int, symbols: Tensor, step: int) -> Tensor:
        """What moving each of the whole symbols (N, C, H, W) by `step` costs in bits; infinite beyond the limits."""
        moved = symbols + step
        bits = self.bits(level, moved) - self.bits(level, symbols)
        return torch.where(moved.abs() > self.limits[level], torch.inf, bits)
