"""Marginal effects of an ablation: what one factor does, the others averaged, with bootstrap intervals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from invcomp.lab.results import Effect, Metric, Result

RESAMPLES = 2000
FEWEST_PICTURES = 5

Cells = dict[tuple[tuple[str, str], ...], list[Result]]
"""Results (one a quality) by the values of all factors."""


def marginal_effects(results: Sequence[Result], metrics: Sequence[Metric], reference: dict[str, str]) -> list[Effect]:
    """Effects of every value of every varied factor against the reference's value.

    For a value and a combination of the other factors, every picture gives one difference of a metric at equal bytes:
    both curves over the qualities are interpolated (linear in log bytes) at the middle of the bytes that they share.
    Pictures without shared bytes are left out. Combinations count equally; those measured with all values of the
    factor are taken, so that its values can be ranked, or where there are none, those measured with this one and
    the reference's. The interval is that of 2,000 bootstrap resamples of the pictures; effects on fewer than
    `FEWEST_PICTURES` have none and are left out, and so are metrics of the whole set.
    """
    cells: Cells = {}
    for result in results:
        cells.setdefault(tuple(result.factors.items()), []).append(result)
    per_picture = [m for m in metrics if any(m.key in f.figures for r in results for f in r.files)]
    effects = []
    for factor, base in reference.items():
        values = list(dict.fromkeys(dict(cell)[factor] for cell in cells))
        complete = [
            cell
            for cell in cells
            if dict(cell)[factor] == base and all(with_value(cell, factor, value) in cells for value in values)
        ]
        for value in values:
            if value == base:
                continue
            bases = complete or [
                cell for cell in cells if dict(cell)[factor] == base and with_value(cell, factor, value) in cells
            ]
            for metric in per_picture:
                found = [at_equal_bytes(cells[with_value(b, factor, value)], cells[b], metric) for b in bases]
                differences = [d for d in found if np.isfinite(d).any()]
                pictures = int(np.isfinite(differences).any(axis=0).sum()) if differences else 0
                if pictures >= FEWEST_PICTURES:
                    interval = bootstrap(np.stack(differences))
                    effects.append(Effect(factor, value, metric.key, base, *interval, len(differences), pictures))
    return effects


def with_value(cell: tuple[tuple[str, str], ...], factor: str, value: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value if name == factor else own) for name, own in cell)


def at_equal_bytes(ours: Sequence[Result], theirs: Sequence[Result], metric: Metric) -> NDArray[np.float64]:
    """Differences (pictures,) of a metric, ours - theirs, at the middle of the shared bytes; NaN where none are."""
    count = len(ours[0].files)
    differences = np.full(count, np.nan)
    for index in range(count):
        curves = []
        for results in (ours, theirs):
            files = [r.files[index] for r in results]
            points = sorted((f.bytes, f.figures[metric.key]) for f in files if metric.key in f.figures)
            curves.append((np.log([p[0] for p in points]), [p[1] for p in points]))
        (mine, my_values), (other, other_values) = curves
        if len(mine) < 2 or len(other) < 2:
            continue
        low, high = max(mine[0], other[0]), min(mine[-1], other[-1])
        if low <= high:
            middle = (low + high) / 2
            differences[index] = np.interp(middle, mine, my_values) - np.interp(middle, other, other_values)
    return differences


def bootstrap(differences: NDArray[np.float64], seed: int = 0) -> tuple[float, float, float]:
    """Differences (combinations, pictures), NaN where missing → the mean, and the ends of its 95 % interval."""
    rng = np.random.default_rng(seed)
    present = np.isfinite(differences)
    values = np.where(present, differences, 0.0)
    pictures = differences.shape[1]

    def mean(columns: NDArray[np.int64]) -> float:
        """Of the combinations' means over some of the pictures."""
        counts = present[:, columns].sum(axis=1)
        sums = values[:, columns].sum(axis=1)
        return float((sums[counts > 0] / counts[counts > 0]).mean()) if counts.any() else np.nan

    means = [mean(rows) for rows in rng.integers(0, pictures, size=(RESAMPLES, pictures))]
    low, high = np.nanpercentile(means, [2.5, 97.5])
    return mean(np.arange(pictures)), float(low), float(high)
