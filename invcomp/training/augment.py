"""Augmentation of training batches, (N, 3, H, W) in [0, 1], on whatever device they are."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def augment(pictures: Tensor, shift: float, zoom: float, degrees: float, colour: float) -> Tensor:
    """Random horizontal flips; for half of the pictures small shifts, zooms and rotations; small changes of colour.

    `shift` is a share of the side, `zoom` and `colour` are relative, each the largest amount. The border is mirrored.
    """
    n, device = len(pictures), pictures.device

    def spread(largest: float) -> Tensor:
        return (torch.rand(n, device=device) * 2 - 1) * largest

    flip = torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    moved = (torch.rand(n, device=device) < 0.5).float()
    angle, scale = spread(math.radians(degrees)) * moved, 1 + spread(zoom) * moved
    theta = torch.zeros(n, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 0, 1] = flip * scale * angle.cos(), -scale * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = flip * scale * angle.sin(), scale * angle.cos()
    theta[:, 0, 2], theta[:, 1, 2] = spread(2 * shift) * moved, spread(2 * shift) * moved
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    pictures = F.grid_sample(pictures, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    if colour:
        grey = pictures.mean(dim=1, keepdim=True)
        saturation = (1 + spread(3 * colour)).clamp(min=0).view(-1, 1, 1, 1)
        pictures = grey + (pictures - grey) * saturation
        mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
        contrast = (1 + spread(colour)).view(-1, 1, 1, 1)
        tint = (torch.rand(n, 3, 1, 1, device=device) * 2 - 1) * colour / 3 + spread(colour / 2).view(-1, 1, 1, 1)
        pictures = mean + (pictures - mean) * contrast + tint
    return pictures.clamp(0, 1)


def augment_for_critic(pictures: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """The same random translation (an eighth of the side) and cutout (a third) on both batches, differentiable.

    Keeps the critic of a small data set from learning it by heart (DiffAugment: Zhao et al. 2020).
    """
    side = pictures.shape[-1]
    dx, dy = (torch.randint(-side // 8, side // 8 + 1, (2,))).tolist()
    top, left = torch.randint(0, side - side // 3 + 1, (2,)).tolist()
    hole = torch.ones(1, 1, *pictures.shape[2:], device=pictures.device)
    hole[:, :, top : top + side // 3, left : left + side // 3] = 0

    def change(x: Tensor) -> Tensor:
        return torch.roll(x, (dy, dx), dims=(2, 3)) * hole + 0.5 * (1 - hole)

    return change(pictures), change(other)
