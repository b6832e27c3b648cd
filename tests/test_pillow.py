"""Pillow opens and saves our files."""

import copy
import io
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

import invcomp.pillow
from invcomp.codec import Codec
from invcomp.errors import FormatError, ImageError, UsageError
from tests.golden_files import GOLDEN, ROOT, shipped
from tests.untrained import FREE, untrained

FILE = GOLDEN / f"v1-{shipped('faces')}-q36-1.inv"


@pytest.fixture
def face() -> Image.Image:
    return Image.open(ROOT / "tests" / "faces" / "face-1.png").convert("RGB")


def test_open_is_lazy() -> None:
    code = (
        "import sys, invcomp.pillow; from PIL import Image; "
        f"image = Image.open({str(FILE)!r}); print(image.size, image.mode, image.format); "
        "assert not {'torch', 'onnxruntime'} & set(sys.modules); image.load(); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("(64, 64) RGB INVCOMP\n", "")


def test_pixels_are_those_of_the_decoder() -> None:
    expected = invcomp.Decoder("faces").decompress(FILE.read_bytes())
    for source in (FILE, str(FILE), io.BytesIO(FILE.read_bytes())):
        with Image.open(source) as image:
            assert np.array_equal(np.asarray(image), np.asarray(expected))
            assert image.info["invcomp-prior"] == expected.info["invcomp-prior"]
    small = Image.open(FILE)
    small.thumbnail((16, 16))
    assert small.size == (16, 16)


def test_opened_files_are_pickled_and_copied() -> None:
    expected = np.asarray(Image.open(FILE))
    for image in (Image.open(FILE), loaded(Image.open(FILE))):
        for copied in (pickle.loads(pickle.dumps(image)), copy.deepcopy(image), image.copy()):
            assert np.array_equal(np.asarray(copied), expected)


def loaded(image: Image.Image) -> Image.Image:
    image.load()
    return image


def test_what_another_codec_stored_names_no_prior() -> None:
    image = Image.open(GOLDEN / f"v1-{shipped('faces')}-foreign-webp.inv")
    assert "prior" not in image.info
    assert image.info["codec"] == "webp"


def test_save_keeps_its_promise(face: Image.Image, tmp_path: Path) -> None:
    face.save(tmp_path / "face.inv", prior="faces-64", max_bytes=120, steps=5)
    data = (tmp_path / "face.inv").read_bytes()
    assert 100 < len(data) <= 120
    expected = Codec("faces-64", "cpu").decompress(data)
    assert np.abs(np.asarray(Image.open(tmp_path / "face.inv")).astype(int) - np.asarray(expected)).max() <= 1
    buffer = io.BytesIO()
    face.convert("L").save(buffer, "INVCOMP", prior="faces-64", steps=0, quality=20, optimize=True, exif=b"")
    assert Image.open(io.BytesIO(buffer.getvalue())).size == face.size


def test_wrong_options_leave_no_file(face: Image.Image, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no option 'max_byte'; there are prior, device, checksum"):
        face.save(tmp_path / "face.inv", max_byte=120)
    with pytest.raises(ImageError, match="no file has 5 bytes"):
        face.save(tmp_path / "face.inv", prior="faces-64", max_bytes=5)
    assert not (tmp_path / "face.inv").exists()


def test_files_that_cannot_be_shown(tmp_path: Path) -> None:
    data = FILE.read_bytes()
    for name, content, sentence in (
        ("cut.inv", data[:-1], "cut.inv is truncated or damaged"),
        ("damaged.inv", data[:9] + bytes([data[9] ^ 1]) + data[10:], "damaged.inv is truncated or damaged"),
        ("other.inv", bytes([data[0], data[1] ^ 1]) + data[2:], "other.inv needs a prior whose id begins with"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match=sentence):
            Image.open(tmp_path / name)
    with pytest.raises(UnidentifiedImageError):  # any file may begin so
        Image.open(io.BytesIO(bytes([0xA0]) + bytes(50)))


def test_other_formats_are_read_as_before(face: Image.Image) -> None:
    for kind in ("PNG", "WEBP", "JPEG", "BMP", "TIFF"):
        buffer = io.BytesIO()
        face.save(buffer, kind)
        assert Image.open(io.BytesIO(buffer.getvalue())).format == kind


def test_truncated_files_are_shown_on_demand(face: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Codec("faces-64", "cpu").compress(face, steps=0, progressive=True)
    with pytest.raises(FormatError, match="truncated or damaged"):
        Image.open(io.BytesIO(data[:-1]))
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    shown = Image.open(io.BytesIO(data[:-1]))
    shown.load()
    assert shown.info["invcomp-levels"].startswith("3 of 4")


def test_priors_of_free_size_keep_the_size(face: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = untrained(tmp_path / "priors" / "free", FREE)
    monkeypatch.setattr(invcomp.pillow, "priors_of", lambda short: [folder])
    monkeypatch.setattr("invcomp.decoding.priors_of", lambda short: [folder])
    face.resize((50, 30)).save(tmp_path / "small.inv", prior=folder, steps=0)
    assert Image.open(tmp_path / "small.inv").size == (50, 30)
    assert Image.open(tmp_path / "small.inv").convert("L").size == (50, 30)  # by torch: it has no graph
