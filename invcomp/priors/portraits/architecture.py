"""The sizes of the imported generator and of the latent levels that are made of it."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from invcomp.errors import PriorError
from invcomp.priors.architecture import MAX_FEATURES, MAX_LEVELS, MAX_SYMBOLS, with_tuples

COARSEST = 4  # resolution of the synthesis network's first features


@dataclass(frozen=True)
class SynthesisShape:
    """Sizes of a synthesis network."""

    widths: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128, 64)
    """Channels of the features at 4, 8, 16, … pixels; pictures are twice as large as the last of them."""
    style_size: int = 512

    @property
    def resolutions(self) -> tuple[int, ...]:
        return tuple(COARSEST << level for level in range(len(self.widths)))

    @property
    def style_inputs(self) -> int:
        """One for the first layer, three for each block, one for the painter."""
        return 3 * len(self.widths) - 1


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
        if any(type(n) is not int or n < 1 for n in numbers) or any(n > 4096 for n in numbers):
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
