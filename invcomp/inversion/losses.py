"""Loss expressions: `1*mse + 0.5*lpips-squeeze` → a distance of pictures.

Pictures are (N, 3, H, W) in [0, 1]; every term gives one non-negative number a picture, zero for equal pictures.
A term splits into `reference` (what the target says, computed once) and `distance` (computed every step).
`face:mse` is a term on the part of the picture where a face is, if it is aligned as in FFHQ.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from invcomp.errors import LossError
from invcomp.inversion.lpips import PERCEPTUAL_SIDE, LpipsTerm
from invcomp.priors.critic import Critic, feature_distance
from invcomp.priors.lpips import BACKBONE_FILES, LpipsNetwork, MissingWeightsError, download_lpips


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


SSIM_WINDOW = 11  # pixels


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """1 - SSIM (Wang et al. 2004), Gaussian window of 11, pictures clamped to [0, 1]."""
    import piq

    check_side("ssim", min(x.shape[2:]))
    return 1 - cast(Tensor, piq.ssim(x.clamp(0, 1), y, data_range=1.0, reduction="none", downsample=False))


LEAST_SIDES = {"ssim": SSIM_WINDOW, "ms-ssim": 21}  # of pictures, by term, in pixels
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """1 - MS-SSIM (Wang et al. 2003), with as many of its five scales as the picture has room for."""
    import piq

    side = min(x.shape[2:])
    check_side("ms-ssim", side)
    scales = max(n for n in range(1, 6) if 10 * 2 ** (n - 1) + 1 <= side)
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


FACE = "face:"
FACE_LEFT, FACE_TOP, FACE_SIDE = 0.22, 0.30, 0.56  # from the eyebrows to the chin, as shares of width and height
FACE_LEAST = 32  # pixels of the whole picture
FACE_PERCEPTUAL_SIDE = round(FACE_SIDE * PERCEPTUAL_SIDE)  # LPIPS of a face enlarges it as that of a picture does


def check_side(name: str, side: int) -> None:
    """Raise `LossError` if pictures whose shorter side has `side` pixels are too small for a term."""
    if name.startswith(FACE):
        if side < FACE_LEAST:
            raise LossError(f"terms of the face need pictures of {FACE_LEAST} pixels or more, not {side}")
        name, side = whole(name), face_side(side)
    if side < (least := LEAST_SIDES.get(name, 1)):
        raise LossError(f"{name} needs pictures of at least {least} pixels, not {side}: use mse, l1 or critic")


def check_sides(expression: str, width: int, height: int) -> None:
    """Raise `LossError` if pictures are too small for a term of a loss expression."""
    for _, name in parse_loss(expression):
        check_side(name, min(width, height))


def face_side(side: int) -> int:
    return 2 * round(FACE_SIDE * side / 2)


def face_of(pictures: Tensor) -> Tensor:
    """The part (N, 3, h, w) of pictures where a face is, if it is aligned as in FFHQ; h and w are even."""
    height, width = pictures.shape[2:]
    top, left = round(FACE_TOP * height), round(FACE_LEFT * width)
    h, w = face_side(height), face_side(width)
    return pictures[:, :, top : top + h, left : left + w]


@dataclass(frozen=True)
class FaceTerm:
    """A term on the face alone. Pictures have at least 32 pixels a side."""

    term: Term

    def reference(self, target: Tensor) -> Any:
        check_side(FACE, min(target.shape[2:]))
        return self.term.reference(face_of(target))

    def distance(self, pictures: Tensor, reference: Any) -> Tensor:
        return self.term.distance(face_of(pictures), reference)


PIXEL_TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": mse,
    "l1": l1,
    "charbonnier": charbonnier,
    "ssim": ssim,
    "ms-ssim": ms_ssim,
}
LPIPS_TERMS = {f"lpips-{net}": net for net in BACKBONE_FILES}
FREE_TERMS = (*PIXEL_TERMS, "critic")
TERMS = (*FREE_TERMS, *LPIPS_TERMS)


def whole(name: str) -> str:
    """`face:mse` → `mse`: the term without the part of the picture that it looks at."""
    return name.removeprefix(FACE)


def parse_loss(expression: str) -> list[tuple[float, str]]:
    """`"1*mse + 0.5*critic"` → [(1.0, "mse"), (0.5, "critic")]; a missing weight is 1. Raises `LossError`."""
    parts = []
    for text in re.split(r"(?<![\d.][eE])\+", expression):
        weight, star, name = text.strip().rpartition("*")
        name = name.strip()
        if whole(name) not in TERMS:
            raise LossError(
                f"loss {expression!r}: there is no term {name!r}; the terms are {', '.join(TERMS)}, "
                f"and any of them on the face alone, like {FACE}{TERMS[0]}"
            )
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
    expression: str,
    critic: Callable[[], Critic],
    device: torch.device,
    lpips: Callable[[str], LpipsNetwork] | None = None,
    lpips_scale: int | None = None,
) -> Loss:
    """The loss of an expression. Raises `LossError`.

    `critic` gives the prior's critic and `lpips` the network of an LPIPS term (by default the one of torchvision's
    cache); they are called only if a term needs them.
    """

    def term(name: str, least: int = PERCEPTUAL_SIDE) -> Term:
        if name.startswith(FACE):
            return FaceTerm(term(whole(name), FACE_PERCEPTUAL_SIDE))
        if name in PIXEL_TERMS:
            return PixelTerm(PIXEL_TERMS[name])
        if name == "critic":
            return CriticTerm(critic())
        network = lpips(LPIPS_TERMS[name]) if lpips else cached_lpips(name)
        return LpipsTerm(network.to(device), lpips_scale, least)

    return Loss([(weight, term(name)) for weight, name in parse_loss(expression)])


def cached_lpips(name: str) -> LpipsNetwork:
    """The network of an LPIPS term from torchvision's cache. Raises `LossError` if it is not there."""
    try:
        return download_lpips(LPIPS_TERMS[name])
    except MissingWeightsError as error:
        raise LossError(f"{name} needs {error}; or use terms that work without it: {', '.join(FREE_TERMS)}") from None
