"""Integer tables: with which probabilities the symbols of a prior are coded.

A level has a small bank of tables (cumulative frequencies that sum to 2**16), and an index that says which of them
codes each symbol, chosen by rate index, channel and position alone. Positions with the same statistics share a
table, so the position classes are what the data says they are. A prior of free size has one class a channel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOTAL = 1 << 16
BANK = 64  # tables a level, at most
UNSEEN = 3e-4  # share of probability for what never occurred: thousands of symbols that are almost always 0 pay for it
MAX_BOUND = 511  # symbols lie in [-MAX_BOUND, MAX_BOUND]


@dataclass(frozen=True)
class LevelTables:
    """Tables of one level, for symbols in [-bound, bound]."""

    cumulative: NDArray[np.uint16]
    """(K, A), A = 2 * bound + 1: frequencies below each symbol; the last frequency ends at 2**16."""
    index: NDArray[np.uint8]
    """(R, C, H, W), or (R, C, 1, 1) for a prior of free size: the table of every symbol."""

    @property
    def bound(self) -> int:
        return int(self.cumulative.shape[1] - 1) // 2

    def frequencies(self) -> NDArray[np.int64]:
        """(K, A) frequencies, each at least 1, rows summing to 2**16."""
        ends = np.concatenate([self.cumulative[:, 1:], np.full((len(self.cumulative), 1), TOTAL)], axis=1)
        return ends.astype(np.int64) - self.cumulative

    def lengths(self) -> NDArray[np.float64]:
        """(K, A) ideal code lengths in bits."""
        lengths: NDArray[np.float64] = -np.log2(self.frequencies() / TOTAL)
        return lengths

    def chosen(self, rate: int, shape: tuple[int, int, int]) -> NDArray[np.int64]:
        """The table of every symbol of a level of `shape` (C, H, W) at a rate index."""
        return np.broadcast_to(self.index[rate].astype(np.int64), shape)

    def problem(self) -> str | None:
        """What is wrong with tables read from a file, if anything."""
        if self.cumulative.ndim != 2 or self.cumulative.dtype != np.uint16 or self.cumulative.shape[1] % 2 == 0:
            return "the cumulative frequencies have a wrong shape"
        if self.cumulative.shape[1] > 2 * MAX_BOUND + 1 or self.cumulative[:, 0].any():
            return "the cumulative frequencies have a wrong range"
        if (self.frequencies() < 1).any():
            return "a frequency is zero or negative"
        if self.index.ndim != 4 or self.index.dtype != np.uint8 or self.index.max(initial=0) >= len(self.cumulative):
            return "the index points outside the tables"
        return None


def integer_frequencies(weights: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Positive weights (K, A) → cumulative frequencies (K, A), every frequency at least 1, rows summing to 2**16."""
    k, symbols = weights.shape
    shares = weights / weights.sum(axis=1, keepdims=True)
    frequencies = np.floor(shares * (TOTAL - symbols)).astype(np.int64) + 1
    frequencies[np.arange(k), shares.argmax(axis=1)] += TOTAL - frequencies.sum(axis=1)
    cumulative: NDArray[np.uint16] = (np.cumsum(frequencies, axis=1) - frequencies).astype(np.uint16)
    return cumulative


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
    wide = 0.6**distance / (0.6**distance).sum()

    def smooth(pooled: NDArray[np.float64]) -> NDArray[np.float64]:
        share = (pooled + 4 * wide) / (pooled.sum(axis=1, keepdims=True) + 4)
        smoothed: NDArray[np.float64] = (1 - UNSEEN) * share + UNSEEN * wide
        return smoothed

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


def ideal_bits(tables: Sequence[LevelTables], symbols: Sequence[NDArray[np.int32]], rate: int) -> list[float]:
    """Ideal code length of each level, in bits; symbols are (C, H, W) within the bounds."""
    bits = []
    for table, level in zip(tables, symbols, strict=True):
        rows = table.chosen(rate, level.shape)
        bits.append(float(table.lengths()[rows, level + table.bound].sum()))
    return bits


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


def draw(
    tables: Sequence[LevelTables], rate: int, n: int, shapes: Sequence[tuple[int, int, int]], seed: int
) -> list[NDArray[np.int32]]:
    """Symbols (n, C, H, W) of every level, drawn with the tables' probabilities at a rate index.

    Without the least frequency, which every symbol has whether it occurs or not.
    """
    rng = np.random.default_rng(seed)
    levels = []
    for table, shape in zip(tables, shapes, strict=True):
        ends = np.cumsum(table.frequencies() - 1, axis=1)[table.chosen(rate, shape)]  # (C, H, W, A)
        total = TOTAL - table.cumulative.shape[1]
        levels.append(
            np.stack([(rng.integers(0, total, size=(*shape, 1)) >= ends).sum(axis=-1) - table.bound for _ in range(n)])
        )
    return [level.astype(np.int32) for level in levels]
