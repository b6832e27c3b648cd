"""Intervals of means and shares over few pictures: what another draw of as many would give, 95 times in 100."""

import math
from collections.abc import Sequence

import numpy as np

Interval = tuple[float, float, float]
"""The figure, and the ends of its interval."""

RESAMPLES = 10_000
NORMAL = 1.959964  # of the standard normal distribution, 95 % lie within


def mean_interval(values: Sequence[float], others: Sequence[float] | None = None, seed: int = 0) -> Interval:
    """The mean, or the difference to the mean of others, and its percentile bootstrap interval."""
    rng = np.random.default_rng(seed)
    mean, resampled = 0.0, np.zeros(RESAMPLES)
    for sign, sample in ((1, values), (-1, others)):
        if sample is not None:
            mean += sign * float(np.mean(sample))
            resampled += sign * rng.choice(np.array(sample), (RESAMPLES, len(sample))).mean(axis=1)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return mean, float(low), float(high)


def share_interval(values: Sequence[float], others: Sequence[float] | None = None) -> Interval:
    """The share of ones among zeros and ones, or its difference to that of others.

    Wilson's score interval, and Newcombe's of the difference ("Interval estimation for the difference between
    independent proportions", Statistics in Medicine 17, 1998, method 10): a bootstrap of ones alone has no width.
    """
    share, low, high = wilson(sum(values), len(values))
    if others is None:
        return share, low, high
    other, other_low, other_high = wilson(sum(others), len(others))
    below, above = math.hypot(share - low, other_high - other), math.hypot(high - share, other - other_low)
    return share - other, share - other - below, share - other + above


def wilson(count: float, n: int) -> Interval:
    """A share and its score interval (Wilson 1927)."""
    share, spread = count / n, NORMAL**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return share, max(0.0, centre - half), min(1.0, centre + half)
