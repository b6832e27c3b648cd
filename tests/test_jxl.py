"""The size of a JPEG XL picture is known before it is decoded."""

import io

import pytest
from PIL import Image

from invcomp.errors import FormatError, ImageError
from invcomp.fallback import available, decode_still, encode
from invcomp.jxl import still_size
from invcomp.pictures import read_picture

pytestmark = pytest.mark.skipif(not available("jxl"), reason="the plugin of JPEG XL is not installed")


@pytest.mark.parametrize(
    "size", [(1, 1), (64, 64), (8, 255), (33, 21), (768, 512), (512, 768), (1100, 9), (9, 1100), (96, 80)]
)
@pytest.mark.parametrize(
    "options", [{"quality": 50}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}]
)
def test_sizes_are_those_of_the_plugin(size: tuple[int, int], options: dict[str, object]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, "JXL", effort=1, **options)
    assert still_size(buffer.getvalue()) == Image.open(io.BytesIO(buffer.getvalue())).size == size


def bomb() -> bytes:
    """A picture that says of itself that it has 2^30 x 2^30 pixels, and holds no more."""
    bits = 0 | 3 << 1 | (2**30 - 1) << 3 | 0 << 33 | 3 << 36 | (2**30 - 1) << 38 | 1 << 68
    return b"\xff\x0a" + bits.to_bytes(12, "little")


def test_a_bomb_is_refused_by_its_size() -> None:
    assert still_size(bomb()) == (2**30, 2**30)
    with pytest.raises(FormatError, match="larger than it says"):
        decode_still("jxl", bomb(), (64, 64))
    with pytest.raises(ImageError, match="more than the"):
        read_picture(bomb())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x0a",
        b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a" + bytes(40),
        encode("webp", Image.new("RGB", (8, 8)), 1),
    ],
)
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="it "):
        still_size(data)
