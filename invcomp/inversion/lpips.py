"""LPIPS 0.1 (Zhang et al. 2018, arXiv 1801.03924) as a term of a loss."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from invcomp.priors.lpips import LpipsNetwork

MOST_ENLARGED = 512  # pictures with a longer side are not enlarged
PERCEPTUAL_SIDE = 128  # LPIPS is blind to missing eyes at 64 pixels: pictures are enlarged to at least this


class LpipsTerm:
    """LPIPS of pictures (N, 3, H, W) in [0, 1], enlarged to at least 128 pixels (or `least`).

    The distance of unit-length features x / |x| and y / |y| under channel weights w is expanded to
    sum(w x^2) / |x|^2 - 2 sum(w x y / |y|) / |x| + sum(w y^2) / |y|^2, which takes half the passes over memory.
    """

    def __init__(self, network: LpipsNetwork, scale: int | None = None, least: int = PERCEPTUAL_SIDE) -> None:
        """`scale` fixes the enlargement (for crops of a larger picture); None derives it from the picture's size."""
        self.network = cast(Any, network.to(memory_format=torch.channels_last))  # twice as fast
        self.scale, self.least = scale, least
        self.weights = [lin.model[-1].weight for lin in self.network.lins]  # (1, C, 1, 1) each

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Features [(N, C, h, w)] of every layer, not normalised."""
        height, width = pictures.shape[2:]
        scale = self.scale or (1 if max(height, width) > MOST_ENLARGED else enlargement(min(height, width), self.least))
        if scale > 1:
            pictures = F.interpolate(pictures, scale_factor=float(scale), mode="bilinear", align_corners=False)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        return [x.float() for x in self.network.net(self.network.scaling_layer(2 * pictures - 1))]

    def reference(self, target: Tensor) -> list[list[Tensor]]:
        """Of every layer w y / |y| (N, C, h, w), and sum(w y^2) / |y|^2 (N, h, w)."""
        found = []
        for y, weight in zip(self.features(target), self.weights, strict=True):
            unit = F.normalize(y, dim=1, eps=1e-10)
            found.append([weight * unit, (weight * unit * unit).sum(dim=1)])
        return found

    def distance(self, pictures: Tensor, reference: list[list[Tensor]]) -> Tensor:
        """Distances (N,)."""
        total = torch.zeros(len(pictures), device=pictures.device)
        for x, (weighted, constant), weight in zip(self.features(pictures), reference, self.weights, strict=True):
            both = F.conv2d(x * x, torch.cat([weight, torch.ones_like(weight)]))  # sum(w x^2) and |x|^2
            length = both[:, 1] + 1e-12
            cross = (x * weighted).sum(dim=1)
            total = total + (both[:, 0] / length - 2 * cross / length.sqrt() + constant).mean(dim=(1, 2))
        return total.clamp(min=0)


def enlargement(side: int, least: int = PERCEPTUAL_SIDE) -> int:
    """The whole factor, at most 8, that brings `side` pixels to at least `least`."""
    return min(8, max(1, -(-least // side)))
