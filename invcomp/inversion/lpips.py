"""LPIPS 0.1 (Zhang et al. 2018, arXiv 1801.03924) as a term of a loss.

The distance of unit-length features x / |x| and y / |y| under channel weights w is expanded to
sum(w x^2) / |x|^2 - 2 sum(w x y / |y|) / |x| + sum(w y^2) / |y|^2, and its gradient is written out: features are large,
and what takes time on a CPU is every pass over them.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from invcomp.priors.lpips import LpipsNetwork

MOST_ENLARGED = 512  # pictures with a longer side are not enlarged
PERCEPTUAL_SIDE = 128  # LPIPS is blind to missing eyes at 64 pixels: pictures are enlarged to at least this


class LpipsTerm:
    """LPIPS of pictures (N, 3, H, W) in [0, 1], enlarged to at least 128 pixels (or `least`)."""

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
            found: Tensor = UnitDistance.apply(x, weighted, weight.flatten())
            total = total + found + constant.mean(dim=(1, 2))
        return total.clamp(min=0)


class UnitDistance(torch.autograd.Function):
    """Means over the positions of sum(w x^2) / |x|^2 - 2 sum(x v) / |x|, for v = w y / |y|."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, v: Tensor, weight: Tensor) -> Tensor:
        """Features x and v (N, C, h, w), weight (C,) → (N,)."""
        x, v = (t.permute(0, 2, 3, 1).contiguous() for t in (x, v))
        squares, length = ((x * x) @ torch.stack([weight, torch.ones_like(weight)], dim=1)).unbind(-1)
        cross = (x * v).sum(dim=-1)
        root = (length + 1e-12).rsqrt()
        ctx.save_for_backward(x, v, weight, squares, cross, root)
        return (squares * root**2 - 2 * cross * root).mean(dim=(1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        x, v, weight, squares, cross, root = ctx.saved_tensors
        each = 2 * gradient.view(-1, 1, 1) / root[0].numel() * root
        found = torch.addcmul((each * root**2 * (cross - squares * root))[..., None], (each * root)[..., None], weight)
        found.mul_(x).addcmul_(-each[..., None], v)
        return found.permute(0, 3, 1, 2), None, None


def enlargement(side: int, least: int = PERCEPTUAL_SIDE) -> int:
    """The whole factor, at most 8, that brings `side` pixels to at least `least`."""
    return min(8, max(1, -(-least // side)))
