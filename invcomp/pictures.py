"""Pictures in and out: anything Pillow reads becomes 8-bit sRGB; files are written whole or not at all."""

import io
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

from invcomp.errors import ImageError, OutputError
from invcomp.provenance import save_options

MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Picture:
    """An 8-bit sRGB picture, and what had to be changed to make it one."""

    image: Image.Image
    notes: list[str] = field(default_factory=list)


@cache
def extensions() -> frozenset[str]:
    """Suffixes of the picture files that Pillow reads, in lower case, with the dot."""
    Image.init()
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    return frozenset(known - {".pdf", ".mpg", ".mpeg", ".h5", ".hdf", ".grib", ".bufr"})


def read_picture(source: Path | bytes, name: str | None = None) -> Picture:
    """Read a picture file, or its bytes, as 8-bit sRGB with EXIF orientation applied.

    Greyscale, palette, 16-bit, CMYK and colour profiles are converted; transparency is put on white; of an
    animation the first frame is taken. The last two are said in `notes`. Raises `ImageError`.
    """
    name = name or (str(source) if isinstance(source, Path) else "the picture")
    if isinstance(source, Path):
        if source.is_dir():
            raise ImageError(f"{name} is a folder, not a picture")
        try:
            source = source.read_bytes()
        except FileNotFoundError:
            raise ImageError(f"{name} does not exist") from None
        except OSError as error:
            raise ImageError(f"{name} cannot be read: {error.strerror}") from None
    if not source:
        raise ImageError(f"{name} is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(source))
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(
                    f"{name} has {image.width} x {image.height} pixels, more than the {MAX_PIXELS:,} "
                    "that are read; shrink it first"
                )
            image.load()
            return to_srgb(image)
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not a picture that Pillow can read") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name} has more than the {MAX_PIXELS:,} pixels that are read; shrink it first") from None
    except ImageError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds for a damaged file
        raise ImageError(f"{name} is truncated or damaged: {error}") from None


def count_pixels(path: Path) -> int:
    """How many pixels a picture file says it has, without reading them; 0 for what is no picture, or no file."""
    if not path.is_file():  # a pipe can be read only once
        return 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return image.width * image.height
    except Exception:  # as in read_picture, which says what is wrong
        return 0


def to_srgb(image: Image.Image) -> Picture:
    """Any Pillow image → 8-bit sRGB."""
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append("of an animation the first frame is taken")
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


def to_tensor(image: Image.Image) -> Tensor:
    """An RGB image → (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1).float() / 255


def to_image(picture: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1], clamped → an RGB image."""
    values = (picture.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).cpu().contiguous().numpy())


def encode_image(image: Image.Image, path: Path | None = None, quick: bool = False) -> bytes:
    """The bytes of an image file in the format that the suffix of `path` names; PNG if it names none.

    What the image's info says of the prior that made it (`invcomp.provenance`) is kept as far as the format can.
    `quick`: a PNG in less time, a little larger.
    """
    kind = Image.registered_extensions().get(path.suffix.lower(), "PNG") if path else "PNG"
    kind = kind if kind in Image.SAVE else "PNG"
    options: dict[str, Any] = {"compress_level": 1} if quick else {"optimize": image.width * image.height <= 1 << 20}
    buffer = io.BytesIO()
    try:
        image.save(buffer, format=kind, **options, **save_options(image.info, kind))
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(f"{path} cannot be written as {kind}: {error}; give a name that ends in .png") from None
    return buffer.getvalue()


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


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name when the block ends well, and not at all otherwise. Raises `OutputError`."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give a file name")
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: the folder {path.parent} does not exist")
    try:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:60]}.", suffix=".part")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(0o666 & ~current_umask())
        Path(part).replace(path)
    except BaseException as error:
        Path(part).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"{path} cannot be written: {error.strerror}") from None
        raise


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises `OutputError`."""
    with whole_file(path) as file:
        file.write(data)
