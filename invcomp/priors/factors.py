"""How the coarse levels of a prior hang together: a factor analysis of the residuals of its domain's pictures.

Tables say how often each symbol occurs, nearly by itself; drawn from them, levels do not fit each other. Here the
residuals v of the coarsest levels, in units of the latent (symbol times step), are a few common factors and noise:

    v = mean + weights @ z + e,    z ~ N(0, 1) of K factors,    e ~ N(0, noise), independent

(Tipping & Bishop 1999, "Probabilistic principal component analysis", with a variance for every number; fitted after
training, as in Ghosh et al. 2020, arXiv 1903.12436, section 3). It is fitted at one rate index and holds at all of
them, since v hardly depends on the step. It gives new pictures, and the most likely finer levels where only coarser
ones are known. Nothing here needs torch, and no symbol of a file depends on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invcomp.errors import PriorError

FACTORS = "factors.safetensors"
MOST_NUMBERS = 8192  # in the levels that are covered together
MOST_FACTORS = 1024
DRAWN_NOISE = 0.45  # of the noise's standard deviation: all of it shows as grain (`scripts/measure_samples.py`)
LEAST, MOST = 1e-6, 1e6  # between which variances and steps lie; no number is larger
TYPES = {"mean": "<f4", "noise": "<f4", "loadings": "|i1", "scale": "<f4", "steps": "<f4"}

Shape = tuple[int, int, int]
Floats = NDArray[np.float64]
Residuals = list[NDArray[Any]]
"""What the generator is given of every level, (C, H, W), coarse to fine: symbols, or real numbers in their place."""


@dataclass(frozen=True)
class Factors:
    """The distribution of the D numbers of the coarsest levels, level after level, each in C order."""

    shapes: tuple[Shape, ...]
    """(C, H, W) of the levels that are covered."""
    mean: NDArray[np.float32]
    """(D,), in units of the latent, as all but `steps` here."""
    noise: NDArray[np.float32]
    """(D,): variances."""
    loadings: NDArray[np.int8]
    """(D, K)."""
    scale: NDArray[np.float32]
    """(K,): what the columns of `loadings` are multiplied with."""
    steps: NDArray[np.float32]
    """(R, C_0 + C_1 + …): quantisation steps of the levels' channels at every rate index."""

    @cached_property
    def weights(self) -> Floats:
        """(D, K): what each of the factors adds to every number."""
        return self.loadings.astype(np.float64) * self.scale

    def filled(self, symbols: Residuals, rate: int, there: Sequence[bool]) -> Residuals:
        """Symbols (C, H, W) of every level, those of missing levels replaced by what is to be expected in their place.

        `there`: which levels are known. Expected is the mean given all levels before the first missing one, as real
        numbers in units of symbols; later levels that are known stay as they are, and levels that are not covered too.
        Raises `PriorError` for a model from which nothing can be expected.
        """
        given = [*there, False].index(False)
        if given >= len(self.shapes):
            return list(symbols)
        units = self.units(rate)
        known = np.concatenate([np.zeros(0), *(level.ravel() for level in symbols[:given])])
        expected = self.split(self.expected(known * units[: len(known)]) / units)
        if not all(np.isfinite(level).all() for level in expected):
            raise PriorError(f"the prior's {FACTORS} does not say what is to be expected; get the prior again")
        return [
            level if there[index] or index >= len(expected) else expected[index] for index, level in enumerate(symbols)
        ]

    def expected(self, known: Floats) -> Floats:
        """The mean (D,) of all numbers given the first of them, `known` (O,), in units of the latent; NaN where numbers
        that nobody fitted give none."""
        count = len(known)
        weighted = self.weights[:count] / self.noise[:count, None].astype(np.float64)
        precision = np.eye(len(self.scale)) + self.weights[:count].T @ weighted
        try:
            factors = np.linalg.solve(precision, weighted.T @ (known - self.mean[:count]))
        except np.linalg.LinAlgError:
            factors = np.full(len(self.scale), np.nan)
        return self.mean.astype(np.float64) + self.weights @ factors

    def drawn(self, rate: int, psi: float, rng: np.random.Generator) -> Residuals:
        """The levels that are covered of a new picture, as real numbers in units of symbols.

        `psi`: truncation: what is drawn is moved towards the mean by it; 0 is the mean. Noise is drawn weaker than it
        is: what the factors leave is not independent in pictures, and drawn so it looks like grain.
        """
        factors = rng.standard_normal(len(self.scale))
        noise = rng.standard_normal(len(self.mean)) * np.sqrt(self.noise) * DRAWN_NOISE
        return self.split((self.mean + psi * (self.weights @ factors + noise)) / self.units(rate))

    def units(self, rate: int) -> Floats:
        """(D,): the step of every number at a rate index."""
        areas = [height * width for channels, height, width in self.shapes for _ in range(channels)]
        return np.repeat(self.steps[rate].astype(np.float64), areas)

    def split(self, numbers: Floats) -> Residuals:
        """D numbers → the levels that are covered."""
        ends = np.cumsum([prod(shape) for shape in self.shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(numbers, ends), self.shapes, strict=True)]

    def stored(self) -> dict[str, NDArray[Any]]:
        """The tensors as a prior carries them."""
        return {name: np.ascontiguousarray(getattr(self, name)) for name in TYPES}


def covered(shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    """Of the (C, H, W) of a prior's levels those that a factor analysis covers: all that are small enough together."""
    total = np.cumsum([prod(shape) for shape in shapes])
    return tuple(shapes[: int((total <= MOST_NUMBERS).sum())])


def restored_factors(tensors: dict[str, NDArray[Any]], shapes: Sequence[Shape], rates: int) -> Factors:
    """What `stored` gave, for a prior with levels of these (C, H, W). Raises `ValueError` for what does not fit."""
    levels = covered(shapes)
    if tensors.keys() != TYPES.keys() or any(tensors[name].dtype.str != kind for name, kind in TYPES.items()):
        raise ValueError("its tensors are not those of a factor analysis")
    found = Factors(levels, **tensors)
    numbers, factors = sum(prod(shape) for shape in levels), found.scale.size
    expected = {
        "mean": (numbers,),
        "noise": (numbers,),
        "loadings": (numbers, factors),
        "scale": (factors,),
        "steps": (rates, sum(channels for channels, _, _ in levels)),
    }
    if not levels or any(tensors[name].shape != shape for name, shape in expected.items()):
        raise ValueError("its tensors do not fit the levels of the prior")
    if factors > MOST_FACTORS:
        raise ValueError(f"it has more than {MOST_FACTORS:,} factors")
    if not all((np.abs(tensors[name]) <= MOST).all() for name in ("mean", "scale")):  # NaN is not either
        raise ValueError("not all of its values are finite, or they are too large")
    if not all(((tensors[name] >= LEAST) & (tensors[name] <= MOST)).all() for name in ("noise", "steps")):
        raise ValueError("not all of its variances and steps are positive, or they are too small or too large")
    return found
