"""Relaxations: what stands in for rounding while the symbols are searched with gradients."""

from collections.abc import Callable

import torch
from torch import Tensor

Relaxation = Callable[[Tensor, torch.Generator], Tensor]
"""Continuous symbols (N, C, H, W) → what the generator is given; gradients flow through."""


def straight_through(values: Tensor, _random: torch.Generator) -> Tensor:
    """Rounded symbols forward, the identity backward (Bengio et al. 2013, arXiv 1308.3432)."""
    return values + (values.detach().round() - values.detach())


def uniform_noise(values: Tensor, random: torch.Generator) -> Tensor:
    """Symbols with noise uniform in [-1/2, 1/2) (Balle et al. 2017, arXiv 1611.01704, section 3)."""
    return values + torch.rand(values.shape, generator=random, device=values.device) - 0.5


RELAXATIONS: dict[str, Relaxation] = {"straight-through": straight_through, "uniform-noise": uniform_noise}
