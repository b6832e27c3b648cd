"""Faces are found, cut to the FFHQ frame and put back."""

import cmath
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from invcomp import dlib_models
from invcomp.alignment import Landmarks, crop, ffhq_square, paste
from invcomp.codec import Codec
from invcomp.errors import ImageError
from invcomp.faces import FaceFinder
from invcomp.placement import Placement, Square, middle
from tests.conftest import photographs
from tests.test_cli import call

QUICK = ["--steps", "0", "--device", "cpu"]


def published_quad(lm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of the crop for 68 landmarks, as FFHQ's script computes them."""
    eye_left, eye_right = np.mean(lm[36:42], axis=0), np.mean(lm[42:48], axis=0)
    eye_avg = (eye_left + eye_right) * 0.5
    eye_to_eye = eye_right - eye_left
    mouth_avg = (lm[48] + lm[54]) * 0.5
    eye_to_mouth = mouth_avg - eye_avg
    x = eye_to_eye - np.flipud(eye_to_mouth) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = np.flipud(x) * [-1, 1]
    c = eye_avg + eye_to_mouth * 0.1
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


@given(st.integers(0, 10_000))
def test_the_square_is_the_published_one(seed: int) -> None:
    lm = np.random.default_rng(seed).normal(200, 80, (68, 2))
    z = lm @ [1, 1j]
    square = ffhq_square(Landmarks(complex(z[36:42].mean()), complex(z[42:48].mean()), z[30], z[48], z[54]))
    np.testing.assert_allclose(np.array(square.corners), published_quad(lm) @ [1, 1j], rtol=1e-9)


@given(st.tuples(st.floats(0, 639), st.floats(0, 479)), st.floats(4, 900), st.floats(-4, 4))
def test_the_header_keeps_every_corner_within_half_a_pixel(
    centre: tuple[float, float], side: float, turn: float
) -> None:
    square = Square(complex(*centre), cmath.rect(side / 2, turn))
    kept = Placement.of(square, (640, 480)).square
    assert max(abs(a - b) for a, b in zip(square.corners, kept.corners, strict=True)) < 0.43


def test_an_upright_square_of_whole_pixels_is_cut_and_put_back_where_it_was() -> None:
    picture = photographs()[0].filter(ImageFilter.GaussianBlur(3))
    square = Square(middle((512, 512)), 64 + 0j)
    cut = crop(picture, square, 128)
    wanted = picture.crop((192, 192, 320, 320))
    assert difference(cut, wanted) < 1
    back = paste(picture, [(cut, square)])
    assert difference(back, picture) < 0.1


@pytest.mark.parametrize("turn", [0, 0.4, 2, -3])
def test_pasting_changes_nothing_outside_of_the_squares_and_does_not_mind_their_order(turn: float) -> None:
    picture = photographs()[1]
    red, blue = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "blue")
    squares = [Square(90 + 120j, cmath.rect(40, turn)), Square(150 + 130j, cmath.rect(50, -turn))]
    changed = np.asarray(paste(picture, [(red, squares[0]), (blue, squares[1])]))
    other = np.asarray(paste(picture, [(blue, squares[1]), (red, squares[0])]))
    assert np.abs(changed.astype(int) - other).max() <= 1
    assert not (changed != np.asarray(picture))[~inside(picture.size, squares)].any()
    assert tuple(changed[120, 80]) == (255, 0, 0)
    assert tuple(changed[130, 165]) == (0, 0, 255)


def test_a_square_far_larger_than_its_picture_can_be_cut_and_put_back() -> None:
    picture = photographs()[1]
    square = Square(-200 - 100j, 800 + 300j)
    assert crop(picture, square, 64).size == (64, 64)
    assert paste(picture, [(Image.new("RGB", (64, 64)), square)]).size == picture.size


def test_a_resized_background_takes_the_square_along() -> None:
    placement = Placement.of(Square(300 + 200j, 60 + 10j), (640, 480))
    half = placement.square_in((320, 240))
    assert half is not None
    assert half.side == pytest.approx(placement.square.side / 2)
    assert half.centre == pytest.approx((300.5 + 200.5j) / 2 - 0.5 - 0.5j, abs=0.2)
    assert placement.square_in((321, 240)) is not None  # within a pixel
    assert placement.square_in((330, 240)) is None


def test_pictures_too_large_for_a_header_are_refused() -> None:
    with pytest.raises(ImageError, match="no file can say"):
        Placement.of(Square(20 + 20j, 10 + 0j), (70_000, 100))


def test_the_codec_keeps_a_placement_and_nothing_else_changes(tiny: Codec, held_out: list[Image.Image]) -> None:
    placement = Placement((640, 480), (-83, 120), (301, -44))
    bare, placed = tiny.compress(held_out[0], steps=0), tiny.compress(held_out[0], steps=0, placement=placement)
    assert (tiny.placement(bare), tiny.placement(placed)) == (None, placement)
    assert len(placed) - len(bare) <= 14
    assert tiny.decompress(placed).tobytes() == tiny.decompress(bare).tobytes()


def test_align_takes_an_optional_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--align takes crop or paste" in call("compress", "--align=edge", "face.png").output
    monkeypatch.setattr(dlib_models, "import_module", missing)
    for arguments in (
        ["--align", "a.png"],
        ["a.png", "--align"],
        ["--align", "paste", "a.png"],
        ["--align=crop", "a.png"],
    ):
        result = call("compress", *arguments)
        assert result.exit_code == 1
        assert "finding faces needs dlib: pip install 'invcomp[faces]'" in result.output


def missing(name: str) -> None:
    raise ImportError(name)


# -- with dlib ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def astronaut() -> Image.Image:
    pytest.importorskip("dlib")
    return photographs()[0]


def copy_of(image: Image.Image, degrees: float, scale: float = 1.0, shift: complex = 0j) -> tuple[Image.Image, complex]:
    """The image turned about (220, 110), its face, resized and shifted; and the factor of its vectors."""
    factor = cmath.rect(scale, math.radians(degrees))
    pivot, step = 220 + 110j, 1 / factor
    start = pivot - step * (pivot + shift)
    affine = (step.real, -step.imag, start.real, step.imag, step.real, start.imag)
    return image.transform(image.size, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC), factor


def difference(image: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference, of 255."""
    return float(np.abs(np.asarray(image, dtype=float) - np.asarray(other, dtype=float)).mean())


def inside(size: tuple[int, int], squares: list[Square]) -> NDArray[np.bool_]:
    """Where pixels (H, W) lie in one of the squares."""
    grid = np.arange(size[0])[None] + 1j * np.arange(size[1])[:, None]
    places = [(grid - square.centre) / square.half for square in squares]
    return np.any([(abs(p.real) <= 1) & (abs(p.imag) <= 1) for p in places], axis=0)


COPIES = [
    (10, 1.0, 0j),
    (25, 1.0, 0j),
    (0, 0.7, 0j),
    (-15, 0.8, -20 + 30j),
    (90, 1.0, 100j),
    *(
        pytest.param(*more, marks=pytest.mark.slow)
        for more in ((-10, 1.0, 0j), (-25, 1.0, 0j), (0, 1.0, 31.5 + 12.25j), (0, 1.4, 20j), (180, 1.0, 150j))
    ),
]


@pytest.fixture(scope="module")
def original(astronaut: Image.Image) -> Placement:
    (found,) = FaceFinder().find(astronaut)
    return found


@pytest.mark.parametrize(("degrees", "scale", "shift"), COPIES)
def test_copies_of_a_face_give_the_same_crop(
    astronaut: Image.Image, original: Placement, degrees: float, scale: float, shift: complex
) -> None:
    image, factor = copy_of(astronaut, degrees, scale, shift)
    (found,) = FaceFinder().find(image)
    pivot = 220.5 + 110.5j - (0.5 + 0.5j)
    wanted = Square((original.square.centre - pivot) * factor + pivot + shift, original.square.half * factor)
    apart = [abs(a - b) for a, b in zip(found.square.corners, wanted.corners, strict=True)]
    middle_of_crop = (12, 12, 52, 52)  # the face; around it a copy may lack what the picture has, and the reverse
    crops = [crop(astronaut, original.square, 64), crop(image, found.square, 64)]
    assert max(apart) < 0.02 * wanted.side
    assert difference(*(c.crop(middle_of_crop) for c in crops)) < 5


@pytest.fixture(scope="session")
def pair(astronaut: Image.Image) -> Image.Image:
    """Two faces side by side, the left one turned."""
    sheet = Image.new("RGB", (640, 330), (96, 110, 130))
    for index, degrees in enumerate((-12, 6)):
        sheet.paste(copy_of(astronaut, degrees)[0].crop((90, 0, 390, 300)), (10 + 320 * index, 15))
    return sheet


@pytest.mark.slow
def test_two_faces_give_two_files_and_go_back_onto_their_picture(pair: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "group.png"
    pair.save(path)
    result = call("compress", path, "--align", "paste", *QUICK, "--json")
    entries = json.loads(result.stdout)["files"]
    assert [(Path(entry["output"]).name, entry["faces"]) for entry in entries] == [
        ("group-1.inv", 2),
        ("group-2.inv", 2),
    ]
    files = [tmp_path / "group-1.inv", tmp_path / "group-2.inv"]
    facts = [json.loads(call("info", file, "--json").stdout) for file in files]
    assert facts[0]["centre"][0] < 320 < facts[1]["centre"][0]
    assert facts[0]["turned"] < 0 < facts[1]["turned"]
    assert facts[0]["original_size"] == "the prior's own"
    out = tmp_path / "out.png"
    assert call("decompress", *files, "--onto", path, "-o", out, "--device", "cpu").exit_code == 0
    squares = [Square(complex(*f["centre"]), cmath.rect(f["side"] / 2, math.radians(f["turned"]))) for f in facts]
    back, region = Image.open(out), inside(pair.size, squares)
    changed = np.asarray(back, dtype=int) - np.asarray(pair)
    assert not changed[~inside(pair.size, [Square(s.centre, s.half * 1.01) for s in squares])].any()
    assert 0.5 < np.abs(changed[region]).mean() < 16


@pytest.mark.slow
def test_one_face_keeps_the_plain_name_and_one_place_takes_one_face(
    astronaut: Image.Image, pair: Image.Image, tmp_path: Path
) -> None:
    astronaut.save(tmp_path / "one.png")
    pair.save(tmp_path / "two.png")
    result = call("compress", "--align", tmp_path / "one.png", *QUICK)
    assert result.exit_code == 0
    assert "1 face found in 1 picture" in result.output
    assert Codec("faces", "cpu").placement((tmp_path / "one.inv").read_bytes()) is None
    for output in ("-", tmp_path / "out.inv"):
        result = call("compress", tmp_path / "two.png", "--align", "-o", output, *QUICK)
        assert result.exit_code == 2
        assert "has 2 faces" in result.output
        assert "folder" in result.output
    assert not (tmp_path / "out.inv").exists()
    assert call("compress", tmp_path / "one.png", tmp_path / "two.png", "--align", *QUICK).exit_code == 1
    assert (tmp_path / "two-2.inv").exists()  # what failed is one.inv, which exists


def test_a_picture_without_a_face_is_an_error(tmp_path: Path, astronaut: Image.Image) -> None:
    photographs()[2].save(tmp_path / "coffee.png")
    result = call("compress", "--align", tmp_path / "coffee.png", *QUICK)
    assert result.exit_code == 1
    assert "coffee.png: no face was found" in result.output
    assert not (tmp_path / "coffee.inv").exists()
    result = call("compress", "--align", tmp_path / "coffee.png", tmp_path / "missing.png", *QUICK)
    assert result.exit_code == 1
    assert "0 faces found in 1 picture" in result.output


def test_onto_needs_a_place_and_its_picture(astronaut: Image.Image, tmp_path: Path, faces: Codec) -> None:
    (tmp_path / "bare.inv").write_bytes(faces.compress(astronaut, steps=0))
    placement = Placement.of(Square(220 + 110j, 90 + 0j), astronaut.size)
    (tmp_path / "placed.inv").write_bytes(faces.compress(astronaut.resize((64, 64)), steps=0, placement=placement))
    astronaut.save(tmp_path / "back.png")
    astronaut.crop((0, 0, 500, 400)).save(tmp_path / "other.png")
    astronaut.resize((256, 256)).save(tmp_path / "small.png")

    def onto(file: str, background: str, *more: str) -> tuple[int, str]:
        result = call("decompress", tmp_path / file, "--onto", tmp_path / background, "--device", "cpu", *more)
        return result.exit_code, result.output

    code, output = onto("bare.inv", "back.png")
    assert code == 1
    assert "--align paste" in output
    code, output = onto("placed.inv", "other.png")
    assert code == 1
    assert "512 x 512" in output
    assert "500 x 400" in output
    assert not (tmp_path / "placed.png").exists()
    assert onto("placed.inv", "small.png")[0] == 0
    assert Image.open(tmp_path / "placed.png").size == (256, 256)
    assert onto("placed.inv", "back.png")[0] == 1  # placed.png exists
    assert onto("placed.inv", "back.png", str(tmp_path / "bare.inv"))[0] == 2  # two files, no name for the picture
    stream = call("decompress", tmp_path / "placed.inv", "--onto", tmp_path / "back.png", "-o", "-")
    assert Image.open(io.BytesIO(stream.stdout_bytes)).size == (512, 512)
