"""Every picture that comes out says which prior made it; `--label` draws it on the picture, where there is room."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from invcomp import provenance
from invcomp.alignment import crop
from invcomp.codec import Codec
from invcomp.label import mark, mark_face
from invcomp.pictures import encode_image
from invcomp.placement import Placement, Square
from tests.conftest import windows
from tests.test_cli import QUICK, call

GENERATED = b'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"'
COMPOSITE = GENERATED.replace(b"/trained", b"/compositeWithTrained")
LOSS = "100*mse"


@pytest.fixture(scope="module")
def file(tiny: Codec) -> bytes:
    return tiny.compress(windows(1, seed=5)[0], steps=2, loss=LOSS)


@pytest.fixture(scope="module")
def progressive(tiny: Codec) -> bytes:
    return tiny.compress(windows(1, seed=5)[0], steps=2, loss=LOSS, progressive=True, quality=80)


def read(path: Path) -> Image.Image:
    image = Image.open(path)
    image.load()
    return image


def decompressed(data: bytes, output: Path, prior: Path, *options: object) -> Image.Image:
    (output.parent / "in.inv").write_bytes(data)
    result = call("decompress", output.parent / "in.inv", "-o", output, "--prior", prior, "--force", *options)
    assert result.exit_code == 0, result.output
    return read(output)


def test_a_decoded_png_says_which_prior_made_it(file: bytes, tiny: Codec, tiny_folder: Path, tmp_path: Path) -> None:
    image = decompressed(file, tmp_path / "out.png", tiny_folder)
    prior_id = tiny.prior.info.id
    assert image.info["invcomp-prior"] == prior_id
    assert image.info["Software"].startswith("invcomp ")
    assert "Generated likeness" in image.info["Description"]
    assert f"the prior tiny (id {prior_id[:12]})" in image.info["Description"]
    assert "levels" not in image.info["Description"]
    assert GENERATED in image.info["xmp"]
    assert provenance.priors_of(image.info) == [prior_id]
    plain = io.BytesIO()
    image.save(plain, format="PNG", optimize=True)
    assert (tmp_path / "out.png").stat().st_size - plain.tell() < 1200


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif", ".tif", ".gif", ".jp2", ".bmp", ".ppm"])
def test_other_formats_keep_what_they_can(
    file: bytes, tiny: Codec, tiny_folder: Path, tmp_path: Path, suffix: str
) -> None:
    image = decompressed(file, tmp_path / f"out{suffix}", tiny_folder)
    prior_id = tiny.prior.info.id
    if suffix in (".bmp", ".ppm"):
        assert b"invcomp" not in (tmp_path / f"out{suffix}").read_bytes()
        return
    if suffix in (".gif", ".jp2"):
        assert f"invcomp-prior: {prior_id}".encode() in image.info["comment"]
        return
    exif = image.getexif()
    assert "Generated likeness" in exif[0x010E]
    assert exif[0x0131].startswith("invcomp ")
    assert provenance.priors_of(image.info) == [prior_id]
    assert GENERATED in image.info["xmp"]


def test_xmp_is_well_formed_whatever_the_names() -> None:
    from xml.etree import ElementTree

    facts = provenance.decoded(('"fäces" <&>', "ab" * 32), 5, 5)
    packet = facts["xmp"].decode()
    root = ElementTree.fromstring(packet)
    (node,) = root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert node.get("{urn:invcomp}prior") == "ab" * 32
    for name in ("a.png", "a.jpg", "a.webp", "a.tif", "a.gif"):
        image = Image.new("RGB", (8, 8))
        image.info |= facts
        assert encode_image(image, Path(name))


def test_levels_that_are_left_out_are_said(
    file: bytes, progressive: bytes, tiny: Codec, tiny_folder: Path, tmp_path: Path
) -> None:
    coded = tiny.levels_there(file)[1]
    image = decompressed(file, tmp_path / "few.png", tiny_folder, "--levels", 1)
    assert image.info["invcomp-levels"] == f"1 of {coded}"
    assert f"Only 1 of {coded} levels, the coarsest, are its own" in image.info["Description"]
    there, had = tiny.levels_there(progressive[:-1])
    assert (had, there) == (tiny.prior.arch.levels, had - 1)
    image = decompressed(progressive[:-1], tmp_path / "cut.png", tiny_folder, "--partial")
    assert image.info["invcomp-levels"] == f"{there} of {had}"
    assert "invcomp-levels" not in decompressed(progressive, tmp_path / "all.png", tiny_folder).info
    assert "invcomp-levels" not in tiny.decompress(progressive, levels=tiny.prior.arch.levels).info


def test_the_decoded_image_carries_the_facts_so_that_a_user_can_keep_them(file: bytes, tiny: Codec) -> None:
    for image in (tiny.decompress(file), tiny.decompress(file, native=True), tiny.decompress(file, size=50)):
        assert image.info["invcomp-prior"] == tiny.prior.info.id
        assert Image.open(io.BytesIO(encode_image(image))).info["Description"] == image.info["Description"]
    assert "invcomp" not in repr(Image.open(io.BytesIO(encode_image(windows(1)[0]))).info)


def test_drawn_pictures_say_so(tiny: Codec, tiny_folder: Path, tmp_path: Path) -> None:
    assert call("sample", tiny_folder, "-n", 2, "-o", tmp_path / "grid.png").exit_code == 0
    assert call("sample", tiny_folder, "-n", 1, "-o", tmp_path / "folder", "--label").exit_code == 0
    for path in (tmp_path / "grid.png", tmp_path / "folder" / "000000.png"):
        image = read(path)
        assert image.info["invcomp-prior"] == tiny.prior.info.id
        assert image.info["Description"].startswith("Generated picture, drawn by invcomp")
        assert GENERATED in image.info["xmp"]
    plain = read(tmp_path / "grid.png").crop((0, 0, 32, 32))
    assert plain.tobytes() != read(tmp_path / "folder" / "000000.png").tobytes()  # the same picture but for its mark


def test_faces_put_back_are_marked_and_said(tiny: Codec, tiny_folder: Path, tmp_path: Path) -> None:
    background = windows(1, side=300, seed=8)[0]
    background.save(tmp_path / "group.png")
    squares = [Square(complex(80, 90), complex(60, 10)), Square(complex(220, 200), complex(50, -8))]
    files = []
    for index, square in enumerate(squares):
        place = Placement.of(square, background.size)
        files.append(tmp_path / f"{index}.inv")
        files[-1].write_bytes(tiny.compress(crop(background, square, 32), steps=2, loss=LOSS, placement=place))
    onto = ["--prior", tiny_folder, "--device", "cpu", "--onto", tmp_path / "group.png"]
    assert call("decompress", *files, *onto, "-o", tmp_path / "back.png").exit_code == 0
    assert call("decompress", *files, *onto, "-o", tmp_path / "marked.png", "--label").exit_code == 0
    back, marked = read(tmp_path / "back.png"), read(tmp_path / "marked.png")
    for image in (back, marked):
        assert COMPOSITE in image.info["xmp"]
        assert image.info["invcomp-prior"] == tiny.prior.info.id
        assert image.info["Description"].startswith("Parts are generated likenesses")
    changed = (np.asarray(back) != np.asarray(marked)).any(axis=2)
    for square in squares:  # a strip at the lower right of each face, and nothing else
        x, y, half = (round(v) for v in (square.centre.real, square.centre.imag, abs(square.half)))
        corner = (slice(y + half // 2, y + half), slice(x - half, x + half))
        assert changed[corner].sum() > 500
        changed[corner] = False
    assert not changed.any()


def test_priors_of_faces_that_were_there_before_are_kept() -> None:
    first, second = ("a", "1a" * 32), ("b", "2b" * 32)
    before = provenance.pasted([first], [{}], {})
    both = provenance.pasted([second, second], [{}, provenance.decoded(second, 1, 4)], before)
    assert both["invcomp-prior"].split() == [second[1], first[1]]
    assert "the prior b (id" in both["Description"]
    assert "Not all of their levels" in both["Description"]
    assert provenance.priors_of({"xmp": b'invcomp:prior="nothing"'}) == []


def ground(size: tuple[int, int], colour: str) -> Image.Image:
    return Image.new("RGB", size, colour)


@pytest.mark.parametrize("colour", ["white", "black", "grey", "red", "yellow"])
@pytest.mark.parametrize("side", [32, 64, 128, 256, 1024])
def test_the_mark_stands_out_on_any_ground_and_leaves_the_face(side: int, colour: str) -> None:
    image = ground((side, side), colour)
    assert mark(image)
    changed = np.asarray(image) != np.asarray(ground((side, side), colour))
    rows, columns, _ = np.nonzero(changed)
    assert min(rows.max(), columns.max()) >= 0.9 * side - 1  # the letters end a margin before the corner
    least = {32: 0.6, 64: 0.75}.get(side, 0.89)
    assert rows.min() >= least * side  # the mouth lies higher in the FFHQ frame, from 64 pixels on
    strip = image.crop((columns.min(), rows.min(), side, side)).convert("L")
    light, dark = max(strip.getdata()), min(strip.getdata())
    assert contrast(light, dark) > 4.5  # WCAG 2.1, success criterion 1.4.3


def contrast(light: int, dark: int) -> float:
    """Of grey levels, after WCAG."""

    def luminance(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)

    return (luminance(light) + 0.05) / (luminance(dark) + 0.05)


def test_the_mark_grows_with_the_picture() -> None:
    def height(side: int) -> int:
        image = ground((side, side), "white")
        mark(image)
        return int((np.asarray(image).min(axis=(1, 2)) < 255).sum())

    assert abs(height(128) - height(64)) <= 1
    assert height(128) <= 14
    assert 50 <= height(1024) <= 80


@pytest.mark.parametrize("size", [(1, 1), (10, 400), (400, 10), (20, 20), (3000, 3)])
def test_pictures_too_small_for_a_mark_stay_as_they_are(size: tuple[int, int]) -> None:
    image = ground(size, "teal")
    assert not mark(image)
    assert image.tobytes() == ground(size, "teal").tobytes()
    assert not mark_face(image, Square(complex(-500, -500), complex(40, 0)))


def test_a_pillow_without_freetype_marks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from invcomp import label

    def missing(size: float) -> None:
        raise ImportError("The _imagingft C module is not installed")

    monkeypatch.setattr(ImageFont, "load_default", missing)
    label.lettering.cache_clear()
    for side in (64, 512):
        image = ground((side, side), "white")
        assert mark(image)
        assert np.asarray(image).min() < 100
    label.lettering.cache_clear()


def test_labels_of_the_commands(file: bytes, tiny: Codec, tiny_folder: Path, tmp_path: Path) -> None:
    plain = decompressed(file, tmp_path / "plain.png", tiny_folder)
    marked = decompressed(file, tmp_path / "marked.png", tiny_folder, "--label")
    change = np.asarray(plain) != np.asarray(marked)
    assert change[80:, 20:].any()
    assert not change[:80].any()
    assert marked.tobytes() == tiny.decompress(file, label=True).tobytes()
    assert tiny.decompress(file, label=True, size=640).size == (640, 640)
    (tmp_path / "small.inv").write_bytes(tiny.compress(ground((10, 40), "red"), steps=2, loss=LOSS))
    result = call("decompress", tmp_path / "small.inv", "--prior", tiny_folder, "--label")
    assert result.exit_code == 0
    assert result.stderr.count("too small for a mark") == 1
    assert read(tmp_path / "small.png").size == (10, 40)


def test_streams_carry_the_facts(file: bytes, tiny: Codec, tiny_folder: Path) -> None:
    result = call("decompress", "-", "-o", "-", "--prior", tiny_folder, *QUICK[-2:], stdin=file)
    assert Image.open(io.BytesIO(result.stdout_bytes)).info["invcomp-prior"] == tiny.prior.info.id


def test_neither_needs_torch() -> None:
    import subprocess
    import sys

    code = "import sys, invcomp.provenance, invcomp.label\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
