"""Whether a picture looks like those of a prior's domain: how far off its features lie.

The features are inner ones of the LPIPS network that the prior carries, averaged over a coarse grid, so they know where
things are. Two figures are added: the squared Mahalanobis distance from the domain's own pictures (Lee et al. 2018,
"A simple unified framework for detecting out-of-distribution samples") and Fisher's linear discriminant between them
and pictures made from them that are none any more, with other photographs (`invcomp.training.domain` fits both). The
first alone takes smooth and dark pictures for typical ones, the second drawings of the domain.
"""

from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from invcomp.priors.lpips import LpipsNetwork

DOMAIN = "domain.safetensors"
SIDE = 128  # pixels at which pictures are looked at
LAYER, GRID = 2, 4  # which of the network's features, averaged to how many a side


@dataclass(frozen=True)
class Domain:
    """What is typical of a domain's pictures. D features, K components; float32."""

    mean: Tensor
    """(D,) of the domain's pictures."""
    basis: Tensor
    """(D, K): to components that are uncorrelated and of variance 1 in the domain's pictures; columns of length 1."""
    scale: Tensor
    """(K,): lengths of the basis' columns."""
    direction: Tensor
    """(K,): towards pictures that are not the domain's, in units of the share `distance`."""
    distance: Tensor
    """(): weight of the mean squared component."""

    @torch.no_grad()
    def scores(self, features: Tensor) -> Tensor:
        """How far from the domain features (N, D) lie: (N,), without a unit; larger is farther."""
        components = (features - self.mean) @ self.basis * self.scale
        return components.square().mean(dim=1) * self.distance + components @ self.direction

    def to(self, device: torch.device) -> "Domain":
        return Domain(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def stored(self) -> dict[str, NDArray[Any]]:
        """The tensors as a prior carries them: the basis fp16, the others fp32."""
        kinds = {"basis": np.float16}
        return {f.name: getattr(self, f.name).cpu().numpy().astype(kinds.get(f.name, np.float32)) for f in fields(self)}


def restored_domain(tensors: dict[str, NDArray[Any]]) -> Domain:
    """What `stored` gave. Raises `ValueError` for tensors that do not fit together."""
    try:
        found = {f.name: torch.from_numpy(tensors[f.name].astype(np.float32)) for f in fields(Domain)}
    except KeyError as error:
        raise ValueError(f"{error} is missing") from None
    if not all(torch.isfinite(value).all() for value in found.values()):
        raise ValueError("not all of its values are finite")
    shape = found["basis"].shape
    if (
        len(shape) != 2
        or not 0 < shape[1] <= shape[0]
        or found["mean"].shape != shape[:1]
        or found["distance"].shape != ()
    ):
        raise ValueError("the features of the domain do not fit together")
    if any(found[name].shape != shape[1:] for name in ("scale", "direction")):
        raise ValueError("the components of the domain do not fit together")
    return Domain(**found)


@torch.no_grad()
def domain_features(network: LpipsNetwork, pictures: Tensor, batch: int = 32) -> Tensor:
    """Features (N, D) of pictures (N, 3, H, W) in [0, 1], of whatever size, by an LPIPS network."""
    lpips = cast(Any, network)
    stages = [getattr(lpips.net, f"slice{number + 1}") for number in range(LAYER + 1)]
    found = []
    for part in torch.split(pictures, batch):
        if part.shape[2:] != (SIDE, SIDE):
            part = F.interpolate(part, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        inner = lpips.scaling_layer(2 * part.clamp(0, 1) - 1)
        for stage in stages:
            inner = stage(inner)
        found.append(F.adaptive_avg_pool2d(inner.float(), GRID).flatten(1))
    return torch.cat(found)
