"""The peers: image codecs of Pillow and its plugins at their best effort, and two placeholders for a floor.

Metadata is never written. Pictures are coded at native size and shrunk to 3/4, 1/2 and 3/8, then enlarged with
Lanczos; the size to enlarge to is taken as known, which costs the peers nothing.
"""

import importlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import metadata
from typing import Any

from PIL import Image, features

from invcomp.lab.codecs import Progress

SCALES = (Fraction(1), Fraction(3, 4), Fraction(1, 2), Fraction(3, 8))
HALF_CHROMA, FULL_CHROMA = "4:2:0", "4:4:4"
BOTH_CHROMAS = (HALF_CHROMA, FULL_CHROMA)
FULL_CHROMA_SCALES = SCALES[:1]  # where bytes are so few that a picture is shrunk, colour goes first
QUALITIES = (0, 3, 8, 14, 22, 32, 44, 56, 68, 80, 90, 97)


@dataclass(frozen=True)
class PeerSetting:
    """A scale, the codec's own quality, and chroma subsampling where the codec has a choice."""

    scale: Fraction
    quality: int
    chroma: str | None = None

    def __str__(self) -> str:
        parts = [f"quality {self.quality}"]
        parts += [f"scale {self.scale}"] if self.scale != 1 else []
        return ", ".join(parts + ([self.chroma] if self.chroma else []))


def shrunk(image: Image.Image, scale: Fraction) -> Image.Image:
    if scale == 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def plain(image: Image.Image) -> Image.Image:
    """The pixels alone, without what Pillow would carry along."""
    return Image.frombytes("RGB", image.size, image.convert("RGB").tobytes())


@dataclass(frozen=True)
class PillowCodec:
    """A format that Pillow writes."""

    name: str
    format: str
    options: dict[str, Any]
    lowest: int = 0
    chroma: tuple[str | None, ...] = (None,)
    every: int = 1
    """Takes every so-many-th of the qualities: for an encoder that takes its time."""
    note: str = ""

    @property
    def ladders(self) -> list[list[PeerSetting]]:
        qualities = sorted({max(self.lowest, quality) for quality in QUALITIES[:: self.every]})
        kinds = [(scale, chroma) for chroma in self.chroma for scale in SCALES]
        kinds = [(scale, chroma) for scale, chroma in kinds if chroma != FULL_CHROMA or scale in FULL_CHROMA_SCALES]
        return [[PeerSetting(scale, quality, chroma) for quality in qualities] for scale, chroma in kinds]

    def encode(self, images: Sequence[Image.Image], setting: PeerSetting, report: Progress) -> list[bytes]:
        files = []
        for number, image in enumerate(images):
            files.append(self.write(plain(shrunk(image, setting.scale)), setting))
            report(number + 1)
        return files

    def write(self, image: Image.Image, setting: PeerSetting) -> bytes:
        chroma = {"subsampling": setting.chroma} if setting.chroma else {}
        buffer = io.BytesIO()
        image.save(buffer, format=self.format, quality=setting.quality, **chroma, **self.options)
        return buffer.getvalue()

    def decode(self, file: bytes, setting: PeerSetting, size: tuple[int, int]) -> Image.Image:
        image = self.read(file, setting, size)
        return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)

    def read(self, file: bytes, setting: PeerSetting, size: tuple[int, int]) -> Image.Image:
        return Image.open(io.BytesIO(file)).convert("RGB")

    def identity(self) -> str:
        return f"{self.name} {self.options} {versions()}"


@dataclass(frozen=True)
class SharedHeaderJpeg(PillowCodec):
    """Baseline JPEG whose headers and standard tables both sides know.

    Files hold a byte of quality (the highest bit: full chroma) and the scan's data.
    """

    def write(self, image: Image.Image, setting: PeerSetting) -> bytes:
        _, scan = split_jpeg(super().write(image, setting))
        return bytes([setting.quality | (setting.chroma == FULL_CHROMA) << 7]) + scan

    def read(self, file: bytes, setting: PeerSetting, size: tuple[int, int]) -> Image.Image:
        blank = shrunk(Image.new("RGB", size), setting.scale)
        chroma = FULL_CHROMA if file[0] >> 7 else HALF_CHROMA
        header, _ = split_jpeg(super().write(blank, PeerSetting(setting.scale, file[0] & 127, chroma)))
        return Image.open(io.BytesIO(header + file[1:] + b"\xff\xd9")).convert("RGB")


def split_jpeg(data: bytes) -> tuple[bytes, bytes]:
    """A baseline JPEG file → everything up to the scan's data, and the scan's data without the end marker."""
    position = 2
    while data[position + 1] != 0xDA:  # start of scan
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return data[:position], data[position:-2]


@dataclass(frozen=True)
class Placeholder:
    """A hash that is shown until a picture has arrived: one setting."""

    name: str
    write: Callable[[Image.Image], bytes]
    show: Callable[[bytes, tuple[int, int]], Image.Image]
    note: str = "a placeholder, for the floor"

    @property
    def ladders(self) -> list[list[str]]:
        return [["as published"]]

    def encode(self, images: Sequence[Image.Image], setting: str, report: Progress) -> list[bytes]:
        return [self.write(image) for image in images]

    def decode(self, file: bytes, setting: str, size: tuple[int, int]) -> Image.Image:
        return self.show(file, size)

    def identity(self) -> str:
        return f"{self.name} {versions()}"


@cache
def versions() -> str:
    """Of everything that decides what a peer's file holds."""
    found = [f"{module} {features.version(module)}" for module in ("pil", "jpg", "webp", "avif")]
    for _, package in PACKAGES.values():
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def thumb_hash(image: Image.Image) -> bytes:
    from thumbhash import rgba_to_thumb_hash

    small = image.convert("RGBA")
    small.thumbnail((100, 100))
    return rgba_to_thumb_hash(small.width, small.height, small.tobytes())


def show_thumb_hash(file: bytes, size: tuple[int, int]) -> Image.Image:
    from thumbhash import thumb_hash_to_rgba

    width, height, rgba = thumb_hash_to_rgba(file)
    image = Image.frombytes("RGBA", (width, height), rgba)
    return image.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def blur_hash(image: Image.Image) -> bytes:
    import blurhash
    import numpy as np

    small = image.copy()
    small.thumbnail((32, 32))
    text: str = blurhash.encode(np.asarray(small.convert("RGB")), components_x=4, components_y=4)
    return text.encode("ascii")


def show_blur_hash(file: bytes, size: tuple[int, int]) -> Image.Image:
    import blurhash
    import numpy as np

    pixels = np.asarray(blurhash.decode(file.decode("ascii"), 32, 32), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def missing(package: str, install: str) -> str | None:
    """Why a package cannot be used, or None."""
    try:
        importlib.import_module(package)
    except ImportError:
        return f"it needs {package}: pip install {install}"
    return None


PEERS: dict[str, PillowCodec | Placeholder] = {
    codec.name: codec
    for codec in (
        PillowCodec("webp", "WEBP", {"method": 6}),
        PillowCodec("jxl", "JXL", {"effort": 9}),
        PillowCodec("avif", "AVIF", {"speed": 0}, chroma=BOTH_CHROMAS, every=2),
        PillowCodec("jpeg", "JPEG", {"optimize": True}, lowest=1, chroma=BOTH_CHROMAS),
        PillowCodec("jpeg-progressive", "JPEG", {"optimize": True, "progressive": True}, lowest=1),
        SharedHeaderJpeg(
            "jpeg-shared",
            "JPEG",
            {},
            lowest=1,
            chroma=BOTH_CHROMAS,
            note="headers and tables are shared and not counted: files hold a byte of quality and the scan's data",
        ),
        Placeholder("thumbhash", thumb_hash, show_thumb_hash),
        Placeholder("blurhash", blur_hash, show_blur_hash),
    )
}
PACKAGES = {
    "jxl": ("pillow_jxl", "pillow-jxl-plugin"),
    "thumbhash": ("thumbhash", "thumbhash-rs"),
    "blurhash": ("blurhash", "blurhash"),
}


def why_missing(name: str) -> str | None:
    """Why a peer cannot be measured here, or None if it can."""
    if name in PACKAGES:
        return missing(*PACKAGES[name])
    if name in ("webp", "avif") and not features.check(name):
        return f"this Pillow was built without {name.upper()}: pip install --upgrade pillow"
    return None
