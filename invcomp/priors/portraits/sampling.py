"""Pictures for training folders: people who do not exist, drawn from the imported network.

Picture `i` of seed `s` depends on `(s, i)` alone, so an interrupted run goes on where it stopped, and other seeds give
other people. That holds bit for bit on one CPU build; elsewhere up to rounding.
"""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from invcomp.errors import UsageError
from invcomp.pixels import to_image
from invcomp.priors.portraits.generator import PortraitGenerator
from invcomp.priors.portraits.heads import Head
from invcomp.priors.portraits.mobile_stylegan import MappingNetwork, SynthesisNetwork

SMALLEST = 32  # pixels; fewer show no face
DRAWS_FOR_MEAN = 4096
BATCH = {"cpu": 1, "cuda": 16}  # a CPU gains nothing from more, and one by one no picture depends on its neighbours


@torch.no_grad()
def find_mean_style(mapping: MappingNetwork) -> Tensor:
    """The centre of the style space, (S,), from a fixed set of draws: what truncation draws styles towards."""
    z = np.random.default_rng(0).standard_normal((DRAWS_FOR_MEAN, _style_size(mapping)), dtype=np.float32)
    return mapping(torch.from_numpy(z).to(_device(mapping))).mean(dim=0)  # type: ignore[no-any-return]


@torch.no_grad()
def draw_styles(
    mapping: MappingNetwork, mean_style: Tensor, seed: int, indices: Sequence[int], psi: tuple[float, float]
) -> Tensor:
    """Styles W (N, S) of the pictures `indices` of a seed, each with its own truncation psi, uniform in a range.

    `mean_style`: (S,), see `find_mean_style`; psi 0 is the mean face, 1 leaves the style as it is.
    """
    z = np.empty((len(indices), _style_size(mapping)), dtype=np.float32)
    truncation = np.empty((len(indices), 1), dtype=np.float32)
    for row, index in enumerate(indices):
        rng = np.random.default_rng([seed, index])
        z[row] = rng.standard_normal(z.shape[1], dtype=np.float32)
        truncation[row] = rng.uniform(*psi)
    w: Tensor = mapping(torch.from_numpy(z).to(_device(mapping)))
    return mean_style + torch.from_numpy(truncation).to(w.device) * (w - mean_style)


def sizes(synthesis: SynthesisNetwork) -> tuple[int, ...]:
    """Sides of the pictures that `paint` gives, in pixels: 32, 64, … 1024."""
    largest = synthesis.sizes[-1]
    return tuple(SMALLEST << level for level in range((largest // SMALLEST).bit_length()))


def check_size(synthesis: SynthesisNetwork, size: int) -> None:
    """Raises `UsageError` for a size that `paint` does not give."""
    if size not in sizes(synthesis):
        known = ", ".join(map(str, sizes(synthesis)))
        raise UsageError(f"pictures of {size} pixels cannot be drawn: choose one of {known}")


@torch.no_grad()
def paint(synthesis: SynthesisNetwork, styles: Tensor, size: int) -> Tensor:
    """Styles W or W+ → pictures (N, 3, size, size) in [0, 1], not clamped. Raises `UsageError` for another size.

    The largest comes from the whole network; every other one is its area average, taken of the low band.
    """
    check_size(synthesis, size)
    low, whole = synthesis.sizes
    if size == whole:
        return synthesis(styles, whole)  # type: ignore[no-any-return]
    return F.avg_pool2d(synthesis(styles, low), low // size)


def quick_head(generator: nn.Module, size: int, prior: str) -> Head:
    """What paints pictures of `size` pixels in a third of the time. Raises `UsageError` if the prior has none."""
    heads = generator.heads if isinstance(generator, PortraitGenerator) else nn.ModuleDict()
    if str(size) in heads:
        return heads[str(size)]  # type: ignore[return-value]
    what = f"draws quickly at {' or '.join(heads)} pixels alone, not at {size}" if heads else "has no quick way to draw"
    raise UsageError(f"the prior {prior} {what}: leave out --quick")


@torch.no_grad()
def paint_quickly(synthesis: SynthesisNetwork, head: Head, styles: Tensor) -> Tensor:
    """Styles W (N, S) → nearly the pictures of `paint`, (N, 3, R, R) in [0, 1], not clamped; R is the head's."""
    per_layer = styles[:, None].expand(-1, synthesis.shape.style_inputs, -1)
    features = synthesis.features(per_layer, (head.resolution,))[head.resolution]
    return head(features, per_layer, synthesis)  # type: ignore[no-any-return]


def draw_pictures(
    mapping: MappingNetwork,
    synthesis: SynthesisNetwork,
    mean_style: Tensor,
    *,
    seed: int,
    indices: Sequence[int],
    psi: tuple[float, float],
    size: int,
    head: Head | None = None,
) -> Iterator[tuple[int, Image.Image]]:
    """Yields (index, picture) for all `indices`, in order and batch by batch, so that files are written as they come.

    The networks and `mean_style` lie on one device; a `head` of this size paints in place of the whole network. On a
    GPU convolutions may use TF32: this is sampling, not decoding. Raises `UsageError` for a size that `paint` does not
    give.
    """
    device = _device(mapping)
    if device.type == "cuda":
        synthesis = copy.deepcopy(synthesis).to(memory_format=torch.channels_last)  # ours; the caller's stays as it is
    batch = BATCH[device.type]
    for start in range(0, len(indices), batch):
        some = indices[start : start + batch]
        # not across `yield`: the caller may decode
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=True):
            styles = draw_styles(mapping, mean_style, seed, some, psi)
            pictures = paint_quickly(synthesis, head, styles) if head else paint(synthesis, styles, size)
        yield from zip(some, map(to_image, pictures.cpu()), strict=True)


def _style_size(mapping: MappingNetwork) -> int:
    first = mapping.layers[0]
    assert isinstance(first, torch.nn.Linear)
    return first.in_features


def _device(mapping: MappingNetwork) -> torch.device:
    return next(mapping.parameters()).device
