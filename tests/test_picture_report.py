"""`compress --report`: it says what the file says, and is refused where it would be wrong or destroy something."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invcomp.batch import Compressed
from invcomp.codec import Codec
from invcomp.inversion.fidelity import Fidelity
from invcomp.inversion.starts import schedule_for
from invcomp.lab.metrics import psnr
from invcomp.lab.picture_page import page
from invcomp.lab.picture_report import Asked, PictureReport, enlarged_difference, picture_report
from invcomp.lab.picture_sheet import sheet
from invcomp.pixels import to_tensor
from tests.conftest import FACES
from tests.test_cli import call
from tests.test_report import Page

QUICK = ["--prior", "faces-64", "--device", "cpu", "--steps", 2, "--loss", "100*mse"]
NAME = "in/<b>a & b\udcff.png"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promises on quality are given up soon."""
    monkeypatch.setattr("invcomp.batch.ATTEMPTS", 2)
    monkeypatch.setattr("invcomp.batch.LEAST_ROUNDS", 2)


@pytest.fixture
def face(tmp_path: Path) -> Path:
    path = tmp_path / "face.png"
    path.write_bytes(FACES[0].read_bytes())
    return path


@pytest.fixture(scope="module")
def original() -> Image.Image:
    """Wider than high and of no prior's size."""
    return Image.open(FACES[1]).convert("RGB").resize((90, 70))


@pytest.fixture(scope="module")
def result(faces: Codec, original: Image.Image) -> Compressed:
    return faces.compress_batch([original], steps=10, progressive=True)[0]


@pytest.fixture(scope="module")
def report(faces: Codec, original: Image.Image, result: Compressed) -> PictureReport:
    return picture_report(faces, NAME, original, result, Asked(), ["of an animation the first frame is taken"], 1.5)


def test_the_shares_add_up_to_the_file(faces: Codec, report: PictureReport, result: Compressed) -> None:
    shares = [*report.levels, *report.rest]
    assert sum(share.bytes for share in shares) == pytest.approx(len(result.data))
    assert sum(share.bits for share in shares) == pytest.approx(8 * len(result.data))
    assert [share.bits for share in report.levels] == pytest.approx(result.level_bits, abs=0.06)
    _, symbols = faces.read(result.data)
    assert [share.not_zero for share in report.levels] == [np.count_nonzero(level) for level in symbols]
    assert report.levels[-1].cut_at == len(result.data)


@pytest.mark.parametrize("asked", [{"max_bytes": 60}, {"levels": 2}, {"quality": 0, "progressive": True}])
def test_they_do_for_every_kind_of_file(faces: Codec, original: Image.Image, asked: dict[str, int]) -> None:
    (result,) = faces.compress_batch([original], steps=0, **asked)  # type: ignore[arg-type]
    report = picture_report(faces, "x", original, result, Asked())
    assert sum(share.bytes for share in (*report.levels, *report.rest)) == pytest.approx(result.bytes)
    assert all(share.bytes >= 0 for share in report.levels)
    assert abs(report.rest[-1].bytes) < 5  # a byte a level at most


def test_the_pictures_are_those_of_the_file(faces: Codec, report: PictureReport, result: Compressed) -> None:
    decoded = faces.decompress(result.data)
    assert np.array_equal(report.decoded, decoded)
    assert np.array_equal(report.levels[-1].image, decoded)
    apart = np.abs(np.int32(report.original) - np.int32(decoded))
    assert np.array_equal(report.difference, np.minimum(255, report.factor * apart))
    figures = {metric.key: value for metric, value in report.figures}
    expected = psnr(to_tensor(decoded)[None], to_tensor(report.original)[None])
    assert figures["psnr"] == pytest.approx(float(expected))
    assert set(figures) == {"psnr", "ssim", "lpips_squeeze"}


def test_equal_pictures_have_no_difference(original: Image.Image) -> None:
    factor, difference = enlarged_difference(original, original)
    assert factor == 16
    assert not np.asarray(difference).any()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "asked",
    [{}, {"max_bytes": 80}, {"min_psnr": 21}, {"start": "mean"}, {"steps": 0}, {"relaxation": "soft-rounding"}],
    ids=str,
)
def test_the_course_falls_to_the_objective_of_the_file(faces: Codec, asked: dict[str, float]) -> None:
    images = [Image.open(path).convert("RGB") for path in FACES[:2]]
    for result in faces.compress_batch(images, **({"steps": 6} | asked)):  # type: ignore[arg-type]
        for stretch in result.course:
            assert len(stretch.bits) == len(stretch.distortion) == len(stretch.objective) == stretch.steps + 1
            assert all(
                later <= earlier for earlier, later in zip(stretch.objective, stretch.objective[1:], strict=False)
            )
        (written,) = (stretch for stretch in result.course if stretch.written)
        assert written.objective[-1] == result.objective
        assert written.distortion[-1] == result.distortion
        assert written.bits[-1] == pytest.approx(result.ideal_bits, rel=1e-4)
        assert (len(result.course) > 1) == ("min_psnr" in asked)
        if len(result.course) == 1:
            assert written.steps == asked.get("steps", 6)
            schedule = schedule_for(
                "default", str(asked.get("start", "encoder")), True, steps=int(asked.get("steps", 6))
            )
            assert written.gradient_steps == schedule.gradient_steps


def test_the_page_has_all_of_it_and_names_are_text(report: PictureReport, result: Compressed) -> None:
    html = page(report)
    read = Page(html)
    assert "<b>a & b?.png" in read.text
    assert "in/" not in read.text
    assert f"{result.bytes} bytes" in read.text
    assert "faces-64, id " in read.text
    assert "Of an animation the first frame is taken." in read.text
    rows = {row[0]: row for row in read.rows}
    assert rows["the file"][1] == f"{result.bytes:,.1f}"
    shown = [float(row[1].replace("−", "-")) for row in read.rows[1:-1]]
    assert sum(shown) == pytest.approx(result.bytes)
    assert html.count("<svg") == 3  # a course by objective, bits, distortion
    assert read.values("src")
    assert all(source.startswith("data:image/webp;base64,") for source in read.values("src"))
    assert not re.search(r"(src|href)=\"https?:", html)


def test_the_sheet_is_a_picture(report: PictureReport) -> None:
    image = Image.open(io.BytesIO(sheet(report)))
    assert (image.format, image.width) == ("PNG", 1200)
    assert 700 < image.height < 1500


@pytest.mark.usefixtures("hasty")
def test_best_effort_is_said(faces: Codec, original: Image.Image) -> None:
    (result,) = faces.compress_batch([original], min_psnr=60, steps=1)
    assert not result.kept
    report = picture_report(faces, "x", original, result, Asked(least=Fidelity(60.0)))
    assert "not reached, at best" in report.facts["asked for"]
    assert "a rule parts them" in page(report)


def test_a_report_beside_the_file(face: Path, tmp_path: Path) -> None:
    for suffix, head in ((".html", b"<!DOCTYPE html>"), (".PNG", b"\x89PNG")):
        target = tmp_path / f"report{suffix}"
        result = call("compress", face, *QUICK, "--steps", 0, "--report", target, "--force", "--json")
        assert result.exit_code == 0
        assert f'"report": "{target}"' in result.output
        assert target.read_bytes().startswith(head)
    assert call("compress", face, *QUICK, "--report", tmp_path / "report.html", "-o", tmp_path / "b.inv").exit_code == 1
    assert not (tmp_path / "b.inv").exists()


def test_of_standard_input(face: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"
    result = call("compress", "-", "-o", "-", *QUICK, "--report", target, stdin=face.read_bytes())
    assert result.exit_code == 0
    assert f"{len(result.stdout_bytes)} bytes" in target.read_text()
    assert "standard input" in target.read_text()


def test_what_cannot_be_had_is_refused_before_anything_is_computed(face: Path, tmp_path: Path) -> None:
    other, before = tmp_path / "other.png", face.read_bytes()
    other.write_bytes(before)
    (tmp_path / "link.png").symlink_to(face)
    missing = ["--prior", "no-such-prior", "--force"]  # which would be noticed next
    refusals = {
        "ends in .html or .png": [face, "--report", tmp_path / "x.pdf"],
        "of one picture": [face, other, "--report", tmp_path / "x.html"],
        "overwrite the picture": [face, "--report", tmp_path / "." / "face.png"],
        "overwrite the output": [face, "-o", tmp_path / "x.html", "--report", tmp_path / "x.html"],
        "is a folder": [face, "--report", tmp_path / "folder.png"],
    }
    (tmp_path / "folder.png").mkdir()
    for sentence, arguments in [
        *refusals.items(),
        ("overwrite the picture", [face, "--report", tmp_path / "link.png"]),
    ]:
        result = call("compress", *arguments, *missing)
        assert result.exit_code == (1 if "folder" in sentence else 2)
        assert sentence in result.output
    assert face.read_bytes() == before
    assert not list(tmp_path.glob("*.inv"))


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_no_report_without_a_file(face: Path, tmp_path: Path) -> None:
    arguments = [face, "--prior", "faces-64", "--device", "cpu", "--steps", 0, "--min-psnr", 60]
    assert call("compress", *arguments, "--report", tmp_path / "x.html").exit_code == 1
    assert not (tmp_path / "x.html").exists()
    assert call("compress", *arguments, "--report", tmp_path / "x.html", "--best-effort").exit_code == 0
    assert (tmp_path / "x.html").exists()


def test_compress_alone_needs_nothing_of_the_lab(face: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("invcomp.lab.picture_output", "invcomp.lab.picture_report", "matplotlib", "jinja2"):
        monkeypatch.setitem(sys.modules, module, None)  # importing it fails
    assert call("compress", face, *QUICK, "--steps", 0).exit_code == 0
