"""The smooth rate model of training: a logistic for every level, channel and position, by rate index.

The integer tables that files are coded with are fitted to the trained prior's real symbols afterwards (`tables.py`).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invcomp.priors.architecture import COARSEST, Architecture
from invcomp.priors.layers import RateTable

POOLED_PICTURES = 16  # as many as what all positions of a channel say of one of them counts
LEAST_LOG_SCALE = -3.0  # of what is found: the rounded symbols are 0 but for one in 10,000, and a rare 1 has its price


class Density(nn.Module):
    """Zero-centred logistic densities of the residuals."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.log_scales = nn.ModuleList()
        for level, channels in enumerate(arch.latent_channels):
            side = COARSEST * 2**level if arch.image_size is not None else 1
            self.log_scales.append(RateTable(torch.full((arch.rates, channels, side, side), math.log(0.5))))

    def scale(self, level: int, rate: Tensor) -> Tensor:
        """(N, C, H or 1, W or 1) at the rates (N,)."""
        return self.log_scales[level](rate).clamp(-6, 6).exp()  # type: ignore[no-any-return]

    def bits(self, level: int, residual: Tensor, rate: Tensor) -> Tensor:
        """Bits (N,) of residuals (N, C, H, W), continuous: -log2 of the mass of [r - 1/2, r + 1/2].

        Written so that the tails keep a gradient: sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - e^(b - a)).
        """
        scale = self.scale(level, rate)
        upper, lower = (residual.float() + 0.5) / scale, (residual.float() - 0.5) / scale
        log_mass = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-1 / scale))
        return -log_mass.sum(dim=(1, 2, 3)) / math.log(2)

    @torch.no_grad()
    def match(self, level: int, rate: int, residuals: Tensor) -> None:
        """Give the densities at a rate index the second moments of residuals (N, C, H, W), before rounding.

        The moment of a position leans on that of its channel; it is 0 where N pictures show nothing by chance.
        """
        values: Tensor = self.log_scales[level].values.data[rate]  # type: ignore[index]
        n, moments = len(residuals), residuals.float().square().mean(dim=0)
        shared = moments.mean(dim=(1, 2), keepdim=True)
        if values.shape[1:] == moments.shape[1:]:
            shared = (n * moments + POOLED_PICTURES * shared) / (n + POOLED_PICTURES)
        scales = (3 * shared).sqrt() / math.pi  # a logistic's variance is (pi * scale)^2 / 3
        values.copy_(scales.log().clamp(LEAST_LOG_SCALE, 6))

    def sample(self, level: int, like: Tensor, rate: Tensor) -> Tensor:
        """Integer residuals drawn from the densities, of the shape of `like` (N, C, H, W)."""
        uniform = torch.rand_like(like, dtype=torch.float32).clamp(1e-6, 1 - 1e-6)
        return (torch.logit(uniform) * self.scale(level, rate)).round()
