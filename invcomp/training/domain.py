"""What tells a domain's pictures from others, fitted to the domain's own: see `invcomp.priors.domain`.

Pictures that are none of the domain are made from it: shifted, turned, enlarged, shrunk, cut to tiles that are put
together anew, noise of the same spectrum (after Golan and El-Yaniv 2018, "Deep anomaly detection using geometric
transformations"); photographs of other things join them if there are any.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from invcomp.priors.domain import Domain, domain_features
from invcomp.priors.lpips import LpipsNetwork

MOST_PICTURES = 1500  # that are looked at, of the domain and of each kind that is none
COMPONENTS = 256
SHRINKAGE = 0.05, 0.1  # of covariances towards their diagonals: for the distance, for the discriminant
Change = Callable[[Tensor], Tensor]
"""Pictures (N, 3, H, W) in [0, 1] → as many, changed."""


def fit_domain(
    network: LpipsNetwork, pictures: np.ndarray, others: np.ndarray | None, change: Change, seed: int = 0
) -> Domain:
    """Fitted to pictures of the domain, and `others`, uint8 (N, 3, S, S). `change` is the augmentation of training."""
    rng = np.random.default_rng([seed, 4])
    own = sample(pictures, MOST_PICTURES, rng)
    features = torch.cat([looked_at(network, own, kind) for kind in (same, change, change)])
    share = max(1, len(own) // len(SCRAMBLED))
    strange = [looked_at(network, sample(own, 2 * share, rng), kind) for kind in SCRAMBLED]
    if others is not None:
        strange.append(looked_at(network, sample(others, 2 * share, rng), same))
    return between(features.double(), torch.cat(strange).double())


def between(own: Tensor, strange: Tensor) -> Domain:
    """From features (N, D) of the domain's pictures and (M, D) of others, float64."""
    both = torch.cat([own, strange])
    spread = both.std(dim=0) + 1e-6
    _, _, axes = torch.svd_lowrank((both - both.mean(dim=0)) / spread, min(COMPONENTS, len(own) // 4), niter=4)
    mean = own.mean(dim=0)
    basis = axes / spread[:, None]
    precision = torch.linalg.inv(shrunk(((own - mean) @ basis).T.cov(), SHRINKAGE[0]))
    basis = basis @ torch.linalg.cholesky(precision)
    near, far = (own - mean) @ basis, (strange - mean) @ basis
    direction = torch.linalg.solve(shrunk((near.T.cov() + far.T.cov()) / 2, SHRINKAGE[1]), far.mean(dim=0))
    scale = basis.norm(dim=0)
    distances = near.square().mean(dim=1)
    domain = Domain(mean, basis / scale, scale, direction / upper(near @ direction), 1 / upper(distances))
    return Domain(*(getattr(domain, name).float() for name in domain.__dataclass_fields__))


def upper(values: Tensor) -> Tensor:
    """How far the ninth decile of values (N,) lies above the median."""
    return (values.quantile(0.9) - values.median()).clamp(min=1e-9)


def shrunk(covariance: Tensor, share: float) -> Tensor:
    """A covariance (K, K), moved by a share towards its diagonal, and never singular."""
    diagonal = covariance.diag()
    return (1 - share) * covariance + (share * diagonal + 1e-6 * diagonal.mean()).diag()


def looked_at(network: LpipsNetwork, pictures: np.ndarray, change: Change, batch: int = 64) -> Tensor:
    """Features (N, D) of pictures, uint8 (N, 3, S, S), after a change."""
    device = next(network.parameters()).device
    parts = [torch.from_numpy(pictures[start : start + batch]) for start in range(0, len(pictures), batch)]
    return torch.cat([domain_features(network, change(part.to(device).float() / 255)) for part in parts])


def sample(pictures: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    return pictures[np.sort(rng.permutation(len(pictures))[:most])]


def same(pictures: Tensor) -> Tensor:
    return pictures


def uniform(n: int, low: float, high: float) -> Tensor:
    """(n,), of either sign if `low` is positive."""
    sign = torch.where(torch.rand(n) < 0.5, -1.0, 1.0) if low > 0 else torch.ones(n)
    return sign * (low + (high - low) * torch.rand(n))


def placed(pictures: Tensor, scale: Tensor, angle: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Seen through a frame of a scale (N,), turned, and shifted by halves of a side; the border is mirrored."""
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack([torch.stack([cosine, -sine, across], 1), torch.stack([sine, cosine, down], 1)], 1)
    grid = F.affine_grid(theta.to(pictures.device), list(pictures.shape), align_corners=False)
    found: Tensor = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    return found


def moved_across(pictures: Tensor) -> Tensor:
    n = len(pictures)
    return placed(pictures, torch.ones(n), torch.zeros(n), uniform(n, 0.5, 1), uniform(n, -1, 1))


def moved_down(pictures: Tensor) -> Tensor:
    n = len(pictures)
    return placed(pictures, torch.ones(n), torch.zeros(n), uniform(n, -0.5, 0.5), uniform(n, 0.6, 1.2))


def smaller(pictures: Tensor) -> Tensor:
    n = len(pictures)
    return placed(
        pictures, 1.7 + 1.8 * torch.rand(n), uniform(n, -0.2, 0.2), uniform(n, -0.6, 0.6), uniform(n, -0.6, 0.6)
    )


def larger(pictures: Tensor) -> Tensor:
    n = len(pictures)
    return placed(
        pictures, 0.12 + 0.38 * torch.rand(n), uniform(n, -0.2, 0.2), uniform(n, -0.5, 0.5), uniform(n, -0.5, 0.5)
    )


def turned(pictures: Tensor) -> Tensor:
    n = len(pictures)
    return placed(pictures, torch.ones(n), uniform(n, 0.6, math.pi), torch.zeros(n), torch.zeros(n))


def in_tiles(pictures: Tensor, tiles: int) -> Tensor:
    """Cut to tiles x tiles, which change places within each picture."""
    n, channels, height, width = pictures.shape
    side = max(1, min(height, width) // tiles)
    cut = F.interpolate(pictures, size=(side * tiles, side * tiles), mode="bilinear", align_corners=False)
    pieces = cut.reshape(n, channels, tiles, side, tiles, side).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.rand(n, tiles * tiles).argsort(dim=1).to(pictures.device)
    pieces = pieces[torch.arange(n, device=pictures.device)[:, None], order]
    joined = pieces.reshape(n, tiles, tiles, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return F.interpolate(joined.reshape(cut.shape), size=(height, width), mode="bilinear", align_corners=False)


def in_four_tiles(pictures: Tensor) -> Tensor:
    return in_tiles(pictures, 2)


def in_sixteen_tiles(pictures: Tensor) -> Tensor:
    return in_tiles(pictures, 4)


def noise_of_same_spectrum(pictures: Tensor) -> Tensor:
    """The amplitudes of each picture's frequencies with random phases, the same in all colours."""
    mean = pictures.mean(dim=(2, 3), keepdim=True)
    noise = torch.fft.fft2(torch.randn_like(pictures[:, :1]))
    found = torch.fft.ifft2(torch.fft.fft2(pictures - mean).abs() * noise / noise.abs().clamp(min=1e-9))
    result: Tensor = (found.real + mean).clamp(0, 1)
    return result


SCRAMBLED: tuple[Change, ...] = (
    moved_across,
    moved_down,
    smaller,
    larger,
    turned,
    in_four_tiles,
    in_sixteen_tiles,
    noise_of_same_spectrum,
)
"""Changes after which a picture of an aligned domain is none any more."""
