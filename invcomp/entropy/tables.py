"""Integer tables: with which probabilities the symbols of a prior are coded.

A level has a bank of tables (cumulative frequencies that sum to 2**16), and an index that says which class each symbol
is of, by rate index, channel and position alone. Positions with the same statistics share a class, so the classes are
what the data says they are. A prior of free size has one class a channel. Without contexts a class is a table; with
contexts what is decoded already chooses among the tables of the class.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from invcomp.entropy.contexts import Context

TOTAL = 1 << 16
MAX_BOUND = 511  # symbols lie in [-MAX_BOUND, MAX_BOUND]


@dataclass(frozen=True)
class LevelTables:
    """Tables of one level, for symbols in [-bound, bound]."""

    cumulative: NDArray[np.uint16]
    """(K, A), A = 2 * bound + 1: frequencies below each symbol; the last frequency ends at 2**16."""
    index: NDArray[np.uint8]
    """(R, C, H, W), or (R, C, 1, 1) for a prior of free size: the class of every symbol."""
    context: Context | None = None

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

    @property
    def classes(self) -> int:
        active, leaning = self.context.bins if self.context else (1, 1)
        return len(self.cumulative) // (active * leaning)

    def chosen(self, rate: int, shape: tuple[int, int, int]) -> NDArray[np.int64]:
        """The class of every symbol of a level of `shape` (C, H, W) at a rate index."""
        return np.broadcast_to(self.index[rate].astype(np.int64), shape)

    def problem(self, coarser: int = 0) -> str | None:
        """What is wrong with tables read from a file, if anything; `coarser`: channels with contexts in the level
        above."""
        if self.cumulative.ndim != 2 or self.cumulative.dtype != np.uint16 or self.cumulative.shape[1] % 2 == 0:
            return "the cumulative frequencies have a wrong shape"
        if self.cumulative.shape[1] > 2 * MAX_BOUND + 1 or self.cumulative[:, 0].any():
            return "the cumulative frequencies have a wrong range"
        if (self.frequencies() < 1).any():
            return "a frequency is zero or negative"
        if self.index.ndim != 4 or self.index.dtype != np.uint8 or self.index.max(initial=0) >= self.classes:
            return "the index points outside the tables"
        if self.context is None:
            return None
        active, leaning = self.context.bins
        if len(self.cumulative) != self.classes * active * leaning:
            return "the contexts do not fit the tables"
        return self.context.problem(self.classes, self.index.shape[1], coarser, self.bound)


def integer_frequencies(weights: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Positive weights (K, A) → cumulative frequencies (K, A), every frequency at least 1, rows summing to 2**16."""
    k, symbols = weights.shape
    shares = weights / weights.sum(axis=1, keepdims=True)
    frequencies = np.floor(shares * (TOTAL - symbols)).astype(np.int64) + 1
    frequencies[np.arange(k), shares.argmax(axis=1)] += TOTAL - frequencies.sum(axis=1)
    cumulative: NDArray[np.uint16] = (np.cumsum(frequencies, axis=1) - frequencies).astype(np.uint16)
    return cumulative
