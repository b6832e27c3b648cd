"""The encoder: an amortised first guess of the latent residuals, level by level beside the generator."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invcomp.priors.architecture import Architecture
from invcomp.priors.generator import Generator
from invcomp.priors.layers import RateTable, ResBlock, activation, conv

Quantise = Callable[[int, Tensor], Tensor]
"""(level, residual) → the residual that the generator is given: rounded, noisy, sampled, …"""


class EncoderLevel(nn.Module):
    """What the picture says at one resolution, and the residual that follows from it and the generator's state."""

    def __init__(self, width: int, generator_width: int, channels: int, rates: int) -> None:
        super().__init__()
        self.block = ResBlock(width)
        self.rate_bias = RateTable(torch.zeros(rates, width))
        self.merge = conv(width + generator_width, width, kernel=1)
        self.to_residual = conv(width, channels, gain=0.7)

    def forward(self, features: Tensor, h: Tensor, rate: Tensor) -> Tensor:
        """features (N, width, H, W), h (N, generator width, H, W), rate (N,) → (N, C, H, W), in units of z."""
        x = self.merge(torch.cat([features, h.to(features.dtype)], dim=1))
        x = x + self.rate_bias(rate)[:, :, None, None].to(x.dtype)
        return self.to_residual(activation(x))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Pictures → residuals. Bottom-up features once, then top-down beside the generator, coarse to fine."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        widths = arch.encoder_widths
        self.stem = conv(12, widths[-1])
        self.levels = nn.ModuleList(
            EncoderLevel(width, generator_width, channels, arch.rates)
            for width, generator_width, channels in zip(widths, arch.widths, arch.latent_channels, strict=True)
        )
        self.narrow = nn.ModuleList(conv(fine, coarse, kernel=1) for coarse, fine in pairwise(widths))

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (N, 3, H, W) in [0, 1] → features of every level, coarse to fine."""
        x = self.stem(F.pixel_unshuffle(2 * pictures - 1, 2))
        found = []
        for index in range(len(self.levels) - 1, -1, -1):
            x = self.levels[index].block(x)  # type: ignore[operator]
            found.append(x)
            if index:
                x = self.narrow[index - 1](F.avg_pool2d(x, 2))
        return found[::-1]

    def forward(
        self, pictures: Tensor, generator: Generator, rate: Tensor, quantise: Quantise
    ) -> tuple[list[Tensor], Tensor]:
        """Pictures (N, 3, H, W) in [0, 1], rates (N,) → continuous residuals by level, and the generator's pictures.

        `quantise` says what the generator is given in place of each residual, so that finer levels are found
        knowing what became of the coarser ones.
        """
        features = self.features(pictures)
        h = generator.start(len(pictures), *features[0].shape[2:])
        residuals = []
        for index, (own, level) in enumerate(zip(self.levels, generator.levels, strict=True)):
            residual = own(features[index], h, rate) / level.step(rate)  # type: ignore[operator]
            residuals.append(residual)
            h = level(h, quantise(index, residual), rate)
        return residuals, generator.paint(h)
