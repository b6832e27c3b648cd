"""The generator: a top-down hierarchy that turns latent residuals, coarse to fine, into a picture.

At level l the network expects mu_l = conv(h_l); the coded residual r_l moves it to z_l = mu_l + step_l * r_l, and
h_{l+1} = up(block(h_l + conv(z_l))). The residuals are integers once coded; `step_l` depends on the rate index.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invcomp.priors.architecture import COARSEST, Architecture
from invcomp.priors.layers import RateTable, ResBlock, activation, conv

COARSEST_STEP, FINEST_STEP = 2.0, 0.15  # quantisation steps at the first and the last rate index before training


class Level(nn.Module):
    """One latent level of the generator."""

    def __init__(self, width: int, channels: int, next_width: int | None, rates: int) -> None:
        super().__init__()
        start = torch.linspace(math.log(COARSEST_STEP), math.log(FINEST_STEP), rates)
        self.log_step = RateTable(start[:, None].repeat(1, channels))
        self.rate_bias = RateTable(torch.zeros(rates, width))
        self.expectation = conv(width, channels, gain=0.1)
        self.absorb = conv(channels, width)
        self.block = ResBlock(width)
        self.widen = conv(width, next_width, kernel=1) if next_width is not None else nn.Identity()
        self.last = next_width is None

    def step(self, rate: Tensor) -> Tensor:
        """Quantisation steps (N, C, 1, 1) at the rates (N,)."""
        return self.log_step(rate)[:, :, None, None].exp()  # type: ignore[no-any-return]

    def forward(self, h: Tensor, residual: Tensor, rate: Tensor) -> Tensor:
        """h (N, width, H, W) and residual (N, C, H, W) → h of the next level, twice as large unless last."""
        z = self.expectation(h) + self.step(rate) * residual
        bias = self.rate_bias(rate)[:, :, None, None].to(h.dtype)  # keeps the sum in bf16 under autocast
        h = self.block(h + self.absorb(z) + bias)
        h = self.widen(h)
        return h if self.last else F.interpolate(h, scale_factor=2.0, mode="nearest")


class Generator(nn.Module):
    """Latent residuals → pictures in [0, 1] (not clamped)."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch
        side = COARSEST if arch.image_size is not None else 1
        self.constant = nn.Parameter(torch.randn(1, arch.widths[0], side, side) * 0.5)
        self.levels = nn.ModuleList(
            Level(width, channels, next_width, arch.rates)
            for width, channels, next_width in zip(
                arch.widths, arch.latent_channels, [*arch.widths[1:], None], strict=True
            )
        )
        self.to_pixels = conv(arch.widths[-1], arch.paint_width)
        self.to_rgb = conv(arch.paint_width, 12, gain=0.3)

    def start(self, n: int, height: int, width: int) -> Tensor:
        """h at the coarsest level for `n` pictures whose coarsest latents are `height` x `width`."""
        return self.constant.expand(n, -1, height, width)

    def paint(self, h: Tensor) -> Tensor:
        """h after the last level (N, width, H / 2, W / 2) → pictures (N, 3, H, W)."""
        x = self.to_rgb(activation(self.to_pixels(activation(h))))
        return F.pixel_shuffle(x.float(), 2) + 0.5

    def forward(self, residuals: Sequence[Tensor], rate: Tensor) -> Tensor:
        """Residuals [(N, C_l, H_l, W_l)], coarse to fine, and rates (N,) in [0, R - 1] → pictures (N, 3, H, W)."""
        h = self.start(rate.shape[0], *residuals[0].shape[2:])
        for level, residual in zip(self.levels, residuals, strict=True):
            h = level(h, residual, rate)
        return self.paint(h)
