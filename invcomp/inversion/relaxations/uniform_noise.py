"""Symbols with noise as wide as rounding's error (Balle et al. 2017, arXiv 1611.01704, section 3)."""

import torch
from torch import Tensor

from invcomp.inversion.relaxations.base import StandIn


class UniformNoise(StandIn):
    """Noise uniform in [-1/2, 1/2)."""

    def stand_in(self, values: Tensor, progress: float) -> Tensor:
        return values + torch.rand(values.shape, generator=self.random, device=values.device) - 0.5
