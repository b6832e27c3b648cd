"""Intervals against published figures, and against what they promise."""

import numpy as np
import pytest

from invcomp.lab.intervals import mean_interval, share_interval, wilson


def test_wilson_as_published() -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3."""
    for (count, n), (low, high) in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert wilson(count, n) == pytest.approx((count / n, low, high), abs=1e-4)


def test_the_difference_of_shares_as_published() -> None:
    """Newcombe 1998, table II, method 10: 56/70 - 48/80, and 10/10 - 0/20."""
    difference = share_interval([1] * 56 + [0] * 14, [1] * 48 + [0] * 32)
    assert difference == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    assert share_interval([1] * 10, [0] * 20) == pytest.approx((1.0, 0.6791, 1.0), abs=1e-3)


def test_a_share_without_exceptions_is_not_certain() -> None:
    assert share_interval([1.0] * 24)[1] == pytest.approx(0.862, abs=1e-3)


def test_the_bootstrap_is_about_as_wide_as_theory_has_it() -> None:
    values, others = (list(np.random.default_rng(seed).normal(3, 2, 400)) for seed in (1, 2))
    mean, low, high = mean_interval(values)
    assert low < mean < high
    assert high - low == pytest.approx(2 * 1.96 * np.std(values) / 20, rel=0.05)
    difference, low, high = mean_interval(values, others)
    assert difference == pytest.approx(np.mean(values) - np.mean(others))
    assert high - low == pytest.approx(2 * 1.96 * np.hypot(np.std(values), np.std(others)) / 20, rel=0.05)
    assert mean_interval(values) == mean_interval(values)
