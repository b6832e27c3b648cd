"""New pictures of a trained prior, as symbols: what no file says is drawn."""

from collections.abc import Sequence

import numpy as np

from invcomp.entropy.chain import Symbols, draw
from invcomp.entropy.tables import LevelTables
from invcomp.priors.factors import Factors, Shape

PSI = (0.8, 1.0)  # truncation of new pictures, unless told otherwise


def draw_symbols(
    tables: Sequence[LevelTables],
    factors: Factors | None,
    shapes: Sequence[Shape],
    rate: int,
    seed: int,
    psi: tuple[float, float] = PSI,
) -> Symbols:
    """Symbols (C, H, W) of every level of a picture that depends on `seed` alone, within the bounds of the tables.

    Levels that the factor analysis covers are drawn together from it, with a truncation uniform in the range `psi`;
    finer ones, or all if there is none, from the tables of a rate index, given the coarser ones.
    """
    kept = []
    if factors is not None:
        rng = np.random.default_rng([seed, 1])  # of its own: the tables' numbers begin with `seed`
        levels = factors.drawn(rate, rng.uniform(*psi), rng)
        kept = [
            level.round().clip(-table.bound, table.bound).astype(np.int64)[None]
            for level, table in zip(levels, tables, strict=False)
        ]
    return [level[0] for level in draw(tables, rate, 1, shapes, seed, kept)]
