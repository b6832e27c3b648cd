"""The rate term of the search: what continuous symbols would cost."""

from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from invcomp.entropy.contexts import Context
from invcomp.entropy.tables import TOTAL, LevelTables


class Rule:
    """`entropy.contexts` for a batch. Whole numbers in float32, which holds them exactly."""

    def __init__(self, context: Context) -> None:
        def kernel(weights: np.ndarray) -> Tensor:
            """Weights (C, 5, C) of the places → a convolution's (C, C, 2, 3), which ends at its own position."""
            here, left, above, above_left, above_right = (torch.from_numpy(weights[:, place]) for place in range(5))
            rows = (above_left, above, above_right), (left, here, torch.zeros_like(here))
            return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2).float()

        self.bins = context.bins
        self.values = int(context.surprise.shape[1])
        self.surprise = torch.from_numpy(context.surprise).float().flatten()
        self.scale = torch.from_numpy(context.scale).float()
        self.activity, self.lean = kernel(context.activity), kernel(context.lean)
        self.coarser = torch.from_numpy(context.coarser).float()[:, :, None, None]
        self.activity_bounds = torch.from_numpy(context.activity_bounds).float()
        self.lean_bounds = torch.from_numpy(context.lean_bounds).float()

    def to(self, device: torch.device) -> Self:
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def tables(self, classes: Tensor, symbols: Tensor, coarser: Tensor | None) -> tuple[Tensor, Tensor]:
        """Tables and surprises of symbols (N, C, H, W); `coarser` (N, P, H / 2, W / 2): surprises above."""
        surprises = self.surprise[classes * self.values + symbols.long() + self.values // 2]
        border = (1, 1, 1, 0)
        activity = F.conv2d(F.pad(surprises, border), self.activity)
        lean = F.conv2d(F.pad(symbols, border), self.lean) * self.scale[classes]
        if coarser is not None:
            activity = activity + F.interpolate(F.conv2d(coarser, self.coarser), scale_factor=2)
        active, leaning = self.bins
        first = torch.bucketize(activity.contiguous(), self.activity_bounds, right=True)
        second = torch.bucketize(lean.contiguous(), self.lean_bounds, right=True)
        return (classes * active + first) * leaning + second, surprises


class CodeLengths:
    """Code lengths as a function of continuous symbols, for the search: piecewise linear between the integers.

    Each stretch has a slope, so that the rate pulls a symbol everywhere, at zero from both sides. The tables are those
    of the rounded symbols' contexts; that moving a symbol changes its neighbours' contexts has no slope.
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
        self.rules = [Rule(table.context) if table.context else None for table in tables]
        self.classes = [
            torch.from_numpy(np.stack([table.chosen(rate, shape) for rate in rates]))
            for table, shape in zip(tables, shapes, strict=True)
        ]

    def to(self, device: torch.device) -> Self:
        self.lengths = [x.to(device) for x in self.lengths]
        self.rules = [rule and rule.to(device) for rule in self.rules]
        self.classes = [x.to(device) for x in self.classes]
        return self

    def subset(self, rows: Tensor) -> Self:
        """The code lengths of the pictures `rows` (M,) alone."""
        part = copy(self)
        part.classes = [x[rows] for x in self.classes]
        return part

    @torch.no_grad()
    def tables(self, values: Sequence[Tensor]) -> list[Tensor]:
        """The tables (N, C, H, W) that code continuous symbols once they are rounded, by level."""
        found, surprises = [], None
        for classes, rule, bound, level in zip(self.classes, self.rules, self.bounds, values, strict=True):
            if rule is None:
                surprises = None
            else:
                classes, surprises = rule.tables(classes, level.round().clamp(-bound, bound), surprises)
            found.append(classes)
        return found

    def spreads(self) -> list[Tensor]:
        """The standard deviation of every symbol where all are zero, without the least frequency, which all symbols
        have whether they occur or not; [(N, C, H, W)]."""
        found = []
        nothing = [torch.zeros(x.shape, device=x.device) for x in self.classes]
        for bound, lengths, tables in zip(self.bounds, self.lengths, self.tables(nothing), strict=True):
            squares = torch.arange(-bound, bound + 1, device=lengths.device).square()
            shares = (2.0**-lengths - 1 / TOTAL).clamp(min=0).view(-1, 2 * bound + 1)
            variance = shares @ squares.to(lengths.dtype) / shares.sum(dim=1)
            found.append(variance[tables].sqrt())
        return found

    def bits(self, level: int, values: Tensor, tables: Tensor) -> Tensor:
        """Values (N, C, H, W), clamped to the bounds, and their tables → bits (N, C, H, W), differentiable."""
        bound = self.bounds[level]
        shifted = values.clamp(-bound, bound) + bound
        low = shifted.detach().floor().clamp(max=max(0, 2 * bound - 1))
        at = tables * (2 * bound + 1) + low.long()
        here = self.lengths[level][at]
        above = self.lengths[level][at + 1] if bound else here
        return torch.lerp(here, above, shifted - low)

    def total(self, values: Sequence[Tensor]) -> Tensor:
        """Code lengths (N,) of continuous symbols of all levels that may be used."""
        found = torch.zeros(len(values[0]), device=values[0].device)
        for level, (v, tables) in enumerate(zip(values, self.tables(values), strict=True)):
            if self.limits[level]:  # what may only be zero is left out of the file, or costs next to nothing
                found = found + self.bits(level, v, tables).sum(dim=(1, 2, 3))
        return found

    def change(self, level: int, symbols: Tensor, tables: Tensor, move: Tensor) -> Tensor:
        """What each of the whole symbols (N, C, H, W) costs more in bits of its own after its `move`; infinite beyond
        the limits."""
        moved = symbols + move
        bits = self.bits(level, moved, tables) - self.bits(level, symbols, tables)
        return torch.where(moved.abs() > self.limits[level], torch.inf, bits)
