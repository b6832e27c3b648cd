"""Rate-distortion curves: Pareto fronts, Bjøntegaard rates, values at equal bytes."""

import io
import math
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout

import numpy as np

from invcomp.lab.results import BjontegaardRate, Metric, Result

Curve = list[tuple[float, float]]
"""(mean bytes, value) of the settings on the Pareto front, bytes rising, values improving."""

MIN_POINTS = 4
MIN_OVERLAP = 0.5
"""Share of the shorter curve's range of quality that both curves must cover for a Bjøntegaard rate."""


def pareto_front(points: Sequence[tuple[float, float]], higher_is_better: bool) -> list[int]:
    """Indices of the (bytes, value) points that no other beats in both, in order of rising bytes."""
    sign = 1 if higher_is_better else -1
    best, front = -math.inf, []
    for index in sorted(range(len(points)), key=lambda i: (points[i][0], -sign * points[i][1])):
        value = sign * points[index][1]
        if value > best:
            front.append(index)
            best = value
    return front


def curve(results: Sequence[Result], metric: Metric) -> Curve:
    """The Pareto front of results in a metric; results that lack it are left out."""
    points = [(r.mean["bytes"], r.mean[metric.key]) for r in results if metric.key in r.mean]
    return [points[i] for i in pareto_front(points, metric.higher_is_better)]


def level_at_end(results: Sequence[Result], metric: Metric) -> Curve:
    """The front of results, and its last value once more at their largest size, where that one is no better.

    For reading off a metric that has a best value, as a share of 1. A Bjøntegaard rate takes no such point.
    """
    points = curve(results, metric)
    largest = max((r.mean["bytes"] for r in results if metric.key in r.mean), default=0.0)
    return [*points, (largest, points[-1][1])] if points and largest > points[-1][0] else points


def clip(points: Curve, low: float, high: float) -> Curve:
    """The part of a curve between `low` and `high` bytes, with interpolated ends (linear in log bytes)."""
    if not points:
        return []
    sizes = np.log([p[0] for p in points])
    values = [p[1] for p in points]
    ends = [b for b in (low, high) if points[0][0] < b < points[-1][0]]
    inside = [p for p in points if low <= p[0] <= high]
    inside += [(b, float(np.interp(math.log(b), sizes, values))) for b in ends]
    return sorted(set(inside))


def quality(value: float, metric: Metric) -> float:
    """A metric as a quality that rises, on a scale on which curves are smooth: distances in decibels."""
    return value if metric.higher_is_better else -10 * math.log10(max(value, 1e-9))


def bjontegaard_rate(
    codec: str, ours: Curve, anchor: str, theirs: Curve, metric: Metric, min_overlap: float = MIN_OVERLAP
) -> BjontegaardRate:
    """Mean difference in bytes at equal quality where both curves have it; undefined where they hardly do.

    Computed by the package `bjontegaard` (Bjøntegaard 2001, VCEG-M33) with Akima interpolation on log bytes. Curves
    of fewer than 4 points, or that share less than `min_overlap` of the shorter one's range, have none.
    """

    def undefined(why: str) -> BjontegaardRate:
        return BjontegaardRate(codec, anchor, metric.key, None, why)

    for name, points in ((codec, ours), (anchor, theirs)):
        if len(points) < MIN_POINTS:
            return undefined(f"the curve of {name} has {len(points)} points, and needs {MIN_POINTS}")
    qualities = [[quality(value, metric) for _, value in points] for points in (ours, theirs)]
    low, high = max(q[0] for q in qualities), min(q[-1] for q in qualities)
    shared = (high - low) / min(q[-1] - q[0] for q in qualities)
    if shared < min_overlap:
        if high <= low:
            better = codec if qualities[0][0] >= qualities[1][-1] else anchor
            return undefined(f"the curves share no quality: {better} is better throughout")
        return undefined(
            f"the curves share {shared:.0%} of the shorter one's range of quality, and need {min_overlap:.0%}"
        )
    from bjontegaard import bd_rate

    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # the package prints the overlap
        warnings.simplefilter("ignore")  # of overlap, which is judged above
        percent = float(
            bd_rate(
                [b for b, _ in theirs],
                qualities[1],
                [b for b, _ in ours],
                qualities[0],
                method="akima",
                require_matching_points=False,
                min_overlap=0,
            )
        )
    if not math.isfinite(percent):
        return undefined("the interpolation failed")
    first, last = (np.interp([low, high], qualities[i], [p[0] for p in c]) for i, c in ((0, ours), (1, theirs)))
    ranges = " against ".join(f"{ends[0]:.0f} to {ends[1]:.0f} bytes" for ends in (first, last))
    remark = f"over {shared:.0%} of the shorter curve: {ranges}"
    return BjontegaardRate(codec, anchor, metric.key, percent, remark)


def at_bytes(points: Curve, size: float) -> float | None:
    """The value of a curve at `size` bytes, linear in log bytes; None outside the curve."""
    if not points or not points[0][0] <= size <= points[-1][0]:
        return None
    return float(np.interp(math.log(size), np.log([p[0] for p in points]), [p[1] for p in points]))
