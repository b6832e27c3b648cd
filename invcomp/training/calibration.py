"""What is usual for a prior, measured on held-out pictures: see `invcomp.priors.calibration`."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invcomp.inversion.losses import Loss
from invcomp.priors.calibration import Calibration, quantiles
from invcomp.priors.domain import Domain, domain_features
from invcomp.priors.lpips import LpipsNetwork
from invcomp.training.domain import Change, fit_domain
from invcomp.training.monitor import decode_held_out
from invcomp.training.step import Networks


@torch.no_grad()
def with_changed(held_out: Tensor, change: Change, seed: int = 0) -> Tensor:
    """Held-out pictures (N, 3, H, W), and what an augmentation makes of them: (2 N, 3, H, W)."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.cat([held_out, *(change(part) for part in torch.split(held_out, 64))])


@torch.no_grad()
def distortions(networks: Networks, pictures: Tensor, loss: Loss) -> list[list[float]]:
    """Of every picture at every rate index, [R][N], the encoder alone, symbols rounded."""
    found = []
    for rate in range(networks.generator.arch.rates):
        _, decoded = decode_held_out(networks, pictures, rate)
        parts = zip(torch.split(decoded, 32), torch.split(pictures, 32), strict=True)
        found.append([float(value) for d, x in parts for value in loss.distance(d, loss.reference(x))])
    return found


def domain_and_scores(
    network: LpipsNetwork,
    pictures: np.ndarray,
    others: np.ndarray | None,
    held_out: Tensor,
    change: Change,
    seed: int = 0,
) -> tuple[Domain, list[float]]:
    """What tells the domain, fitted to `pictures` uint8 (N, 3, S, S), and the scores of held-out ones (M, 3, S, S)."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        domain = fit_domain(network, pictures, others, change, seed)
    return domain, domain.scores(domain_features(network, held_out)).tolist()


def calibration(pictures: int, found: list[list[float]], scores: list[float], steps: int = 0) -> dict[str, Any]:
    """What `prior.json` says: of so many pictures quantiles of the domain's scores, if there are any, and distortions
    [R][N] of some of them."""
    return asdict(Calibration(pictures, len(found[0]), steps, [quantiles(series) for series in found], scores))
