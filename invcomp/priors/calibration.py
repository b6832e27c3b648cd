"""What is usual for a prior: how held-out pictures of its domain are distributed, to say where another one falls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SHARES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
MOST = 10**9
ENOUGH = 100  # pictures from which on a 99th percentile says anything
UNUSUAL = 0.99  # share of the domain's own pictures beyond which a picture is taken for none


@dataclass(frozen=True)
class Calibration:
    """Quantiles at `SHARES` of what held-out pictures show."""

    pictures: int
    """How many were looked at, with those that augmentation made of them."""
    decoded: int
    """How many were decoded."""
    steps: int
    """Of the search; 0: the encoder alone."""
    distortion: list[list[float]]
    """In units of the training distortion, at every rate index."""
    domain: list[float]
    """Scores of `invcomp.priors.domain`; empty if the prior cannot tell."""

    def distortion_share(self, value: float, rate: int) -> float | None:
        """The share of held-out pictures, in [0, 1], with less distortion than `value` at a rate index; None if there
        are too few."""
        return share_below(value, self.distortion[rate]) if self.decoded >= ENOUGH else None

    def domain_share(self, score: float) -> float | None:
        """The share of held-out pictures, in [0, 1], nearer to the domain than a score; None if it is not known, or
        of too few."""
        return share_below(score, self.domain) if self.domain and self.pictures >= ENOUGH else None


def quantiles(values: Sequence[float]) -> list[float]:
    """Those at `SHARES`."""
    return [float(f"{value:.6g}") for value in np.quantile(np.asarray(values, dtype=np.float64), SHARES)]


def share_below(value: float, found: Sequence[float]) -> float:
    """Where a value falls between quantiles at `SHARES`; 0 or 1 beyond them."""
    return float(np.interp(value, found, SHARES)) if np.isfinite(value) else 1.0


def read_calibration(data: Any, rates: int) -> Calibration | None:
    """What `prior.json` says, None if nothing. Raises `ValueError` for what cannot be."""
    if not data:
        return None
    try:
        found = Calibration(
            int(data["pictures"]),
            int(data["decoded"]),
            int(data["steps"]),
            [[float(value) for value in series] for series in data["distortion"]],
            [float(value) for value in data["domain"]],
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"the calibration cannot be read ({error})") from None
    if not (0 < found.pictures < MOST and 0 < found.decoded < MOST and 0 <= found.steps < MOST):
        raise ValueError("the calibration's numbers of pictures or steps are none")
    if len(found.distortion) != rates:
        raise ValueError("the calibration does not have every rate")
    for series in (*found.distortion, *([found.domain] if found.domain else [])):
        if len(series) != len(SHARES) or not np.isfinite(series).all() or np.any(np.diff(series) < 0):
            raise ValueError("the calibration's quantiles are none")
    return found
