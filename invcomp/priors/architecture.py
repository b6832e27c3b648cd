"""The shape of a prior: which latent levels it has and how wide its networks are."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from invcomp.errors import PriorError

COARSEST = 4  # resolution of the coarsest level of a fixed-size prior
FREE_LEVELS = 4  # levels of a prior of free size: strides 16, 8, 4, 2
MAX_LEVELS = 8
MAX_WIDTH = 4096
MAX_FREE_PIXELS = 1 << 22  # largest picture of a prior of free size: bounds memory at about 2 GB
MAX_SIDE = 1 << 16  # pixels, of a picture of a prior of free size
MAX_FEATURES, MAX_SYMBOLS = 1 << 28, 1 << 24  # numbers in one layer, and symbols, of the largest picture
MAX_STEPS = 1 << 20  # of its decoding, one after another with contexts: a diagonal of a channel each


def with_tuples(data: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists as the tuples that frozen dataclasses hold."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}


@dataclass(frozen=True)
class Architecture:
    """Sizes of generator, encoder and critic; tuples run coarse to fine, one entry per latent level.

    Level `l` of `L` has stride `2 ** (L - l)`: the finest level lives at half the picture's resolution.
    """

    image_size: int | None
    """Side of the pictures in pixels, or None for pictures of any size (no learned constant)."""
    widths: tuple[int, ...]
    latent_channels: tuple[int, ...]
    paint_width: int
    encoder_widths: tuple[int, ...]
    critic_widths: tuple[int, ...]
    rates: int = 8
    """Number of rate indices: nodes between which rate-dependent parameters are interpolated."""

    def __post_init__(self) -> None:
        levels = len(self.widths)
        tuples = (self.widths, self.latent_channels, self.encoder_widths, self.critic_widths)
        if not 1 <= levels <= MAX_LEVELS or any(len(t) != levels for t in tuples):
            raise PriorError(f"an architecture needs 1 to {MAX_LEVELS} levels and one width per level")
        if any(type(width) is not int for t in (*tuples, (self.paint_width, self.rates)) for width in t):
            raise PriorError("the widths of an architecture are whole numbers")
        if any(not 1 <= width <= MAX_WIDTH for t in (*tuples, (self.paint_width,)) for width in t):
            raise PriorError(f"the widths of an architecture lie between 1 and {MAX_WIDTH}")
        if not 2 <= self.rates <= 16:
            raise PriorError("an architecture has 2 to 16 rate indices")
        side = self.image_size
        if side is not None and (type(side) is not int or side != COARSEST * self.stride):
            raise PriorError(f"an architecture of {levels} levels makes pictures of {COARSEST * self.stride} pixels")
        pixels = MAX_FREE_PIXELS if side is None else side**2
        areas = [pixels >> 2 * (levels - level) for level in range(levels)]
        layers = [width * area for width, area in zip(self.widths, areas, strict=True)]
        symbols = sum(channels * area for channels, area in zip(self.latent_channels, areas, strict=True))
        steps = [c * 2 * (side or MAX_SIDE) >> levels - n for n, c in enumerate(self.latent_channels)]
        if max(*layers, self.paint_width * areas[-1]) > MAX_FEATURES or symbols > MAX_SYMBOLS or sum(steps) > MAX_STEPS:
            raise PriorError("an architecture of these widths takes more memory or time than is given to one")

    @property
    def levels(self) -> int:
        return len(self.widths)

    @property
    def coded_size(self) -> int | None:
        """Side of the pictures that are searched, or None if it depends on the picture."""
        return self.image_size

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the pictures that the generator paints; none if it depends on the picture."""
        return () if self.image_size is None else (self.image_size,)

    @property
    def stride(self) -> int:
        """Pixels per latent position at the coarsest level."""
        return 1 << self.levels

    def latent_shapes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """(C, H, W) of every level for a picture of `height` x `width` pixels, both multiples of `stride`."""
        return [
            (c, height // 2 ** (self.levels - level), width // 2 ** (self.levels - level))
            for level, c in enumerate(self.latent_channels)
        ]

    def table_shapes(self) -> list[tuple[int, int, int]]:
        """(C, H, W) of what the tables of every level tell apart: positions, for a prior of fixed size."""
        if self.image_size is None:
            return [(channels, 1, 1) for channels in self.latent_channels]
        return self.latent_shapes(self.image_size, self.image_size)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**with_tuples(data))


@dataclass(frozen=True)
class Preset:
    """Widths as a function of resolution: `min(largest, budget / resolution)`."""

    largest: int
    budget: int
    paint_width: int
    latent_channels: tuple[int, ...] = (24, 12, 8, 4, 2, 2, 2)

    def width(self, resolution: int, share: float = 1.0) -> int:
        return max(8, int(share * min(self.largest, self.budget // resolution)) // 8 * 8)


PRESETS = {
    "tiny": Preset(largest=64, budget=512, paint_width=24, latent_channels=(8, 6, 4, 4, 2, 2, 2)),
    "small": Preset(largest=384, budget=2048, paint_width=96),
    "base": Preset(largest=704, budget=3584, paint_width=160),
}


def from_preset(name: str, image_size: int | None) -> Architecture:
    """The architecture of a preset (`tiny`, `small`, `base`) for pictures of `image_size`, or of any size (None)."""
    if name not in PRESETS:
        raise PriorError(f"there is no preset {name!r}; the presets are {', '.join(PRESETS)}")
    preset = PRESETS[name]
    if image_size is None:
        levels = FREE_LEVELS
    else:
        levels = (image_size // COARSEST).bit_length() - 1
        if image_size != COARSEST * 2 ** max(levels, 2) or levels > len(preset.latent_channels):
            raise PriorError(f"no prior has pictures of {image_size} pixels; choose 16, 32, 64, 128, 256 or 512")
    resolutions = [COARSEST * 2**level for level in range(levels)]
    return Architecture(
        image_size=image_size,
        widths=tuple(preset.width(r) for r in resolutions),
        latent_channels=preset.latent_channels[:levels],
        paint_width=preset.paint_width,
        encoder_widths=tuple(preset.width(r, 1.0 if r > COARSEST * 2 else 0.75) for r in resolutions),
        critic_widths=tuple(preset.width(r, 0.75) for r in resolutions),
    )
