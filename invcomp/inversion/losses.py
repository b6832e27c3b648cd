"""Loss expressions: `1*mse + 0.5*lpips-squeeze` → a distance of pictures.

Pictures are (N, 3, H, W) in [0, 1]; every term gives one non-negative number a picture, zero for equal pictures.
A term splits into `reference` (what the target says, computed once) and `distance` (computed every step).
"""

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.error import URLError

import torch
from torch import Tensor
from torch.nn import functional as F

from invcomp.errors import LossError
from invcomp.priors.critic import Critic, feature_distance

PERCEPTUAL_SIDE = 128  # LPIPS is blind to missing eyes at 64 pixels: pictures are enlarged to at least this


class Term(Protocol):
    """One term of a loss."""

    def reference(self, target: Tensor) -> Any:
        """What `distance` needs of the target (N, 3, H, W)."""

    def distance(self, pictures: Tensor, reference: Any) -> Tensor:
        """Distances (N,) of pictures (N, 3, H, W)."""


@dataclass(frozen=True)
class PixelTerm:
    """A term that compares pictures directly."""

    compare: Callable[[Tensor, Tensor], Tensor]

    def reference(self, target: Tensor) -> Tensor:
        return target

    def distance(self, pictures: Tensor, reference: Tensor) -> Tensor:
        return self.compare(pictures, reference)


def mse(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square().mean(dim=(1, 2, 3))


def l1(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).abs().mean(dim=(1, 2, 3))


def charbonnier(x: Tensor, y: Tensor) -> Tensor:
    """A smooth L1 (Charbonnier et al. 1994), epsilon 0.01, shifted so that equal pictures have distance zero."""
    return ((x - y).square() + 1e-4).sqrt().mean(dim=(1, 2, 3)) - 1e-2


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """1 - SSIM (Wang et al. 2004), Gaussian window of 11, pictures clamped to [0, 1]."""
    import piq

    if min(x.shape[2:]) < 11:
        raise LossError(f"ssim needs pictures of at least 11 pixels, not {min(x.shape[2:])}: use mse, l1 or critic")
    return 1 - cast(Tensor, piq.ssim(x.clamp(0, 1), y, data_range=1.0, reduction="none", downsample=False))


MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """1 - MS-SSIM (Wang et al. 2003), with as many of its five scales as the picture has room for."""
    import piq

    side = min(x.shape[2:])
    scales = max((n for n in range(1, 6) if 10 * 2 ** (n - 1) + 1 <= side), default=0)
    if scales < 2:
        raise LossError(f"ms-ssim needs pictures of at least 21 pixels, not {side}: use mse, l1 or critic")
    weights = torch.tensor(MS_SSIM_WEIGHTS[:scales], device=x.device)
    value = piq.multi_scale_ssim(
        x.clamp(0, 1), y, data_range=1.0, reduction="none", scale_weights=weights / weights.sum()
    )
    return 1 - cast(Tensor, value)


class CriticTerm:
    """Feature distance in the prior's own critic."""

    def __init__(self, critic: Critic) -> None:
        self.critic = critic

    def reference(self, target: Tensor) -> list[Tensor]:
        return self.critic.features(target)

    def distance(self, pictures: Tensor, reference: list[Tensor]) -> Tensor:
        return feature_distance(self.critic.features(pictures), reference)


BACKBONE_FILES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
    "vgg": "vgg16-397923af.pth",
}


class LpipsTerm:
    """LPIPS 0.1 (Zhang et al. 2018) on pictures enlarged to at least 128 pixels, with the `lpips` package's weights."""

    def __init__(self, net: str, device: torch.device, scale: int | None = None) -> None:
        """`scale` fixes the enlargement (for crops of a larger picture); None derives it from the picture's size."""
        self.model = load_lpips(net).to(device)
        self.scale = scale

    def features(self, pictures: Tensor) -> list[Tensor]:
        scale = self.scale or enlargement(min(pictures.shape[2:]))
        if scale > 1:
            pictures = F.interpolate(pictures, scale_factor=float(scale), mode="bilinear", align_corners=False)
        outputs = self.model.net(self.model.scaling_layer(2 * pictures - 1))
        return [F.normalize(x.float(), dim=1, eps=1e-10) for x in outputs]

    def reference(self, target: Tensor) -> list[Tensor]:
        return self.features(target)

    def distance(self, pictures: Tensor, reference: list[Tensor]) -> Tensor:
        total = torch.zeros(len(pictures), device=pictures.device)
        for x, y, lin in zip(self.features(pictures), reference, self.model.lins, strict=True):
            total = total + lin((x - y).square()).float().mean(dim=(1, 2, 3))
        return total


def enlargement(side: int) -> int:
    """The whole factor that brings `side` pixels to at least `PERCEPTUAL_SIDE`."""
    return max(1, -(-PERCEPTUAL_SIDE // side))


def load_lpips(net: str) -> Any:
    """The `lpips` network on `net` (alex, squeeze, vgg), frozen; its backbone comes through torchvision's cache."""
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = lpips.LPIPS(net=net, verbose=False)
        except (URLError, OSError, RuntimeError) as error:
            path = Path(torch.hub.get_dir()) / "checkpoints" / BACKBONE_FILES[net]
            raise LossError(
                f"lpips-{net} needs the file {path}, which is neither there nor could be downloaded ({error}); "
                f"put it there, or use terms that work without it: {', '.join(FREE_TERMS)}"
            ) from None
    return model.eval().requires_grad_(False)


PIXEL_TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": mse,
    "l1": l1,
    "charbonnier": charbonnier,
    "ssim": ssim,
    "ms-ssim": ms_ssim,
}
LPIPS_TERMS = tuple(f"lpips-{net}" for net in BACKBONE_FILES)
FREE_TERMS = (*PIXEL_TERMS, "critic")
TERMS = (*FREE_TERMS, *LPIPS_TERMS)


def parse_loss(expression: str) -> list[tuple[float, str]]:
    """`"1*mse + 0.5*critic"` → [(1.0, "mse"), (0.5, "critic")]; a missing weight is 1. Raises `LossError`."""
    parts = []
    for text in re.split(r"(?<![\d.][eE])\+", expression):
        weight, star, name = text.strip().rpartition("*")
        name = name.strip()
        if name not in TERMS:
            raise LossError(f"loss {expression!r}: there is no term {name!r}; the terms are {', '.join(TERMS)}")
        try:
            value = float(weight) if star else 1.0
        except ValueError:
            raise LossError(f"loss {expression!r}: {weight.strip()!r} is not a number; write 0.5*{name}") from None
        if not 0 <= value < float("inf"):
            raise LossError(f"loss {expression!r}: the weight of {name} must be 0 or more")
        parts.append((value, name))
    if not any(value for value, _ in parts):
        raise LossError(f"loss {expression!r}: every weight is zero")
    return parts


class Loss:
    """A weighted sum of terms."""

    def __init__(self, parts: Sequence[tuple[float, Term]]) -> None:
        self.parts = list(parts)

    def reference(self, target: Tensor) -> list[Any]:
        """What `distance` needs of the target (N, 3, H, W); computed once a picture."""
        with torch.no_grad():
            return [term.reference(target) for _, term in self.parts]

    def distance(self, pictures: Tensor, references: list[Any]) -> Tensor:
        """Distances (N,) of pictures (N, 3, H, W) to the references' pictures."""
        total = torch.zeros(len(pictures), device=pictures.device)
        for (weight, term), reference in zip(self.parts, references, strict=True):
            total = total + weight * term.distance(pictures, reference).float()
        return total


def build_loss(
    expression: str, critic: Callable[[], Critic], device: torch.device, lpips_scale: int | None = None
) -> Loss:
    """The loss of an expression; `critic` gives the prior's critic and is called only if a term needs it."""
    terms: list[tuple[float, Term]] = []
    for weight, name in parse_loss(expression):
        if name in PIXEL_TERMS:
            terms.append((weight, PixelTerm(PIXEL_TERMS[name])))
        elif name == "critic":
            terms.append((weight, CriticTerm(critic())))
        else:
            terms.append((weight, LpipsTerm(name.removeprefix("lpips-"), device, lpips_scale)))
    return Loss(terms)
