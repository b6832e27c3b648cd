"""Bytes → image: what every decoder has in common, whatever runs the generator. Nothing here needs torch."""

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from invcomp import container, provenance
from invcomp.container import Container
from invcomp.entropy import coder
from invcomp.entropy.chain import Symbols
from invcomp.entropy.coder import Payload
from invcomp.errors import FormatError, ImageError, UsageError
from invcomp.fallback import decode_still, enlarged
from invcomp.label import mark
from invcomp.pictures import from_array
from invcomp.placement import Placement
from invcomp.priors.architecture import MAX_FREE_PIXELS, Architecture
from invcomp.priors.factors import Residuals
from invcomp.priors.info import read_info
from invcomp.priors.reading import DecodingSide
from invcomp.priors.registry import mend_for, priors_of

MAX_SHOWN = 4096  # longest side in pixels that a decoder is asked for


class Decoding(ABC):
    """Files of one prior → pictures. Subclasses say how the generator is run."""

    prior: DecodingSide

    @abstractmethod
    def painted(self, symbols: Residuals, rate: int, size: int | None) -> NDArray[np.float32]:
        """Symbols (C, H, W) by level, or real numbers in their place, and their rate index → a picture (3, H, W) in
        [0, 1], not clamped.

        `size`: one of the sizes that the prior paints; None for the one that is searched.
        """

    def read(self, data: bytes, name: str = "the file", partial: bool = False) -> tuple[Container, Symbols]:
        """What a file says, and its symbols. Raises `FormatError`.

        `partial`: a truncated progressive file is read as far as its levels are whole; the symbols of others are zero.
        """
        content = container.read(data, self.prior.info.id_bytes, name, partial)
        if content.foreign is not None:
            raise FormatError(f"{name} holds a {content.foreign} file in place of latents")
        return content, self._symbols(content, name)

    def _symbols(self, content: Container, name: str) -> Symbols:
        arch, tables = self.prior.arch, self.prior.tables
        if content.rate >= arch.rates or (content.levels or 0) >> arch.levels:
            raise FormatError(f"{name} is damaged: it names a rate or level that its prior does not have")
        width, height = self.coded_size(*self.picture_size(content, name), name)
        coded = [level in self._coded(content) for level in range(arch.levels)]
        shapes = arch.latent_shapes(height, width)
        try:
            if content.parts is None:
                payload = Payload(content.payload, content.tail)
                return coder.decode(tables, payload, shapes, content.rate, coded)
            return coder.decode_apart(tables, content.parts, shapes, content.rate, coded)
        except FormatError as error:
            raise FormatError(f"{name} is damaged: {error}") from None

    def decompress(
        self,
        data: bytes,
        *,
        native: bool = False,
        size: int | None = None,
        levels: int | None = None,
        partial: bool = False,
        label: bool = False,
        name: str = "the file",
    ) -> Image.Image:
        """The bytes of a file → a picture of the original's size, or (`native`) the prior's.

        `size`: longer side in pixels instead. A prior that paints several sizes paints the smallest that is large
        enough, and the picture is resized from there. `levels`: how many of the coarsest latent levels are used; what
        the others would say is left to the prior (`residuals`). `partial`: a truncated progressive file is shown as far
        as its levels are whole. `label` draws a mark, "generated likeness", where there is room for it
        (`invcomp.label`); not on what another codec stored (`fallback`), which is returned as it is. The picture's
        `info` says which prior made it, and `invcomp.pictures.encode_image` keeps that in a file.
        Raises `FormatError`, and `UsageError` for an impossible size or number of levels.
        """
        check_shown(native, size)
        self.check_levels(levels)
        content = container.read(data, self.prior.info.id_bytes, name, partial)
        own = self.picture_size(content, name)
        width, height = self.shown_size(own, native, size)
        if content.foreign is not None:
            return enlarged(decode_still(content.foreign, content.payload, own, name), (width, height))
        residuals = self.residuals(content, self._symbols(content, name), levels)
        painted = self.painted_size(max(width, height))
        picture = self.painted(residuals, content.rate, painted)
        image = from_array(picture if painted else picture[:, : own[1], : own[0]])
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.LANCZOS)
        image.info |= provenance.decoded(self.made_by, *self.levels_used(content, levels))
        if label:
            mark(image)
        return image

    def residuals(self, content: Container, symbols: Symbols, most: int | None = None) -> Residuals:
        """What is painted of a file's symbols, of the coarsest `most` levels if given.

        A level is missing that the file codes, but that is cut off or not asked for: in its place comes what the prior
        expects given the levels before it, or zeros if the prior does not know. Levels that the file does not code are
        zero, and known to be. Raises `PriorError`.
        """
        coded = self._coded(content)
        there = [level not in coded for level in range(len(symbols))]
        for level in self._whole(content):
            there[level] = most is None or level < most
        if all(there):
            return list(symbols)
        found = [s if known else np.zeros_like(s) for s, known in zip(symbols, there, strict=True)]
        factors = self.prior.factors
        return found if factors is None else factors.filled(found, content.rate, there)

    def shown_size(self, own: tuple[int, int], native: bool = False, size: int | None = None) -> tuple[int, int]:
        """Size (width, height) of a decoded picture whose original had the size `own`."""
        if native:
            return self._own_size or own
        if size is None:
            return own
        longer = max(own)
        return max(1, round(own[0] * size / longer)), max(1, round(own[1] * size / longer))

    def painted_size(self, side: int) -> int | None:
        """The size at which a picture is painted that is to have `side` pixels; None if it is as large as it is."""
        sizes = self.prior.arch.sizes
        return next((size for size in sizes if size >= side), sizes[-1]) if sizes else None

    def placement(self, data: bytes, name: str = "the file", partial: bool = False) -> Placement | None:
        """Where in a larger picture the file's was cut out, if the file says so. Raises `FormatError`."""
        return container.read(data, self.prior.info.id_bytes, name, partial).placement

    def foreign(self, data: bytes) -> str | None:
        """Which other codec a file's picture is stored by, if it is (`fallback`). Raises `FormatError`."""
        return container.read(data, self.prior.info.id_bytes).foreign

    def levels_there(self, data: bytes, name: str = "the file") -> tuple[int, int]:
        """How many of the coded levels of a file, which may be truncated, are there, and how many it had."""
        return self.levels_used(container.read(data, self.prior.info.id_bytes, name, partial=True))

    def levels_used(self, content: Container, most: int | None = None) -> tuple[int, int]:
        """How many of the coded levels of a file are there, and among the coarsest `most`; and how many it had."""
        used = sum(most is None or level < most for level in self._whole(content))
        return used, len(self._coded(content))

    def _coded(self, content: Container) -> list[int]:
        """The levels that a file says it codes."""
        return [n for n in range(self.prior.arch.levels) if content.levels is None or content.levels >> n & 1]

    def _whole(self, content: Container) -> list[int]:
        """Those of them that are there."""
        coded = self._coded(content)
        return coded if content.parts is None else coded[: len(content.parts)]

    def check_levels(self, levels: int | None) -> None:
        """Raises `UsageError` for a number of levels that the prior does not have."""
        most = self.prior.arch.levels
        if levels is not None and not 1 <= levels <= most:
            raise UsageError(f"the prior {self.prior.info.name} has 1 to {most} levels, not {levels}")

    def coded_size(self, width: int, height: int, name: str = "the picture") -> tuple[int, int]:
        """The size (width, height) at which the prior codes a picture of `width` x `height`. Raises `ImageError`."""
        arch = self.prior.arch
        if arch.coded_size is not None:
            return arch.coded_size, arch.coded_size
        assert isinstance(arch, Architecture)
        coded = -(-width // arch.stride) * arch.stride, -(-height // arch.stride) * arch.stride
        if width * height > MAX_FREE_PIXELS or coded[0] * coded[1] > 2 * MAX_FREE_PIXELS:
            raise ImageError(f"{name} has {width} x {height} pixels, more than {MAX_FREE_PIXELS:,}; shrink it first")
        return coded

    def picture_size(self, content: Container, name: str = "the file") -> tuple[int, int]:
        """Size (width, height) of the original. Raises `FormatError` if a file of a free size does not say it."""
        return original_size(content, self.prior, name)

    @property
    def made_by(self) -> provenance.Prior:
        return self.prior.info.name, self.prior.info.id

    @cached_property
    def _own_size(self) -> tuple[int, int] | None:
        side = self.prior.arch.image_size
        return (side, side) if side is not None else None


def original_size(content: Container, prior: DecodingSide, name: str = "the file") -> tuple[int, int]:
    """Size (width, height) in pixels of a file's original. Raises `FormatError` if a file of a free size does not say
    it."""
    side = prior.arch.image_size
    size = content.size or (None if side is None else (side, side))
    if size is None:
        raise FormatError(f"{name} is damaged: it does not say how large its picture is")
    return size


def prior_of(data: bytes, name: str = "the file", partial: bool = False) -> Path:
    """The folder of the installed prior that a file was written with. Raises `FormatError` if there is none.

    `partial`: the file may be a truncated progressive one.
    """
    header = container.read_header(data, name)
    damaged = None
    for folder in priors_of(header.short_id):
        try:
            container.read(data, read_info(folder).id_bytes, name, partial)
        except FormatError as error:
            damaged = error
        else:
            return folder
    if damaged is not None:
        raise damaged
    raise FormatError(
        f"{name} needs a prior whose id begins with {header.short_id:#05x} (11 bits), which is not installed; "
        f"{mend_for(header.short_id)}"
    )


def check_shown(native: bool, size: int | None) -> None:
    """Raises `UsageError` for a size of decoded pictures that cannot be had."""
    if native and size is not None:
        raise UsageError("the prior's own size and another one cannot both be had: give one of --native and --size")
    if size is not None and not 1 <= size <= MAX_SHOWN:
        raise UsageError(f"the size of a picture lies between 1 and {MAX_SHOWN} pixels, not {size}")
