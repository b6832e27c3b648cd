"""Pictures of strangers: bombs, animations, truncations and wrong names cost little and end in one clear sentence."""

import struct
import subprocess
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import GifImagePlugin, Image, ImageCms, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from invcomp.errors import ImageError
from invcomp.pictures import extensions, read_picture
from tests.conftest import png
from tests.test_pictures import photograph, saved

STEPS = {
    "GIF": (GifImagePlugin.GifImageFile, "_seek"),
    "PNG": (PngImagePlugin.PngImageFile, "_seek"),
    "TIFF": (TiffImagePlugin.TiffImageFile, "_seek"),
    "WEBP": (WebPImagePlugin.WebPImageFile, "_get_next"),
}
"""What Pillow calls for every frame that it looks at."""


def bomb_png(width: int, height: int) -> bytes:
    """A PNG of a kilobyte that says it is as large as that, and has next to no rows."""
    data = zlib.compress(bytes(1000))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG with a chunk after its header."""
    whole = png(photograph())
    return whole[:33] + chunk(kind, data) + whole[33:]


INFLATES = zlib.compress(bytes(80_000_000), 9)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bomb_png(50_000, 50_000), "has more than the 100,000,000 pixels that are read; shrink it first"),
        (bomb_png(12_000, 12_000), "has 12000 x 12000 pixels, more than the 100,000,000 that are read; shrink it"),
        (bomb_png(9_000, 9_000), "is truncated or damaged"),
        (with_chunk(b"zTXt", b"a\0\0" + INFLATES), "is truncated or damaged: Decompressed data too large"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "not a picture of a kind that"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "not a picture of a kind that is read"),
        (b"%PDF-1.4\n", "not a picture of a kind that is read; give a PNG, JPEG, WebP or TIFF"),
    ],
    ids=["2500 MP", "144 MP", "81 MP", "text", "EPS", "SVG", "PDF"],
)
def test_hostile_pictures_are_refused_in_little_memory(data: bytes, words: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=words):
            read_picture(data, "hostile.png")
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_colour_profile_that_inflates_without_end_does_not_keep_a_picture_from_being_read() -> None:
    with suppress(ImageError):
        assert read_picture(with_chunk(b"iCCP", b"p\0\0" + INFLATES)).image.size == photograph().size


def test_no_program_is_run_for_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would have Ghostscript draw an EPS."""
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: started.append(args))
    eps = saved(photograph(), "EPS")
    with pytest.raises(ImageError, match="not a picture of a kind"):
        read_picture(eps, "drawing.png")
    assert not started
    assert ".eps" not in extensions()


@pytest.mark.parametrize("kind", STEPS)
def test_of_a_long_animation_two_frames_are_looked_at_at_most(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [Image.effect_noise((40, 30), 90).convert("RGB") for _ in range(30)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    reader, name = STEPS[kind]
    original, looked = getattr(reader, name), []

    def counted(self: object, *args: object) -> object:
        looked.append(args)
        return original(self, *args)

    monkeypatch.setattr(reader, name, counted)
    picture = read_picture(data)
    assert picture.image.size == (40, 30)
    assert "first frame" in picture.notes[0]
    assert len(looked) <= 4  # to the second to see that there is one, and back


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG", "WEBP", "TIFF", "PPM", "TGA", "ICO", "QOI", "JPEG2000"])
def test_the_content_tells_the_kind_whatever_the_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.dat"
    path.write_bytes(saved(photograph().resize((32, 32)), kind))
    assert read_picture(path).image.size == (32, 32)
    assert read_picture(path).image.mode == "RGB"


def test_one_pixel_and_sixteen_bit_colours_are_read() -> None:
    assert read_picture(png(Image.new("RGB", (1, 1), "red"))).image.getpixel((0, 0)) == (255, 0, 0)
    samples = np.full((5, 7, 3), 40_000, dtype=">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", 7, 5, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert read_picture(data).image.getpixel((3, 3)) == (156, 156, 156)


def test_cmyk_with_a_profile_of_another_kind_is_converted_without_it() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(photograph().convert("CMYK"), "JPEG", icc_profile=profile)
    assert read_picture(data).image.mode == "RGB"


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_every_truncation_is_one_sentence_or_a_picture(kind: str) -> None:
    data = saved(photograph().resize((40, 30)), kind)
    for length in range(0, len(data), max(1, len(data) // 60)):
        with suppress(ImageError):
            assert read_picture(data[:length], "cut").image.size == (40, 30)
