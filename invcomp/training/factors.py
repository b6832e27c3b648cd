"""Fitting how the coarse levels of a prior hang together (`invcomp.priors.factors`), after its training."""

from math import prod
from typing import cast

import numpy as np
import torch
from torch import Tensor

from invcomp.priors.factors import Factors, Floats, covered
from invcomp.priors.generator import Level
from invcomp.training.monitor import decode_held_out
from invcomp.training.step import Networks

MOST_FACTORS = 128
PICTURES_PER_FACTOR = 8  # at least
LEAST_NOISE = 1e-4  # variance that every number keeps, in squared units of the latent


@torch.no_grad()
def fit_factors(networks: Networks, pictures: Tensor) -> Factors | None:
    """Fitted to the rounded symbols of pictures (N, 3, S, S) in [0, 1] and of their mirror images, at the middle rate
    index; None for a prior of free size, and where pictures or levels are too few or too large."""
    arch = networks.generator.arch
    shapes = covered(arch.table_shapes()) if arch.image_size is not None else ()
    count = min(MOST_FACTORS, len(pictures) // PICTURES_PER_FACTOR)
    if not shapes or not count:
        return None
    rates = torch.arange(arch.rates, dtype=torch.float32, device=pictures.device)
    levels = [cast(Level, level) for level in networks.generator.levels][: len(shapes)]
    steps = torch.cat([level.step(rates).flatten(1) for level in levels], dim=1).float().cpu().numpy()
    middle = arch.rates // 2
    rows = [symbols_of(networks, seen, middle, len(shapes)) for seen in (pictures, pictures.flip(3))]
    areas = [prod(shape[1:]) for shape in shapes for _ in range(shape[0])]
    latents = np.concatenate(rows).astype(np.float64) * np.repeat(steps[middle], areas)
    mean = latents.mean(axis=0)
    latents -= mean
    weights = principal(latents, count)
    scale = np.maximum(np.abs(weights).max(axis=0), 1e-6).astype(np.float32) / np.float32(127)
    loadings = np.rint(weights / scale).clip(-127, 127).astype(np.int8)
    left = (latents**2).mean(axis=0) - ((loadings * scale.astype(np.float64)) ** 2).sum(axis=1)
    noise = np.maximum(left, LEAST_NOISE).astype(np.float32)
    return Factors(shapes, mean.astype(np.float32), noise, loadings, scale, steps)


def symbols_of(networks: Networks, pictures: Tensor, rate: int, levels: int) -> np.ndarray:
    """Rounded symbols of the coarsest levels, (N, D)."""
    symbols, _ = decode_held_out(networks, pictures, rate)
    return torch.cat([level.flatten(1) for level in symbols[:levels]], dim=1).cpu().numpy()


def principal(rows: Floats, count: int) -> Floats:
    """The first principal components of centred rows (N, D), each as long as its standard deviation: (D, count)."""
    n, size = rows.shape
    if n <= size:
        _, vectors = np.linalg.eigh(rows @ rows.T)
        return rows.T @ vectors[:, ::-1][:, :count] / np.sqrt(n)  # type: ignore[no-any-return]
    values, vectors = np.linalg.eigh(rows.T @ rows / n)
    return vectors[:, ::-1][:, :count] * np.sqrt(np.maximum(values[::-1][:count], 0))  # type: ignore[no-any-return]
