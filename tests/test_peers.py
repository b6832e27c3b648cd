"""Peers: bytes are those of files on disk, pictures those that the files hold."""

import builtins
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from invcomp.errors import DataError, FormatError, PriorError
from invcomp.lab import pca, peers
from invcomp.lab.compare import closest
from invcomp.lab.peers import PEERS, PeerSetting, PillowCodec, SharedHeaderJpeg, why_missing
from tests.conftest import windows

PILLOW = [name for name, codec in PEERS.items() if isinstance(codec, PillowCodec) and not why_missing(name)]
PLACEHOLDERS = [name for name in ("thumbhash", "blurhash") if not why_missing(name)]


def quiet(_: float) -> None:
    return


def psnr(left: Image.Image, right: Image.Image) -> float:
    error = np.square(np.asarray(left, dtype=float) - np.asarray(right, dtype=float)).mean()
    return float(-10 * np.log10(error / 255**2))


def test_all_peers_are_here() -> None:
    assert {"jpeg", "jpeg-progressive", "jpeg-shared", "webp", "avif", "jxl"} <= set(PILLOW)
    assert PLACEHOLDERS == ["thumbhash", "blurhash"]


@pytest.mark.parametrize("name", [n for n in PILLOW if n != "jpeg-shared"])
@pytest.mark.parametrize("scale", [Fraction(1), Fraction(1, 2)])
def test_a_file_on_disk_has_the_bytes_and_the_picture(name: str, scale: Fraction, tmp_path: Path) -> None:
    codec, (image,) = PEERS[name], windows(1, 64)
    setting = PeerSetting(scale, 60)
    (data,) = codec.encode([image], setting, quiet)
    path = tmp_path / f"file.{name}"
    path.write_bytes(data)
    assert path.stat().st_size == len(data)
    shown = Image.open(path).convert("RGB")
    assert shown.size == (int(64 * scale), int(64 * scale))
    decoded = codec.decode(data, setting, image.size)
    assert decoded.size == image.size
    if scale == 1:
        assert np.array_equal(np.asarray(decoded), np.asarray(shown))
    assert psnr(decoded, image) > 18


@pytest.mark.parametrize("name", PILLOW)
def test_files_carry_no_metadata(name: str) -> None:
    (image,) = windows(1, 64)
    marked = image.copy()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    marked.info.update(icc_profile=profile, exif=b"Exif\0\0" + bytes(300), comment=b"hello" * 20)
    setting = PeerSetting(Fraction(1), 50)
    codec = PEERS[name]
    assert codec.encode([marked], setting, quiet) == codec.encode([image], setting, quiet)


@pytest.mark.parametrize("name", PILLOW)
def test_more_quality_is_more_bytes_and_a_better_picture(name: str) -> None:
    (image,) = windows(1, 64)
    codec = PEERS[name]
    low, high = (PeerSetting(Fraction(1), quality) for quality in (10, 90))
    small, large = codec.encode([image], low, quiet)[0], codec.encode([image], high, quiet)[0]
    assert len(small) < len(large)
    assert psnr(codec.decode(small, low, image.size), image) < psnr(codec.decode(large, high, image.size), image)


@pytest.mark.parametrize("chroma", [None, *peers.BOTH_CHROMAS])
def test_a_shared_header_gives_the_same_picture_for_fewer_bytes(chroma: str | None) -> None:
    image = windows(1, 64)[0].crop((0, 0, 61, 45))
    codec = PEERS["jpeg-shared"]
    assert isinstance(codec, SharedHeaderJpeg)
    for scale in peers.SCALES:
        setting = PeerSetting(scale, 40, chroma)
        (data,) = codec.encode([image], setting, quiet)
        buffer = io.BytesIO()
        options = {"subsampling": chroma} if chroma else {}
        peers.shrunk(image, scale).save(buffer, format="JPEG", quality=40, **options)
        whole = Image.open(buffer).convert("RGB").resize(image.size, Image.Resampling.LANCZOS)
        assert np.array_equal(np.asarray(codec.decode(data, setting, image.size)), np.asarray(whole))
        assert len(data) < buffer.tell() - 500
    assert "not counted" in codec.note


def test_a_file_of_matched_bytes_is_the_largest_that_fits() -> None:
    (image,) = windows(1, 64)
    codec = PEERS["webp"]
    assert isinstance(codec, PillowCodec)
    (half,) = codec.encode([image], PeerSetting(Fraction(1), 50), quiet)
    setting, data = closest(codec, PeerSetting(Fraction(1), 8), len(half), image)
    assert len(data) <= len(half)
    (above,) = codec.encode([image], PeerSetting(Fraction(1), setting.quality + 1), quiet)
    assert len(above) > len(half)
    assert setting.quality > 8


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_placeholders_show_where_a_picture_has_which_colour(name: str) -> None:
    (image,) = windows(1, 64)
    codec = PEERS[name]
    (data,) = codec.encode([image], codec.ladders[0][0], quiet)
    assert len(data) < 40
    decoded = codec.decode(data, codec.ladders[0][0], image.size)
    assert decoded.size == image.size
    coarse = image.resize((4, 4), Image.Resampling.BOX), decoded.resize((4, 4), Image.Resampling.BOX)
    original, shown = (np.asarray(c, dtype=float).ravel() for c in coarse)
    assert np.corrcoef(original, shown)[0, 1] > 0.85
    assert abs(original - shown).mean() < 30


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "pillow_jxl":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(peers.importlib, "import_module", lambda name: without(name))
    reason = why_missing("jxl")
    assert reason is not None
    assert "pip install pillow-jxl-plugin" in reason


@pytest.fixture(scope="module")
def fitted() -> pca.PcaCodec:
    pictures = [image.resize((16, 16), Image.Resampling.LANCZOS) for image in windows(200, 96)]
    return pca.fit(np.stack([np.asarray(p).transpose(2, 0, 1) for p in pictures]), components=40)


def test_pca_is_no_worse_than_numpy_says(fitted: pca.PcaCodec) -> None:
    """At its finest step the error is that of numpy's projection onto as many eigen-images, and a little rounding."""
    train = np.stack([np.asarray(p.resize((16, 16), Image.Resampling.LANCZOS)) for p in windows(200, 96)])
    flat = np.concatenate([train, train[:, :, ::-1]]).transpose(0, 3, 1, 2).reshape(400, -1).astype(float)
    _, _, basis = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    picture = windows(1, 96, seed=7)[0].resize((16, 16), Image.Resampling.LANCZOS)
    centred = np.asarray(picture).transpose(2, 0, 1).ravel() - flat.mean(axis=0)
    projected = (basis[:40].T @ (basis[:40] @ centred) + flat.mean(axis=0)).clip(0, 255)
    ideal = np.square(projected - np.asarray(picture).transpose(2, 0, 1).ravel()).mean()
    setting = fitted.ladders[0][-1]
    (data,) = fitted.encode([picture], setting, quiet)
    decoded = fitted.decode(data, setting, (16, 16))
    found = np.square(np.asarray(decoded, dtype=float) - np.asarray(picture, dtype=float)).mean()
    assert ideal * 0.9 < found < ideal * 1.1 + 15


def test_pca_files_shrink_with_the_step_and_are_checked(fitted: pca.PcaCodec) -> None:
    (picture,) = (w.resize((16, 16), Image.Resampling.LANCZOS) for w in windows(1, 96, seed=8))
    sizes, quality = [], []
    for setting in fitted.ladders[0]:
        (data,) = fitted.encode([picture], setting, quiet)
        sizes.append(len(data))
        quality.append(psnr(fitted.decode(data, setting, (16, 16)), picture))
    assert sizes[0] <= sizes[4] < sizes[9] < sizes[-1]
    assert quality[-1] > quality[0] + 3
    with pytest.raises(FormatError):
        fitted.decode(data[:-1], setting, (16, 16))


@pytest.mark.slow
def test_every_pca_file_is_read_again(fitted: pca.PcaCodec) -> None:
    """One payload in 256 makes a file that a reader refuses, its last byte being one too many: it is written anew."""
    pictures = [w.resize((16, 16), Image.Resampling.LANCZOS) for w in windows(1000, 96, seed=10)]
    setting = fitted.ladders[0][4]
    for data in fitted.encode(pictures, setting, quiet):
        fitted.decode(data, setting, (16, 16))


def test_pca_survives_its_file(fitted: pca.PcaCodec, tmp_path: Path) -> None:
    path = tmp_path / pca.FILE
    path.write_bytes(fitted.to_bytes())
    again = pca.read(path)
    images = [w.resize((16, 16), Image.Resampling.LANCZOS) for w in windows(2, 96, seed=9)]
    setting = fitted.ladders[0][6]
    assert again.encode(images, setting, quiet) == fitted.encode(images, setting, quiet)
    assert "40 eigen-images of 200" in again.note
    path.write_bytes(fitted.to_bytes()[:500])
    with pytest.raises(PriorError, match="damaged"):
        pca.read(path)


def test_pca_needs_pictures() -> None:
    with pytest.raises(DataError, match="at least 8"):
        pca.fit(np.zeros((3, 3, 16, 16), dtype=np.uint8))
