"""The critic (discriminator): tells real pictures from generated ones; its features measure perceptual distance."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invcomp.priors.architecture import Architecture
from invcomp.priors.layers import ResBlock, activation, conv


class Critic(nn.Module):
    """A residual network on pictures of any size that is a multiple of the coarsest stride."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        widths = arch.critic_widths[::-1]  # fine to coarse
        self.stem = conv(12, widths[0])
        self.blocks = nn.ModuleList(ResBlock(width) for width in widths)
        self.widen = nn.ModuleList(conv(a, b, kernel=1) for a, b in pairwise(widths))
        self.score = conv(widths[-1], 1)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (N, 3, H, W) in [0, 1] → features at strides 2, 4, 8, …, fine to coarse."""
        x = self.stem(F.pixel_unshuffle(2 * pictures - 1, 2))
        found = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            found.append(x)
            if index < len(self.widen):
                x = self.widen[index](F.avg_pool2d(x, 2))
        return found

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) in [0, 1] → scores (N,): the mean of patch scores; higher is more real."""
        return self.score(activation(self.features(pictures)[-1])).float().mean(dim=(1, 2, 3))  # type: ignore[no-any-return]


def feature_distance(features: list[Tensor], other: list[Tensor]) -> Tensor:
    """Distance of two pictures in critic features, (N,): channels normalised to unit length, squared, as LPIPS does."""
    total = torch.zeros(features[0].shape[0], device=features[0].device)
    for a, b in zip(features, other, strict=True):
        a, b = F.normalize(a.float(), dim=1), F.normalize(b.float(), dim=1)
        total = total + (a - b).square().sum(dim=1).mean(dim=(1, 2))
    return total / len(features)
