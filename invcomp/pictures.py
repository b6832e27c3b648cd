"""Pictures in and out: anything Pillow reads becomes 8-bit sRGB."""

import io
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from invcomp.errors import ImageError, InvcompError, OutputError
from invcomp.jobs import Job, read_input
from invcomp.jxl import BOXES, CODESTREAM, still_size
from invcomp.provenance import save_options

MAX_PIXELS = 100_000_000
FORMATS = (  # that Pillow decodes itself; for others it runs programs (EPS: Ghostscript), or they are no pictures
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "HEIF", "ICNS", "ICO", "JPEG", "JPEG2000", "JXL", "MPO", "PCX", "PNG", "PPM"),
    *("PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP", "XBM"),
)


@dataclass(frozen=True)
class Picture:
    """An 8-bit sRGB picture, and what had to be changed to make it one."""

    image: Image.Image
    notes: list[str] = field(default_factory=list)


@cache
def extensions() -> frozenset[str]:
    """Suffixes of the picture files that are read, in lower case, with the dot."""
    Image.init()
    return frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in formats())


@cache
def formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow, with its plugins, reads."""
    Image.init()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)


def read_picture(source: Path | bytes, name: str | None = None) -> Picture:
    """Read a picture file, or its bytes, as 8-bit sRGB with EXIF orientation applied.

    Greyscale, palette, 16-bit, CMYK and colour profiles are converted; transparency is put on white; of an
    animation the first frame is taken, and no other is decoded. The last two are said in `notes`. No program outside
    is run. Raises `ImageError`.
    """
    name = name or (str(source) if isinstance(source, Path) else "the picture")
    if isinstance(source, Path):
        try:
            source = read_input(Job(source, None))
        except InvcompError as error:
            raise ImageError(str(error)) from None
    if not source:
        raise ImageError(f"{name} is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if source.startswith((CODESTREAM, BOXES)):  # the plugin of JPEG XL decodes a file before it tells its size
                check_pixels(still_size(source), name)
            image = Image.open(io.BytesIO(source), formats=formats())
            check_pixels(image.size, name)
            image.load()
            check_pixels(image.size, name)  # an icon says only here how large it is
            return to_srgb(image)
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not a picture of a kind that is read; give a PNG, JPEG, WebP or TIFF") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name} has more than the {MAX_PIXELS:,} pixels that are read; shrink it first") from None
    except ImageError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds for a damaged file
        raise ImageError(f"{name} is truncated or damaged: {error}") from None


def check_pixels(size: tuple[int, int], name: str) -> None:
    """Raises `ImageError` for a picture of more pixels (width, height) than are read."""
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageError(
            f"{name} has {size[0]} x {size[1]} pixels, more than the {MAX_PIXELS:,} that are read; shrink it first"
        )


def count_pixels(path: Path) -> int:
    """How many pixels a picture file says it has, without reading them; 0 for what is no picture, or no file."""
    if not path.is_file():  # a pipe can be read only once
        return 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=formats()) as image:
                return image.width * image.height
    except Exception:  # as in read_picture, which says what is wrong
        return 0


def to_srgb(image: Image.Image) -> Picture:
    """Any Pillow image → 8-bit sRGB."""
    notes = []
    if getattr(image, "is_animated", False):  # `n_frames` would look through all of them
        notes.append("of an animation the first frame is taken")
        with suppress(EOFError):  # layers of a PSD, which is all of them when it is opened, count from 1
            image.seek(0)
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = to_eight_bits(image)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        if np.asarray(image.getchannel("A")).min() < 255:
            notes.append("transparency is put on white")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        image = from_profile(image, profile)
    return Picture(image.convert("RGB"), notes)


def central_square(image: Image.Image, size: int) -> Image.Image:
    """The central square, shrunk or enlarged to `size` x `size`."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Greyscale of 16 or 32 bits or floating point → 8 bits; integers are taken as 16-bit, floats as [0, 1]."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    full = (
        1.0 if image.mode == "F" and values.max(initial=0) <= 1 else 255.0 if values.max(initial=0) <= 255 else 65535.0
    )
    if image.mode.startswith("I;16"):
        full = 65535.0
    return Image.fromarray(np.uint8(np.clip(values / full * 255 + 0.5, 0, 255)))


def from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert from an embedded colour profile to sRGB; a profile that cannot be used is ignored."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image


def from_array(values: NDArray[np.float32]) -> Image.Image:
    """(3, H, W) in [0, 1], clamped → an RGB image."""
    rounded = np.rint(np.nan_to_num(values).clip(0, 1) * np.float32(255)).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(rounded.transpose(1, 2, 0)))


def encode_image(image: Image.Image, path: Path | None = None, quick: bool = False) -> bytes:
    """The bytes of an image file in the format that the suffix of `path` names; PNG if it names none.

    What the image's info says of the prior that made it (`invcomp.provenance`) is kept as far as the format can.
    `quick`: a PNG in less time, a little larger.
    """
    kind = kind_of(path.suffix.lower()) if path else "PNG"
    options: dict[str, Any] = {"compress_level": 1} if quick else {"optimize": image.width * image.height <= 1 << 20}
    buffer = io.BytesIO()
    try:
        image.save(buffer, format=kind, **options, **save_options(image.info, kind))
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(f"{path} cannot be written as {kind}: {error}; give a name that ends in .png") from None
    return buffer.getvalue()


def kind_of(suffix: str) -> str:
    """The format that a suffix (in lower case, with the dot) names, if Pillow can write it; else PNG."""
    Image.preinit()
    kind = Image.EXTENSION.get(suffix)
    if kind is None:
        kind = Image.registered_extensions().get(suffix, "PNG")  # which loads all plugins
    return kind if kind in Image.SAVE else "PNG"


def png_bytes(image: Image.Image) -> bytes:
    return encode_image(image)


def grid(images: list[Image.Image], columns: int, gap: int = 2) -> Image.Image:
    """A sheet of images of one size, row by row."""
    width, height = images[0].size
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), "white")
    for index, image in enumerate(images):
        sheet.paste(image, (index % columns * (width + gap), index // columns * (height + gap)))
    return sheet
