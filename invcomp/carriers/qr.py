"""Files in QR codes: segno draws them, zxing-cpp reads them from photos. Both come with the extra `qr`.

A code holds the bytes of the file, or a text, for scanners that spoil bytes: `INV/` and the file in Base45, which
takes 3 % more room. No file begins like a text (its first byte is no UTF-8), so the two are told apart.
"""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invcomp.carriers import base45
from invcomp.container import MAGIC
from invcomp.errors import FormatError, ImageError, MissingPackageError, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

LEVELS = ("L", "M", "Q", "H")
KINDS = ("png", "svg", "pdf")
LARGEST = 40  # version: 177 x 177 modules
PREFIX = "INV/"  # no scheme of a web address, which would need a colon
SHOWN = 40  # characters of a text that is no file
ENLARGED = 8_000_000  # pixels at most to which a photo is enlarged
LONGEST = 65_535  # pixels of a side that zxing-cpp takes


@dataclass(frozen=True)
class Code:
    """A QR code as it is drawn."""

    image: bytes
    """The picture file."""
    version: int
    modules: int
    """A side, without the border."""
    level: str
    """Of error correction: the one asked for, or a better one that costs no room."""


def write_code(
    data: bytes, name: str, kind: str, level: str, text: bool, largest: int, scale: int, border: int
) -> Code:
    """A file (called `name` in errors) as the smallest code up to version `largest`, drawn as one of `KINDS`.

    `scale`: pixels a module, `border`: modules. Raises `FormatError` if the file does not fit, `UsageError` if the
    picture would be larger than `read_code` reads.
    """
    segno = load("segno", "drawing QR codes")
    most = room(largest, level, text)
    if len(data) > most:
        how = f"version {largest} and level {level} holds {most:,}{' of them as text' if text else ''}"
        raise FormatError(f"{name} has {len(data):,} bytes, and a QR code of {how}; compress with --max-bytes {most}")
    content: str | bytes = PREFIX + base45.encode(data) if text else data
    code = segno.make_qr(content, error=level, mode="alphanumeric" if text else "byte")
    if kind == "png":
        check_drawn(len(code.matrix) + 2 * border, scale, name)
    drawn = io.BytesIO()
    code.save(drawn, kind=kind, scale=scale, border=border)
    return Code(drawn.getvalue(), code.version, len(code.matrix), code.error)


def check_drawn(modules: int, scale: int, name: str) -> None:
    """Raises `UsageError` for a picture, so many modules a side, that has more pixels than are read."""
    from invcomp.pictures import MAX_PIXELS

    side = modules * scale
    if side**2 > MAX_PIXELS:
        raise UsageError(
            f"the QR code of {name} would have {side:,} x {side:,} pixels, more than the {MAX_PIXELS:,} that are read; "
            f"give --scale {math.isqrt(MAX_PIXELS) // modules} or less"
        )


def room(version: int, level: str, text: bool) -> int:
    """Bytes of a file that a code holds (ISO/IEC 18004, 7.4: the mode in 4 bits, the length, the content)."""
    consts = load("segno.consts", "drawing QR codes")
    bits = consts.SYMBOL_CAPACITY[version][consts.ERROR_MAPPING[level]] - 4
    size_class = (version > 9) + (version > 26)
    if not text:
        return int(bits - (8, 16, 16)[size_class]) // 8
    pairs, left = divmod(bits - (9, 11, 13)[size_class], 11)
    triples, left = divmod(2 * pairs + (left >= 6) - len(PREFIX), 3)
    return int(2 * triples + left // 2)


def kind_of(target: Path | None) -> str:
    """The kind of picture that an output's name asks for; PNG for standard output or no suffix. Raises `UsageError`."""
    kind = target.suffix.lower()[1:] if target else ""
    if kind and kind not in KINDS:
        raise UsageError(f"{target} would be no picture that a QR code is drawn as: give .png, .svg or .pdf")
    return kind or "png"


def read_code(picture: bytes, name: str) -> bytes:
    """The file in the QR code of a photo, of any kind of picture that is read.

    Other codes beside it do not matter. Raises `ImageError` where none can be read, `FormatError` where they hold none.
    """
    zxing = reader()
    from invcomp.pictures import read_picture

    image = read_picture(picture, name).image.convert("L")
    if max(image.size) > LONGEST:
        raise ImageError(
            f"{name} has {image.width} x {image.height} pixels, and QR codes are looked for in at most {LONGEST:,} a "
            "side; cut it to the code"
        )
    others: dict[bytes, str] = {}  # what codes hold that is no file, in words
    damaged = False
    for look in looks(image):
        try:
            found = zxing.read_barcodes(look, formats=zxing.BarcodeFormat.QRCode, return_errors=True)
        except (ValueError, RuntimeError) as error:  # in which zxing-cpp's own end
            raise ImageError(f"no QR code can be looked for in {name}: {error}; give another picture") from None
        files = set()
        for code in found:
            if not code.valid:
                damaged = True
            elif (file := file_in(code.bytes)) is not None:
                files.add(file)
            else:
                others[code.bytes] = in_words(code.bytes)
        if len(files) > 1:
            raise FormatError(f"{name} shows {len(files)} QR codes with different files; cut it to one of them")
        if files:
            return files.pop()
    if others:
        held = " and ".join(sorted(others.values()))
        raise FormatError(f"{name} has a QR code that holds {held}, no invcomp file; show one that `invcomp qr` made")
    if damaged:
        raise ImageError(
            f"{name} has a QR code that is too blurred, covered or damaged to be read; take the photo again"
        )
    raise ImageError(
        f"{name} has no QR code that can be found; take the photo closer and sharper, white border included"
    )


def looks(image: "Image") -> Iterator["Image"]:
    """A grey photo as it is, and then against few pixels a module, noise and blur."""
    from PIL import Image, ImageFilter

    yield image
    factor = min(2.0, (ENLARGED / (image.width * image.height)) ** 0.5, LONGEST / max(image.size))
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    yield image.resize(size, Image.Resampling.BICUBIC)
    quiet = image.filter(ImageFilter.GaussianBlur(1)).resize(size, Image.Resampling.BICUBIC)
    yield quiet
    yield quiet.filter(ImageFilter.UnsharpMask(radius=5, percent=400, threshold=0))


def file_in(content: bytes) -> bytes | None:
    """The file that a code's content is, or None. What begins like one is one: its checksum tells the rest."""
    if content.startswith(PREFIX.encode()):
        try:
            content = base45.decode(content[len(PREFIX) :].decode("ascii"))
        except ValueError:
            return None
    return content if content[:1] and content[0] >> 4 == MAGIC else None


def in_words(content: bytes) -> str:
    """What is said of a code's content that is no file."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"{len(content)} other bytes"
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return f"text (“{text[:SHOWN]}{'…' if len(text) > SHOWN else ''}”)"


def reader() -> Any:
    """What reads codes. Raises `MissingPackageError` without it."""
    return load("zxingcpp", "reading QR codes")


def load(module: str, purpose: str) -> Any:
    """A module of the extra `qr`. Raises `MissingPackageError`, which names the `purpose` and the mend."""
    try:
        return import_module(module)
    except ImportError:
        package = "zxing-cpp" if module == "zxingcpp" else "segno"
        raise MissingPackageError(f"{purpose} needs {package}: pip install 'invcomp[qr]'") from None
