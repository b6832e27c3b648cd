"""The symbols of all levels, one after another: which table codes each of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invcomp.entropy import contexts
from invcomp.entropy.contexts import Integers
from invcomp.entropy.tables import TOTAL, LevelTables

Symbols = list[NDArray[np.int32]]
"""Integer symbols of every level, (C, H, W), coarse to fine."""
Take = Callable[[int, Integers], Integers]
"""Level, and the tables (N, n) of the next n symbols of N pictures → those symbols."""


def rows(tables: Sequence[LevelTables], symbols: Symbols, rate: int) -> list[Integers]:
    """The tables (C, H, W) of known symbols."""
    found, surprises = [], None
    for table, level in zip(tables, symbols, strict=True):
        chosen = table.chosen(rate, level.shape)
        if table.context is None:
            surprises = None
        else:
            known = level[None].astype(np.int64)
            (chosen,), surprises = contexts.tables_of(table.context, table.bound, chosen, surprises, known)
        found.append(chosen)
    return found


def unfold(
    tables: Sequence[LevelTables],
    shapes: Sequence[tuple[int, int, int]],
    rate: int,
    pictures: int,
    take: Take,
    known: Mapping[int, Integers] | None = None,
) -> Symbols:
    """Symbols (N, C, H, W) of every level of N pictures, in the order in which `take` finds them, but for levels whose
    symbols are `known`."""
    found: Symbols = []
    surprises = None
    known = known or {}
    for number, (table, shape) in enumerate(zip(tables, shapes, strict=True)):
        chosen, level = table.chosen(rate, shape), known.get(number)
        if table.context is None:
            surprises = None
            if level is None:
                rows = np.broadcast_to(chosen.ravel(), (pictures, chosen.size))
                level = take(number, rows).reshape(pictures, *shape)
        elif level is None:
            level, surprises = contexts.unfold(
                table.context, table.bound, chosen, surprises, pictures, partial(take, number)
            )
        else:
            _, surprises = contexts.tables_of(table.context, table.bound, chosen, surprises, level)
        found.append(level.astype(np.int32))
    return found


def in_order(table: LevelTables, values: NDArray[Any]) -> NDArray[Any]:
    """Values (C, H, W) of a level in the order in which its symbols are coded."""
    flat = values.ravel()
    return flat if table.context is None else flat[contexts.order(*values.shape)]


def ideal_bits(tables: Sequence[LevelTables], symbols: Symbols, rate: int) -> list[float]:
    """Ideal code length of each level, in bits; symbols are (C, H, W) within the bounds."""
    return [
        float(table.lengths()[chosen, level + table.bound].sum())
        for table, level, chosen in zip(tables, symbols, rows(tables, symbols, rate), strict=True)
    ]


def draw(
    tables: Sequence[LevelTables],
    rate: int,
    n: int,
    shapes: Sequence[tuple[int, int, int]],
    seed: int | Sequence[int],
    kept: Sequence[Integers] = (),
) -> Symbols:
    """Symbols (n, C, H, W) of every level, drawn with the tables' probabilities at a rate index; the coarsest are those
    `kept`, if any.

    Without the least frequency, which every symbol has whether it occurs or not.
    """
    rng = np.random.default_rng(seed)
    ends = [np.cumsum(table.frequencies() - 1, axis=1) for table in tables]

    def take(level: int, rows: Integers) -> Integers:
        total = TOTAL - ends[level].shape[1]
        below = rng.integers(0, total, size=(*rows.shape, 1)) >= ends[level][rows]
        found: Integers = below.sum(axis=-1) - tables[level].bound
        return found

    return unfold(tables, shapes, rate, n, take, dict(enumerate(kept)))
