"""The imported generator as the codec sees it: latent levels with tables, and a differentiable way to a picture.

    style         W, in the principal components of the mapping network's output
    layers        W+: what each layer's style differs from W, in a basis of all layers together
    features-R    additions to the features at R × R pixels, in a basis of channels

The picture changes equally, in squared distortion and on average, by one unit of every coordinate of every level, so
one quantisation step serves them all: coordinate = step(rate) * symbol. `docs/priors.md` says how the bases were found.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invcomp.errors import PriorError
from invcomp.priors.architecture import MAX_FEATURES, MAX_LEVELS, MAX_SYMBOLS, with_tuples
from invcomp.priors.layers import RateTable
from invcomp.priors.portraits.heads import Head
from invcomp.priors.portraits.mobile_stylegan import SynthesisNetwork, SynthesisShape


@dataclass(frozen=True)
class PortraitArchitecture:
    """Sizes of the imported generator and of its latent levels."""

    widths: tuple[int, ...]
    """Channels of the synthesis network, coarse to fine."""
    style_size: int
    style_channels: int
    layer_channels: int
    layer_components: int
    """Components of W in which the basis of `layers` is written."""
    feature_resolutions: tuple[int, ...]
    feature_channels: tuple[int, ...]
    heads: tuple[int, ...]
    """Resolutions of the output heads; the search works at the smallest."""
    image_size: int
    """Side of the pictures whose size a file need not say."""
    rates: int

    def __post_init__(self) -> None:
        fields = asdict(self).values()
        numbers = [n for value in fields for n in (value if isinstance(value, tuple) else (value,))]
        if any(not isinstance(n, int) or n < 1 for n in numbers) or any(n > 4096 for n in numbers):
            raise PriorError("the sizes of an architecture are whole numbers from 1 to 4096")
        if any(width % 4 for width in self.widths):
            raise PriorError("the widths of an architecture with wavelets are multiples of 4")
        resolutions = self.shape.resolutions
        if not {*self.feature_resolutions, *self.heads} <= {*resolutions} or not self.heads or len(resolutions) > 9:
            raise PriorError("an architecture has features and heads at resolutions of its network")
        if self.levels > MAX_LEVELS:
            raise PriorError(f"an architecture has at most {MAX_LEVELS} levels")
        if len(self.feature_resolutions) != len(self.feature_channels) or not 2 <= self.rates <= 16:
            raise PriorError("an architecture has one width for each feature level, and 2 to 16 rate indices")
        layers = [width * side**2 for width, side in zip(self.widths, resolutions, strict=False)]
        if max(layers) > MAX_FEATURES or sum(c * h * w for c, h, w in self.latent_shapes(0, 0)) > MAX_SYMBOLS:
            raise PriorError("an architecture of these widths takes more memory or time than is given to one")
        if self.image_size not in self.sizes:
            raise PriorError(f"an architecture has one of its output sizes as its own: {self.sizes}")

    @property
    def shape(self) -> SynthesisShape:
        return SynthesisShape(self.widths, self.style_size)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the pictures that the generator paints, the cheapest first."""
        finest = self.shape.resolutions[-1]
        return (*sorted(self.heads), finest, 2 * finest)

    @property
    def coded_size(self) -> int:
        """Side of the pictures that are searched."""
        return min(self.heads)

    @property
    def level_names(self) -> tuple[str, ...]:
        return ("style", "layers", *(f"features-{resolution}" for resolution in self.feature_resolutions))

    @property
    def levels(self) -> int:
        return len(self.level_names)

    def latent_shapes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """(C, H, W) of every level; the same for every picture."""
        features = zip(self.feature_channels, self.feature_resolutions, strict=True)
        return [(self.style_channels, 1, 1), (self.layer_channels, 1, 1), *((c, r, r) for c, r in features)]

    def table_shapes(self) -> list[tuple[int, int, int]]:
        """(C, H, W) of what the tables of every level tell apart."""
        return [(channels, 1, 1) for channels, _, _ in self.latent_shapes(0, 0)]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**with_tuples(data))


class PortraitGenerator(nn.Module):
    """Symbols of all levels → pictures in [0, 1], not clamped."""

    def __init__(self, arch: PortraitArchitecture) -> None:
        super().__init__()
        self.arch = arch
        layers, components = arch.shape.style_inputs, arch.layer_components
        self.synthesis = SynthesisNetwork(arch.shape)
        self.heads = nn.ModuleDict({str(resolution): Head(arch.shape, resolution) for resolution in sorted(arch.heads)})
        self.log_step = RateTable(torch.zeros(arch.rates))
        self.mean_style = nn.Parameter(torch.zeros(arch.style_size))
        self.style_basis = nn.Parameter(torch.zeros(arch.style_channels, arch.style_size))
        self.layer_basis = nn.Parameter(torch.zeros(arch.layer_channels, layers, components))
        self.components = nn.Parameter(torch.zeros(components, arch.style_size))
        widths = dict(zip(arch.shape.resolutions, arch.widths, strict=True))
        self.feature_bases = nn.ParameterDict(
            {
                str(resolution): nn.Parameter(torch.zeros(widths[resolution], channels, 1, 1))
                for resolution, channels in zip(arch.feature_resolutions, arch.feature_channels, strict=True)
            }
        )

    def styles(self, style: Tensor, layers: Tensor) -> Tensor:
        """Coordinates (N, C, 1, 1) of the first two levels → W+ (N, L, S)."""
        w = self.mean_style + style.flatten(1) @ self.style_basis
        offsets = torch.einsum("nk,klp->nlp", layers.flatten(1), self.layer_basis) @ self.components
        return w[:, None] + offsets

    def forward(self, residuals: Sequence[Tensor], rate: Tensor, size: int | None = None) -> Tensor:
        """Symbols [(N, C, H, W)] by level and rates (N,) in [0, R - 1] → pictures (N, 3, size, size).

        `size`: one of the architecture's `sizes`; by default the one that is searched.
        """
        size = self.arch.coded_size if size is None else size
        step = self.log_step(rate).exp()[:, None, None, None]
        coordinates = [step * residual for residual in residuals]
        styles = self.styles(coordinates[0], coordinates[1])
        additions = {
            resolution: F.conv2d(values, self.feature_bases[str(resolution)])
            for resolution, values in zip(self.arch.feature_resolutions, coordinates[2:], strict=True)
        }
        if size not in self.arch.heads:
            return self.synthesis(styles, size, additions)  # type: ignore[no-any-return]
        features = self.synthesis.features(styles, (size,), additions)[size]
        return self.heads[str(size)](features, styles, self.synthesis)  # type: ignore[no-any-return]
