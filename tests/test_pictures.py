"""Pictures of every kind become 8-bit sRGB; broken ones a sentence; outputs appear whole or not at all."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from invcomp.errors import ImageError
from invcomp.pictures import read_picture
from invcomp.pixels import to_image, to_tensor
from tests.conftest import photographs, png


def photograph() -> Image.Image:
    return photographs()[0].resize((40, 30))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def difference(image: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(image, dtype=float) - np.asarray(other.convert("RGB"), dtype=float)).mean())


def test_greyscale_palette_and_one_bit_pictures_are_converted() -> None:
    for mode in ("L", "P", "1", "LA", "RGBA"):
        image = photograph().convert(mode)
        assert difference(read_picture(png(image)).image, image.convert("RGB")) < 1


def test_sixteen_bit_greyscale_keeps_its_brightness() -> None:
    grey = photograph().convert("L")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    for kind in ("PNG", "TIFF"):
        assert difference(read_picture(saved(wide, kind)).image, grey) < 1


def test_floating_point_tiff_is_taken_as_zero_to_one() -> None:
    grey = photograph().convert("L")
    assert difference(read_picture(saved(Image.fromarray(np.float32(np.asarray(grey) / 255)), "TIFF")).image, grey) < 1


def test_cmyk_is_converted() -> None:
    assert difference(read_picture(saved(photograph().convert("CMYK"), "TIFF")).image, photograph()) < 3


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    assert read_picture(saved(photograph(), "JPEG", exif=exif)).image.size == (30, 40)


def test_a_colour_profile_changes_the_pixels() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    plain = read_picture(png(photograph())).image
    assert difference(read_picture(png(photograph(), icc_profile=lab)).image, plain) < 60  # an unusable one is ignored
    swapped = srgb_profile().replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    assert difference(read_picture(png(photograph(), icc_profile=swapped)).image, plain) > 5
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert difference(read_picture(png(photograph(), icc_profile=srgb)).image, plain) < 1


def test_transparency_is_put_on_white_and_said() -> None:
    image = photograph().convert("RGBA")
    image.putalpha(0)
    picture = read_picture(png(image))
    assert np.asarray(picture.image).min() == 255
    assert picture.notes == ["transparency is put on white"]


def test_of_an_animation_the_first_frame_is_taken_and_said() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    picture = read_picture(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert picture.image.getpixel((0, 0)) == (255, 0, 0)
    assert "first frame" in picture.notes[0]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.png", b"", "is empty"),
        ("text.png", b"hello, this is text", "not a picture"),
        ("cut.png", png(photograph())[:700], "truncated or damaged"),
        ("cut.jpg", saved(photograph(), "JPEG")[:500], "truncated or damaged"),
    ],
)
def test_broken_files_are_named_in_one_sentence(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ImageError, match=words) as caught:
        read_picture(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        read_picture(tmp_path / "no.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_picture(tmp_path)


def test_tensors_and_images_agree() -> None:
    assert difference(to_image(to_tensor(photograph())), photograph()) == 0
