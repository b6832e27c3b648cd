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
    seed: Sequence[int],
    psi: tuple[float, float] = PSI,
) -> Symbols:
    """Symbols (C, H, W) of every level of a picture that depends on `seed` alone, within the bounds of the tables.

    Levels that the factor analysis covers are drawn together from it, with a truncation uniform in the range `psi`;
    finer ones are zero, as where they are missing: drawn from the tables they show as specks. Without a factor analysis
    all are drawn from the tables of a rate index, each given the coarser ones.
    """
    if factors is None:
        return [level[0] for level in draw(tables, rate, 1, shapes, seed)]
    symbols = [np.zeros(shape, dtype=np.int32) for shape in shapes]
    rng = np.random.default_rng([*seed, 1])
    for index, level in enumerate(factors.drawn(rate, rng.uniform(*psi), rng)):
        bound = tables[index].bound
        symbols[index] = level.round().clip(-bound, bound).astype(np.int32)
    return symbols
