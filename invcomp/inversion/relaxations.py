"""Relaxations: what stands in for rounding while the symbols are searched with gradients."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Relaxation = Callable[[Tensor, torch.Generator, float], Tensor]
"""Continuous symbols (N, C, H, W), and the share of the search that is done → what the generator is given."""

SOFT, HARD = 4.0, 12.0  # sharpness of soft rounding at the start and at the end of a search


def straight_through(values: Tensor, _random: torch.Generator, _progress: float) -> Tensor:
    """Rounded symbols forward, the identity backward (Bengio et al. 2013, arXiv 1308.3432)."""
    return values + (values.detach().round() - values.detach())


def uniform_noise(values: Tensor, random: torch.Generator, _progress: float) -> Tensor:
    """Symbols with noise uniform in [-1/2, 1/2) (Balle et al. 2017, arXiv 1611.01704, section 3)."""
    return values + torch.rand(values.shape, generator=random, device=values.device) - 0.5


def soft_rounding(values: Tensor, _random: torch.Generator, progress: float) -> Tensor:
    """Smooth steps that sharpen as the search goes on (Agustsson and Theis 2020, arXiv 2006.09952, section 4.1)."""
    sharpness = SOFT * (HARD / SOFT) ** progress
    middle = values.detach().floor() + 0.5
    return middle + torch.tanh(sharpness * (values - middle)) / (2 * math.tanh(sharpness / 2))


RELAXATIONS: dict[str, Relaxation] = {
    "straight-through": straight_through,
    "uniform-noise": uniform_noise,
    "soft-rounding": soft_rounding,
}
