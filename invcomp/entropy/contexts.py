"""Contexts: which of a level's tables codes a symbol, told by what is decoded before it, in whole numbers alone.

Symbols are decoded position by position and, at a position, channel by channel. Two weighted sums are taken for each
over what is there already: the channels before it at its own position, all channels at the positions to the left,
above, above left and above right, and the level above (the next coarser one) at its place:

    activity   of the surprises: how many bits those symbols took beyond what their class takes on average
    lean       of the symbols themselves, in units of what the symbol's class varies by

Few bits around a symbol promise that it is 0; a lean promises its sign. Both sums are cut into a few bins, and
(class, bin of activity, bin of lean) is the table. The class is what position, channel and rate index say
(`LevelTables.index`), as without contexts. Positions on one diagonal do not see one another, so they are decoded
together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

PLACES = 5  # here (channels before), left, above, above left, above right
DOWN, RIGHT = np.array([[1], [0], [0], [0]]), np.array([[0], [1], [0], [2]])  # to those after the first, with a border
UNIT = 4  # surprises are in parts of a bit
EXACT = 1 << 24  # sums stay below, so that float32 holds them exactly in the search
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Context:
    """The rule of one level of C channels, below a level of P channels, with K classes and symbols in [-B, B]."""

    surprise: NDArray[np.int8]
    """(K, 2 * B + 1): of every symbol under its class, in quarter bits."""
    scale: NDArray[np.uint8]
    """(K,): the inverse of what a class varies by."""
    activity: NDArray[np.int16]
    """(C, 5, C): weights of the surprises at the places, in this level."""
    coarser: NDArray[np.int16]
    """(C, P): weights of the surprises in the level above; P is 0 in the coarsest."""
    lean: NDArray[np.int16]
    """(C, 5, C): weights of the symbols at the places."""
    activity_bounds: NDArray[np.int32]
    """Where a bin of activity begins, rising; there is one bin more."""
    lean_bounds: NDArray[np.int32]

    @property
    def bins(self) -> tuple[int, int]:
        """Bins of activity and of lean."""
        return len(self.activity_bounds) + 1, len(self.lean_bounds) + 1

    def tables(self, classes: Integers, activity: Integers, lean: Integers) -> Integers:
        """Classes and sums, all of one shape → tables."""
        active, leaning = self.bins
        first = self.activity_bounds.searchsorted(activity, side="right")
        second = self.lean_bounds.searchsorted(lean * self.scale[classes], side="right")
        found: Integers = (classes * active + first) * leaning + second
        return found

    def problem(self, classes: int, channels: int, coarser: int, bound: int) -> str | None:
        """What is wrong with a rule read from a file, if anything."""
        shapes = {
            "surprise": ((classes, 2 * bound + 1), np.int8),
            "scale": ((classes,), np.uint8),
            "activity": ((channels, PLACES, channels), np.int16),
            "coarser": ((channels, coarser), np.int16),
            "lean": ((channels, PLACES, channels), np.int16),
            "activity_bounds": ((len(self.activity_bounds),), np.int32),
            "lean_bounds": ((len(self.lean_bounds),), np.int32),
        }
        for name, (shape, kind) in shapes.items():
            value = getattr(self, name)
            if value.shape != shape or value.dtype != kind:
                return f"the contexts' {name} has a wrong shape"
        for weights in (self.activity[:, 0], self.lean[:, 0]):
            if np.triu(weights).any():
                return "the contexts look at what is not decoded yet"
        largest = np.abs(self.activity.astype(np.int64)).sum(axis=(1, 2)) + np.abs(self.coarser.astype(np.int64)).sum(1)
        if (largest * 128 >= EXACT).any() or (
            np.abs(self.lean.astype(np.int64)).sum(axis=(1, 2)) * bound >= EXACT
        ).any():
            return "the contexts' weights are too large"
        if (np.diff(self.activity_bounds) < 0).any() or (np.diff(self.lean_bounds) < 0).any():
            return "the contexts' bins are out of order"
        return None


class Level:
    """What is known of a level's symbols for N pictures, and the sums over it. Arrays are (C, N, H, W)."""

    def __init__(
        self, context: Context, bound: int, classes: Integers, coarser: NDArray[np.int8] | None, pictures: int
    ) -> None:
        """`classes` (C, H, W); `coarser` (P, N, H / 2, W / 2): the surprises of the level above, if it has any."""
        channels, height, width = classes.shape
        self.context, self.bound, self.classes = context, bound, classes
        self.symbols = np.zeros((channels, pictures, height + 1, width + 2), dtype=np.int64)  # with an empty border
        self.surprises = np.zeros_like(self.symbols)
        self.above = np.zeros((channels, pictures, height, width), dtype=np.int64)
        self.around_weights = [
            weights[:, 1:].reshape(channels, -1).astype(np.int64) for weights in (context.activity, context.lean)
        ]
        if coarser is not None:
            self.above += weighed(context.coarser, coarser.astype(np.int64)).repeat(2, axis=2).repeat(2, axis=3)

    def put(self, channel: int, ys: Integers, xs: Integers, symbols: Integers) -> Integers:
        """Take in the symbols (N, n) of a channel at n positions; gives their surprises."""
        found: Integers = self.context.surprise[self.classes[channel, ys, xs], symbols + self.bound].astype(np.int64)
        self.symbols[channel, :, ys + 1, xs + 1] = symbols.T
        self.surprises[channel, :, ys + 1, xs + 1] = found.T
        return found

    def around(self, ys: Integers, xs: Integers) -> tuple[Integers, Integers]:
        """Activity and lean (C, N, n) at n positions, without what the channels there add."""
        rows, columns = ys + DOWN, xs + RIGHT

        def weighed_around(weights: Integers, values: Integers) -> Integers:
            near = values[:, :, rows, columns].transpose(2, 0, 1, 3)  # (4, P, N, n)
            return (weights @ near.reshape(weights.shape[1], -1)).reshape(len(weights), *near.shape[2:])

        active, leaning = self.around_weights
        return self.above[:, :, ys, xs] + weighed_around(active, self.surprises), weighed_around(leaning, self.symbols)

    @property
    def found(self) -> tuple[Integers, NDArray[np.int8]]:
        """Symbols (N, C, H, W) and surprises (C, N, H, W)."""
        inner = (slice(None), slice(None), slice(1, None), slice(1, -1))
        return np.moveaxis(self.symbols[inner], 0, 1), self.surprises[inner].astype(np.int8)


def weighed(weights: NDArray[np.int16], values: Integers) -> Integers:
    """Sums (C, N, ...) of values (P, N, ...) with weights (C, P)."""
    sums: Integers = np.tensordot(weights.astype(np.int64), values, axes=1)
    return sums


@lru_cache(maxsize=64)
def diagonals(height: int, width: int) -> list[tuple[Integers, Integers]]:
    """Rows and columns of the positions that are decoded together, in order: a diagonal has one x + 2 y."""
    found = []
    for number in range(width + 2 * height - 2):
        ys = np.arange(max(0, (number - width + 2) // 2), min(height - 1, number // 2) + 1)
        if len(ys):
            found.append((ys, number - 2 * ys))
    return found


def sums(
    context: Context, bound: int, classes: Integers, coarser: NDArray[np.int8] | None, symbols: Integers
) -> tuple[Integers, Integers, NDArray[np.int8]]:
    """Activity and lean (C, N, H * W) of known symbols (N, C, H, W), and their surprises (C, N, H, W)."""
    n, channels, height, width = symbols.shape
    level = Level(context, bound, classes, coarser, n)
    ys, xs = (axis.ravel() for axis in np.mgrid[:height, :width])
    for channel in range(channels):
        level.put(channel, ys, xs, symbols[:, channel].reshape(n, -1))
    activity, lean = level.around(ys, xs)
    here = (slice(None), slice(None), ys + 1, xs + 1)
    activity = activity + weighed(context.activity[:, 0], level.surprises[here])
    lean = lean + weighed(context.lean[:, 0], level.symbols[here])
    return activity, lean, level.found[1]


def tables_of(
    context: Context, bound: int, classes: Integers, coarser: NDArray[np.int8] | None, symbols: Integers
) -> tuple[Integers, NDArray[np.int8]]:
    """Known symbols (N, C, H, W) → their tables, of the same shape, and their surprises (C, N, H, W)."""
    activity, lean, surprises = sums(context, bound, classes, coarser, symbols)
    found = context.tables(np.broadcast_to(classes.reshape(len(classes), 1, -1), activity.shape), activity, lean)
    return np.moveaxis(found, 0, 1).reshape(symbols.shape), surprises


def unfold(
    context: Context,
    bound: int,
    classes: Integers,
    coarser: NDArray[np.int8] | None,
    pictures: int,
    take: Callable[[Integers], Integers],
) -> tuple[Integers, NDArray[np.int8]]:
    """Symbols (N, C, H, W) that `take` finds, tables (N, n) → symbols (N, n), and their surprises (C, N, H, W)."""
    level = Level(context, bound, classes, coarser, pictures)
    channels, height, width = classes.shape
    for ys, xs in diagonals(height, width):
        activity, lean = level.around(ys, xs)
        for channel in range(channels):
            symbols = take(context.tables(classes[channel, ys, xs], activity[channel], lean[channel]))
            surprises = level.put(channel, ys, xs, symbols)
            activity += context.activity[:, 0, channel, None, None] * surprises
            lean += context.lean[:, 0, channel, None, None] * symbols
    return level.found


@lru_cache(maxsize=64)
def order(channels: int, height: int, width: int) -> Integers:
    """Where in a flattened (C, H, W) the symbols lie that are decoded first, second, ..."""
    places = np.arange(channels * height * width).reshape(channels, height, width)
    return np.concatenate([places[:, ys, xs].ravel() for ys, xs in diagonals(height, width)])
