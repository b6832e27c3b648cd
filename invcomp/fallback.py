"""Pictures that no prior suits, as WebP or JPEG XL inside of the container: the payload of a foreign file.

Of a WebP file the payload is the lossy image's data alone: the 20 bytes of RIFF headers before it say only its length.
Pictures may be stored smaller than they are, and are enlarged when they are decoded.
"""

import importlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, features

from invcomp.container import CODECS
from invcomp.errors import FormatError

RIFF_BYTES = 20
SCALES = tuple(2 ** (-step / 2) for step in range(15))  # of the sides
FINEST = 100  # highest quality of both codecs
PIXELS_A_BYTE = 64  # that no codec gets below: larger pictures are not tried
LEAST_SIDE = 4
PLUGIN = "pillow_jxl"


@dataclass(frozen=True)
class Still:
    """A picture as a foreign payload."""

    codec: str
    """One of `CODECS`."""
    payload: bytes
    decoded: Image.Image
    """At the size of the original."""


def best_within(image: Image.Image, most: int) -> Still | None:
    """The payload of at most so many bytes that comes closest to an RGB image, in squared error; None if none is."""
    original = np.asarray(image, dtype=np.float32)
    found: list[tuple[float, Still]] = []
    for codec, small in candidates(image, most * PIXELS_A_BYTE):
        still = finest(codec, small, image.size, lambda still: len(still.payload) <= most)
        if still is not None:
            found.append((float(np.square(np.asarray(still.decoded, dtype=np.float32) - original).mean()), still))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def smallest_of(
    image: Image.Image, kept: Callable[[Image.Image], bool], codecs: Sequence[str] = CODECS
) -> Still | None:
    """The smallest payload of an RGB image, by one of the codecs, whose decoded picture is `kept`; None if none is."""
    found = []
    for codec, small in candidates(image, image.width * image.height, 4, codecs):
        still = coarsest(codec, small, image.size, lambda still: kept(still.decoded))
        if still is not None:
            found.append(still)
    return min(found, key=lambda still: len(still.payload)) if found else None


def candidates(
    image: Image.Image, pixels: int, most: int = len(SCALES), codecs: Sequence[str] = CODECS
) -> Iterator[tuple[str, Image.Image]]:
    """The codecs that are there, and the image at sizes of at most so many pixels, `most` of them."""
    sizes = []
    for scale in SCALES:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        small_enough = size[0] * size[1] <= pixels and max(size) < 1 << 14  # WebP has no larger sides
        if small_enough and size not in sizes and (scale == 1 or min(size) >= LEAST_SIDE):
            sizes.append(size)
    for size in sizes[:most]:
        small = image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
        for codec in filter(available, codecs):
            yield codec, small


def finest(codec: str, image: Image.Image, size: tuple[int, int], kept: Callable[[Still], bool]) -> Still | None:
    """At the highest quality at which it is kept, where lower ones are kept too."""
    best, low, high = None, 0, FINEST
    while low <= high:
        middle = (low + high) // 2
        still = stored(codec, image, middle, size)
        if kept(still):
            best, low = still, middle + 1
        else:
            high = middle - 1
    return best


def coarsest(codec: str, image: Image.Image, size: tuple[int, int], kept: Callable[[Still], bool]) -> Still | None:
    """At the lowest quality at which it is kept, where higher ones are kept too."""
    best, low, high = None, 0, FINEST
    while low <= high:
        middle = (low + high) // 2
        still = stored(codec, image, middle, size)
        if kept(still):
            best, high = still, middle - 1
        else:
            low = middle + 1
    return best


def stored(codec: str, image: Image.Image, quality: int, size: tuple[int, int]) -> Still:
    """An image by a codec at a quality from 0 to 100, and what comes back, at `size` (width, height)."""
    payload = encode(codec, image, quality)
    return Still(codec, payload, enlarged(decode_still(codec, payload, size), size))


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
    data, kind = payload, "JXL"
    if codec == "webp":
        padded = payload + bytes(len(payload) % 2)
        length = (len(payload)).to_bytes(4, "little")
        data, kind = b"RIFF" + (len(padded) + 12).to_bytes(4, "little") + b"WEBPVP8 " + length + padded, "WEBP"
    else:
        importlib.import_module(PLUGIN)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=[kind])
            if image.width > most[0] or image.height > most[1]:
                raise FormatError(f"{name} is damaged: the picture in it is larger than it says; get it again")
            return image.convert("RGB")
    except FormatError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds for a damaged file
        raise FormatError(f"{name} is damaged: the {codec} file in it cannot be read ({error})") from None


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
