"""Pictures that no prior suits, as WebP or JPEG XL inside of the container: the payload of a foreign file.

Of a WebP file the payload is the lossy image's data alone: the 20 bytes of RIFF headers before it say only its length.
Pictures may be stored smaller than they are, and are enlarged when they are decoded.
"""

import importlib
import io
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, features

from invcomp.container import CODECS
from invcomp.errors import FormatError
from invcomp.jxl import still_size

RIFF_BYTES = 20
SCALES = tuple(2 ** (-step / 2) for step in range(21))  # of the sides
HIGHEST = 100  # quality of both codecs
PIXELS_A_BYTE = 64  # that no codec gets below: larger pictures are not tried
LEAST_SIDE, MOST_SIDE = 4, 1 << 14  # pixels; WebP has no larger ones
MOST_COMPARED = 1 << 20  # pixels at which decoded pictures are compared
PLUGIN = "pillow_jxl"


@dataclass(frozen=True)
class Still:
    """A picture as a foreign payload."""

    codec: str
    """One of `CODECS`."""
    payload: bytes


def best_within(image: Image.Image, most: int) -> Still | None:
    """The payload of at most so many bytes that comes closest to an RGB image, in squared error; None if none is."""
    seen = compared(image)
    original = np.asarray(seen, dtype=np.float32)
    best, least = None, math.inf
    for codec, small in candidates(image, most * PIXELS_A_BYTE):
        still = extreme(codec, small, lambda still: len(still.payload) <= most, finest=True)
        if still is None:
            continue
        shown = enlarged(decode_still(codec, still.payload, small.size), seen.size)
        error = float(np.square(np.asarray(shown, dtype=np.float32) - original).mean())
        if error < least:
            best, least = still, error
    return best


def smallest_of(
    image: Image.Image, kept: Callable[[Image.Image], bool], codecs: Sequence[str] = CODECS
) -> Still | None:
    """The smallest payload of an RGB image, by one of the codecs, whose decoded picture is `kept`; None if none is."""

    def shown(still: Still) -> bool:
        return kept(enlarged(decode_still(still.codec, still.payload, image.size), image.size))

    found = [
        extreme(codec, small, shown, finest=False)
        for codec, small in candidates(image, image.width * image.height, 4, codecs)
    ]
    return min((still for still in found if still is not None), key=lambda still: len(still.payload), default=None)


def compared(image: Image.Image) -> Image.Image:
    """A large image as small as it is looked at."""
    share = math.sqrt(MOST_COMPARED / (image.width * image.height))
    if share >= 1:
        return image
    return image.resize((max(1, int(image.width * share)), max(1, int(image.height * share))), Image.Resampling.BOX)


def candidates(
    image: Image.Image, pixels: int, most: int = len(SCALES), codecs: Sequence[str] = CODECS
) -> Iterator[tuple[str, Image.Image]]:
    """The codecs that are there, and the image at sizes of at most so many pixels, `most` of them."""
    sizes: list[tuple[int, int]] = []
    for scale in SCALES:
        width, height = (max(round(side * scale), min(side, LEAST_SIDE)) for side in image.size)
        if width * height <= pixels and max(width, height) < MOST_SIDE and (width, height) not in sizes:
            sizes.append((width, height))
    for size in sizes[:most]:
        small = image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
        for codec in filter(available, codecs):
            yield codec, small


def extreme(codec: str, image: Image.Image, kept: Callable[[Still], bool], finest: bool) -> Still | None:
    """At the highest quality at which it is kept, where lower ones are kept too, or (not `finest`) at the lowest."""
    best, low, high = None, 0, HIGHEST
    while low <= high:
        middle = (low + high) // 2
        still = Still(codec, encode(codec, image, middle))
        good = kept(still)
        if good:
            best = still
        if good == finest:
            low = middle + 1
        else:
            high = middle - 1
    return best


def encode(codec: str, image: Image.Image, quality: int) -> bytes:
    """The payload of an RGB image, without metadata."""
    buffer = io.BytesIO()
    bare = Image.frombytes("RGB", image.size, image.tobytes())
    if codec == "webp":
        bare.save(buffer, "WEBP", quality=quality, method=6)
        data = buffer.getvalue()
        length = int.from_bytes(data[16:20], "little")
        return data[RIFF_BYTES : RIFF_BYTES + length]
    importlib.import_module(PLUGIN)
    bare.save(buffer, "JXL", quality=min(quality, 99), effort=7)  # 100 is lossless
    return buffer.getvalue()


def decode_still(codec: str, payload: bytes, most: tuple[int, int], name: str = "the file") -> Image.Image:
    """An RGB image of at most so many pixels (width, height). Raises `FormatError`."""
    if not available(codec):
        raise FormatError(f"{name} holds a {codec} file, which this Pillow cannot read: pip install {needed(codec)}")
    damaged = FormatError(f"{name} is damaged: what it holds is no {codec} picture; get it again")
    data, kind = payload, "JXL"
    if codec == "webp":
        padded = payload + bytes(len(payload) % 2)
        length = len(payload).to_bytes(4, "little")
        data, kind = b"RIFF" + (len(padded) + 12).to_bytes(4, "little") + b"WEBPVP8 " + length + padded, "WEBP"
    else:
        importlib.import_module(PLUGIN)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # the plugin of JPEG XL decodes a file before it tells its size
            image = Image.open(io.BytesIO(data), formats=[kind]) if codec == "webp" else None
            width, height = still_size(data) if image is None else image.size
            if width > most[0] or height > most[1]:
                raise FormatError(f"{name} is damaged: the picture in it is larger than it says; get it again")
            return (image or Image.open(io.BytesIO(data), formats=[kind])).convert("RGB")
    except FormatError:
        raise
    except Exception:  # Pillow's readers raise many kinds for a damaged file
        raise damaged from None


def enlarged(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


@cache
def available(codec: str) -> bool:
    """Whether a codec can be used here."""
    if codec == "webp":
        return bool(features.check("webp"))
    try:
        importlib.import_module(PLUGIN)
        return True
    except ImportError:
        return False


def needed(codec: str) -> str:
    """What to install for a codec."""
    return "--upgrade pillow" if codec == "webp" else "pillow-jxl-plugin"
