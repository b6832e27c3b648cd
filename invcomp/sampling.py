"""New pictures from a prior, one after another: what is asked for, and the drawing of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from PIL import Image

from invcomp import provenance
from invcomp.errors import UsageError
from invcomp.pixels import to_image
from invcomp.priors.drawing import PSI, draw_symbols
from invcomp.priors.generator import Generator
from invcomp.priors.portraits.sampling import check_size, draw_pictures, quick_head

if TYPE_CHECKING:
    from invcomp.codec import Codec

IMPORTED_PSI = (0.7, 1.0)  # truncation of samples of an imported prior, unless told otherwise
FREE_SAMPLE = 64  # side in pixels of samples of a prior of free size, unless told otherwise


@dataclass(frozen=True)
class Sampling:
    """How new pictures are drawn.

    A trained prior draws the levels that its factor analysis covers from that, with a truncation uniform in the range
    `psi`, and leaves finer ones zero; without one it draws all from the tables of a `rate` index. An imported one draws
    W, drawn towards the mean by a truncation uniform in `psi`.
    """

    rate: int | None
    """None for an imported prior, which has no rates here."""
    size: int
    """Side of the pictures in pixels."""
    psi: tuple[float, float] | None
    """None for a prior without truncation."""
    quick: bool

    @classmethod
    def of(
        cls,
        codec: Codec,
        *,
        rate: int | None = None,
        size: int | None = None,
        psi: tuple[float, float] | None = None,
        quick: bool = False,
    ) -> Self:
        """What is asked of a codec's prior; what is left open is the middle rate index, and the prior's own size and
        truncation.

        `size` goes with a prior of free size, or is one of those that an imported one paints or shrinks to; `quick` is
        for an imported one, at the sizes of its heads. Raises `UsageError`.
        """
        prior, name = codec.prior, codec.prior.info.name
        if psi is not None and not 0 <= psi[0] <= psi[1] <= 2:
            raise UsageError(f"the truncation psi lies between 0 and 2, the lower end first, not {psi[0]:g}:{psi[1]:g}")
        if isinstance(prior.generator, Generator):
            if prior.factors is not None:
                psi = psi or PSI
            elif psi is not None:
                raise UsageError(f"the prior {name} has no truncation psi: its levels are drawn from tables")
            rate = prior.arch.rates // 2 if rate is None else rate
            if not 0 <= rate < prior.arch.rates:
                raise UsageError(f"the rate index lies between 0 and {prior.arch.rates - 1}, not {rate}")
            own = prior.arch.image_size
            if own is not None and size not in (None, own):
                raise UsageError(f"the prior {name} draws pictures of {own} pixels, not of {size}")
            size = (own or FREE_SAMPLE) if size is None else size
            if size < 1:
                raise UsageError(f"the size is 1 pixel or more, not {size}")
            codec.coded_size(size, size)
        else:
            if rate is not None:
                raise UsageError(f"the prior {name} is sampled without a rate: give --psi if anything")
            psi = psi or IMPORTED_PSI
            size = prior.generator.arch.image_size if size is None else size
            check_size(prior.generator.synthesis, size)
        if quick:
            quick_head(prior.generator, size, name)
        return cls(rate, size, psi, quick)


def samples(codec: Codec, asked: Sampling, indices: Sequence[int], seed: int) -> Iterator[tuple[int, Image.Image]]:
    """New pictures as they are drawn, with their indices; a picture depends on seed and index alone."""
    prior = codec.prior
    if isinstance(prior.generator, Generator):
        drawn = from_levels(codec, asked, indices, seed)
    else:
        assert prior.mapping is not None
        assert asked.psi is not None
        drawn = draw_pictures(
            prior.mapping,
            prior.generator.synthesis,
            prior.generator.mean_style,
            seed=seed,
            indices=indices,
            psi=asked.psi,
            size=asked.size,
            head=quick_head(prior.generator, asked.size, prior.info.name) if asked.quick else None,
        )
    for index, image in drawn:
        image.info |= provenance.drawn(codec.made_by)
        yield index, image


def from_levels(codec: Codec, asked: Sampling, indices: Sequence[int], seed: int) -> Iterator[tuple[int, Image.Image]]:
    """Pictures whose latent levels are drawn, of a trained prior."""
    prior, (width, height) = codec.prior, codec.coded_size(asked.size, asked.size)
    assert asked.rate is not None
    shapes = prior.arch.latent_shapes(height, width)
    for index in indices:
        levels = draw_symbols(prior.tables, prior.factors, shapes, asked.rate, (seed, index), asked.psi or PSI)
        yield index, to_image(codec.paint([levels], [asked.rate])[0])
