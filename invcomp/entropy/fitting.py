"""From symbols to tables: classes of positions and, for trained priors, contexts."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invcomp.entropy.contexts import PLACES, UNIT, Context, Integers, sums, tables_of
from invcomp.entropy.tables import MAX_BOUND, TOTAL, LevelTables, integer_frequencies

BANK = 64  # classes a level, at most
UNSEEN = 3e-4  # share of probability for what never occurred: thousands of symbols that are almost always 0 pay for it
ACTIVITY_BINS, LEAN_BINS = 8, 9
ONE = 256  # the weights of contexts are in parts of this
LONGEST = 12.0  # bits: what is rarer surprises no more
WEIGHED = 300  # pictures at each rate index that the weights of contexts are fitted to
CHUNK = 50  # pictures at a time
LARGEST = 4 * ONE  # weight
RIDGE = 1e-3
SHRINKAGE = 100.0  # symbols that the tables of a class count for in those of its contexts


def fit(histograms: NDArray[np.int64], bank: int = BANK, rounds: int = 12) -> LevelTables:
    """Tables for the symbols counted in `histograms` (R, C, H, W, A).

    Lloyd's algorithm in code length: every position takes the table that codes its symbols in the fewest bits, every
    table becomes the mean of its positions, smoothed with a wide two-sided geometric so that what never occurred
    can still be coded.
    """
    *grid, symbols = histograms.shape
    counts = histograms.reshape(-1, symbols).astype(np.float64)
    bound = (symbols - 1) // 2
    distance = np.abs(np.arange(symbols) - bound)

    def smooth(pooled: NDArray[np.float64]) -> NDArray[np.float64]:
        return seen((pooled + 4 * wide(bound)) / (pooled.sum(axis=1, keepdims=True) + 4), bound)

    spread = (counts * distance).sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
    order = np.argsort(spread, kind="stable")
    assignment = np.empty(len(counts), dtype=np.int64)
    assignment[order] = np.arange(len(counts)) * min(bank, len(counts)) // len(counts)

    def pool(assignment: NDArray[np.int64]) -> NDArray[np.float64]:
        order = np.argsort(assignment, kind="stable")
        starts = np.searchsorted(assignment[order], np.arange(assignment.max() + 1))
        sums: NDArray[np.float64] = np.add.reduceat(counts[order], starts, axis=0)
        return sums

    for _ in range(rounds):
        pooled = pool(assignment)
        assignment = (counts @ -np.log2(smooth(pooled)).T).argmin(axis=1)
        _, assignment = np.unique(assignment, return_inverse=True)
    return LevelTables(integer_frequencies(smooth(pool(assignment))), assignment.reshape(grid).astype(np.uint8))


def wide(bound: int) -> NDArray[np.float64]:
    """A two-sided geometric over [-bound, bound]."""
    weights: NDArray[np.float64] = 0.6 ** np.abs(np.arange(-bound, bound + 1))
    weights /= weights.sum()
    return weights


def seen(shares: NDArray[np.float64], bound: int) -> NDArray[np.float64]:
    """Probabilities (..., A) with a little left for what never occurred."""
    found: NDArray[np.float64] = (1 - UNSEEN) * shares + UNSEEN * wide(bound)
    return found


def histogram(symbols: NDArray[np.int32], bound: int, aligned: bool) -> NDArray[np.int64]:
    """Counts of clamped symbols (N, C, H, W) → (C, H, W, A), or pooled over positions (C, 1, 1, A)."""
    grid, values = symbols.shape[1:], 2 * bound + 1
    cells = values * np.arange(math.prod(grid)).reshape(grid) + np.clip(symbols, -bound, bound) + bound
    counts = np.bincount(cells.ravel(), minlength=math.prod(grid) * values).reshape(*grid, values)
    return counts if aligned else counts.sum(axis=(1, 2), keepdims=True)


def smallest_bound(symbols: NDArray[np.int32], lost: float = 1e-5) -> int:
    """The smallest bound beyond which at most a share `lost` of the symbols lies."""
    magnitudes = np.sort(np.abs(symbols), axis=None)
    bound = int(magnitudes[min(len(magnitudes) - 1, math.ceil(len(magnitudes) * (1 - lost)))])
    return int(min(max(bound + 1, 1), MAX_BOUND))


def fit_contexts(tables: Sequence[LevelTables], symbols: Sequence[Sequence[NDArray[np.int32]]]) -> list[LevelTables]:
    """Tables with contexts in place of tables without; `symbols` (N, C, H, W) by rate index and level."""
    found: list[LevelTables] = []
    surprises: list[NDArray[np.int8]] | None = None  # of the level above, (P, N, H, W) by rate index
    for level, plain in enumerate(tables):
        here = [np.clip(rate[level], -plain.bound, plain.bound).astype(np.int16) for rate in symbols]
        table, surprises = fit_context(plain, here, surprises)
        found.append(table)
    return found


def fit_context(
    plain: LevelTables, symbols: Sequence[NDArray[np.int16]], coarser: Sequence[NDArray[np.int8]] | None
) -> tuple[LevelTables, list[NDArray[np.int8]]]:
    """A level's tables with contexts, and the surprises of its `symbols`, given by rate index.

    The weights are those that best predict, by least squares, how far a symbol's magnitude lies above what is usual in
    its class, and what the symbol is. The bins each hold the same part of the bits.
    """
    channels, bound, lengths = symbols[0].shape[1], plain.bound, plain.lengths()
    shares, values = plain.frequencies() / TOTAL, np.arange(-bound, bound + 1)
    entropy, size, variance = (shares * lengths).sum(axis=1), shares @ np.abs(values), shares @ values**2
    surprise = np.round(UNIT * np.minimum(lengths, LONGEST)) - np.round(UNIT * entropy[:, None])

    def parts(most: int | None = None) -> Iterator[tuple[int, Integers, Integers, NDArray[np.int8] | None]]:
        """Rate index, classes (C, H, W), some symbols (N, C, H, W), surprises above (P, N, H / 2, W / 2)."""
        for rate, level in enumerate(symbols):
            classes = plain.chosen(rate, level.shape[1:])
            for start in range(0, len(level[:most]), CHUNK):
                part = slice(start, start + CHUNK)
                yield rate, classes, level[part].astype(np.int64), coarser[rate][:, part] if coarser else None

    above = len(coarser[0]) if coarser else 0
    excess, value = LeastSquares(channels, above), LeastSquares(channels)
    for _, classes, part, over in parts(WEIGHED):
        usual = size[classes]
        excess.add(surprise[classes, part + bound], (np.abs(part) - usual) / (usual + 0.1), usual, over)
        value.add(part, part, 1 / (variance[classes] + 0.02))
    activity, weights_above = excess.weights(ONE * UNIT)
    nowhere = np.zeros(0, dtype=np.int32)
    context = Context(
        surprise=surprise.astype(np.int8),
        scale=np.clip(np.round(16 / (np.sqrt(variance) + 0.05)), 1, 255).astype(np.uint8),
        activity=activity,
        coarser=weights_above,
        lean=value.weights(ONE)[0],
        activity_bounds=nowhere,
        lean_bounds=nowhere,
    )

    active, leaning, bits = [], [], []
    for _, classes, part, over in parts(CHUNK):
        first, second, _ = sums(context, bound, classes, over, part)
        flat = np.broadcast_to(classes.reshape(channels, 1, -1), first.shape)
        active.append(first.ravel())
        leaning.append(np.abs(second * context.scale[flat]).ravel())
        bits.append(entropy[flat].ravel())
    weights = np.concatenate(bits)
    half = np.maximum(quantiles(np.concatenate(leaning), weights, LEAN_BINS // 2 + 1), 1)
    context = replace(
        context,
        activity_bounds=quantiles(np.concatenate(active), weights, ACTIVITY_BINS),
        lean_bounds=np.concatenate([1 - half[::-1], half]),
    )

    counts = np.zeros((len(lengths), ACTIVITY_BINS, LEAN_BINS, len(values)))
    found: list[list[NDArray[np.int8]]] = [[] for _ in symbols]
    for rate, classes, part, over in parts():
        rows, surprises = tables_of(context, bound, classes, over, part)
        cells = (rows * len(values) + part + bound).ravel()
        counts += np.bincount(cells, minlength=counts.size).reshape(counts.shape)
        found[rate].append(surprises)
    counts = (counts + counts[:, :, ::-1, ::-1]) / 2  # a lean to the left is one to the right, mirrored
    whole_class = (shares + shares[:, ::-1])[:, None] / 2
    any_lean = shrunk(counts.sum(axis=2), whole_class)
    probabilities = seen(shrunk(counts, any_lean[:, :, None]), bound).reshape(-1, len(values))
    table = LevelTables(integer_frequencies(probabilities), plain.index, context)
    return table, [np.concatenate(parts, axis=1) for parts in found]


def shrunk(counts: NDArray[np.float64], towards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts (..., A) → probabilities, drawn to others (..., A) the more the fewer were counted."""
    total = counts.sum(axis=-1, keepdims=True)
    found: NDArray[np.float64] = (counts + SHRINKAGE * towards) / (total + SHRINKAGE)
    return found


def quantiles(values: Integers, weights: NDArray[np.float64], bins: int) -> NDArray[np.int32]:
    """Bounds between `bins` bins of about equal weight."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    at = np.searchsorted(below, below[-1] * np.arange(1, bins) / bins)
    found: NDArray[np.int32] = values[order][np.minimum(at, len(values) - 1)].astype(np.int32)
    return found


class LeastSquares:
    """For every channel of a level: weights with which what a decoder knows before predicts something."""

    def __init__(self, channels: int, coarser: int = 0) -> None:
        size = PLACES * channels + coarser
        self.channels, self.coarser = channels, coarser
        self.gram, self.right = np.zeros((channels, size, size)), np.zeros((channels, size))

    def add(
        self,
        values: NDArray[Any],
        target: NDArray[Any],
        weight: NDArray[np.float64],
        coarser: NDArray[np.int8] | None = None,
    ) -> None:
        """Values and targets (N, C, H, W), weights (C, H, W), values of the level above (P, N, H / 2, W / 2)."""
        n, channels, height, width = values.shape
        padded = np.pad(values, ((0, 0), (0, 0), (1, 0), (1, 1))).astype(np.float32)
        views = [padded[:, :, 1:, 1:-1], padded[:, :, 1:, :-2], padded[:, :, :-1, 1:-1]]
        views += [padded[:, :, :-1, :-2], padded[:, :, :-1, 2:]]
        if coarser is not None:
            views.append(np.moveaxis(coarser, 0, 1).astype(np.float32).repeat(2, axis=2).repeat(2, axis=3))
        known = np.concatenate(views, axis=1).transpose(0, 2, 3, 1).reshape(n * height * width, -1)
        for channel in range(channels):
            heavy = np.tile(weight[channel].ravel(), n).astype(np.float32)[:, None] * known
            self.gram[channel] += heavy.T @ known
            self.right[channel] += heavy.T @ target[:, channel].ravel().astype(np.float32)

    def weights(self, one: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Whole numbers, `one` of them to 1: (C, 5, C) in the level and (C, P) above it."""
        found = np.zeros(self.right.shape)
        for channel, (gram, right) in enumerate(zip(self.gram, self.right, strict=True)):
            known = np.r_[:channel, self.channels : len(right)]  # at its own position, the channels before
            part = gram[np.ix_(known, known)]
            ridge = max(RIDGE * np.trace(part) / max(1, len(part)), 1e-6)
            found[channel, known] = np.linalg.solve(part + ridge * np.eye(len(part)), right[known])
        whole = np.clip(np.round(found * one), -LARGEST, LARGEST).astype(np.int16)
        split = PLACES * self.channels
        return whole[:, :split].reshape(self.channels, PLACES, self.channels), whole[:, split:]
