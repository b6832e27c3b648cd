"""`--skip-existing`: what is there is left as it is and said to be, and the rest is done."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import photographs, windows
from tests.test_cli import QUICK, call


@pytest.fixture
def folder(tmp_path: Path, tiny_folder: Path) -> Path:
    """Three pictures and the file of the second."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for index, image in enumerate(windows(3)):
        image.save(tmp_path / "in" / f"{index}.png")
    (tmp_path / "out" / "1.inv").write_text("kept")
    return tmp_path


def compress(folder: Path, prior: Path, *options: object) -> tuple[int, list[dict[str, Any]]]:
    command = ("compress", folder / "in", "-o", folder / "out", "--prior", prior, *QUICK, "--skip-existing", "--json")
    result = call(*command, *options)
    return result.exit_code, json.loads(result.stdout)["files"]


def test_what_is_there_is_kept_and_the_rest_is_done(folder: Path, tiny_folder: Path) -> None:
    code, entries = compress(folder, tiny_folder)
    assert code == 0
    assert [entry.get("skipped", False) for entry in entries] == [False, True, False]
    assert [Path(entry["input"]).name for entry in entries] == ["0.png", "1.png", "2.png"]
    assert (folder / "out" / "1.inv").read_text() == "kept"
    assert (folder / "out" / "2.inv").stat().st_size == entries[2]["bytes"]


def test_a_rerun_of_what_is_done_touches_nothing_and_loads_no_prior(folder: Path, tiny_folder: Path) -> None:
    compress(folder, tiny_folder)
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    code, entries = compress(folder, folder / "no-such-prior")
    assert (code, len(entries)) == (0, 3)
    assert all(entry["skipped"] for entry in entries)
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()} == before


def test_the_table_names_what_was_skipped(folder: Path, tiny_folder: Path) -> None:
    result = call(
        "compress", folder / "in", "-o", folder / "out", "--prior", tiny_folder, *QUICK, "--skip-existing"
    )  # fmt: skip
    assert sum("skipped" in line for line in result.stdout.splitlines()) == 1
    assert "left as they are: 1 of 3" in result.stderr


def test_pictures_are_skipped_likewise(folder: Path, tiny_folder: Path) -> None:
    (folder / "out" / "1.inv").unlink()
    compress(folder, tiny_folder)
    (folder / "back").mkdir()
    (folder / "back" / "0.png").write_text("kept")
    command = ("decompress", folder / "out", "-o", folder / "back", "--prior", tiny_folder, "--skip-existing")
    result = call(*command, "--json")
    assert result.exit_code == 0
    assert [entry.get("skipped", False) for entry in json.loads(result.stdout)["files"]] == [True, False, False]
    assert (folder / "back" / "0.png").read_text() == "kept"
    assert Image.open(folder / "back" / "2.png").size == (96, 96)
    assert call(*command).exit_code == 0


def test_the_output_of_another_input_is_not_taken_for_done(folder: Path, tiny_folder: Path) -> None:
    windows(1, seed=7)[0].save(folder / "in" / "1.bmp")
    code, entries = compress(folder, tiny_folder)
    assert code == 1
    assert [("skipped" in entry, "another input" in entry.get("error", "")) for entry in entries] == [
        (False, False),
        (True, False),
        (False, True),
        (False, False),
    ]


def test_a_file_that_cannot_be_named_fails_alone(folder: Path, tiny_folder: Path) -> None:
    windows(1)[0].save(folder / "in" / ("x" * 252 + ".bw"), format="SGI")  # with .inv the name is too long
    code, entries = compress(folder, tiny_folder)
    assert code == 1
    assert ["error" in entry for entry in entries] == [False, False, False, True]
    assert "give a shorter name" in entries[3]["error"]


@pytest.mark.parametrize("words", [["--force"], ["-o", "-"]])
def test_what_makes_no_sense_is_refused(folder: Path, words: list[str]) -> None:
    for command, given in (("compress", folder / "in" / "0.png"), ("decompress", folder / "out" / "1.inv")):
        result = call(command, given, "--skip-existing", *words)
        assert result.exit_code == 2
        assert "--skip-existing" in result.output


def test_a_report_goes_with_its_file(folder: Path, tiny_folder: Path) -> None:
    file, page = folder / "face.inv", folder / "page.html"
    command = ("compress", folder / "in" / "0.png", "-o", file, "--prior", tiny_folder, *QUICK, "--skip-existing")
    assert call(*command, "--report", page).exit_code == 0
    before = file.stat().st_mtime_ns, page.stat().st_mtime_ns
    assert call(*command, "--report", page).exit_code == 0
    assert (file.stat().st_mtime_ns, page.stat().st_mtime_ns) == before
    page.unlink()
    result = call(*command, "--report", page)
    assert result.exit_code == 1
    assert "--force to make both anew" in result.output


@pytest.mark.slow
def test_of_a_picture_with_several_faces_the_missing_ones_are_made(folder: Path, tiny_folder: Path) -> None:
    pytest.importorskip("dlib")
    group = Image.new("RGB", (1024, 512))
    for left in (0, 512):
        group.paste(photographs()[0], (left, 0))
    for picture in (folder / "in").iterdir():
        picture.unlink()
    group.save(folder / "in" / "group.png")
    (folder / "out" / "group-1.inv").write_text("kept")
    code, entries = compress(folder, tiny_folder, "--align", "paste")
    assert code == 0
    assert [entry.get("skipped", False) for entry in entries] == [True, False]
    assert (folder / "out" / "group-1.inv").read_text() == "kept"
    files = sorted((folder / "out").glob("group-*.inv"))
    files[0].unlink()
    assert compress(folder, tiny_folder, "--align", "paste")[0] == 0
    out = folder / "back.png"
    command = ("decompress", *files, "--onto", folder / "in" / "group.png", "-o", out, "--prior", tiny_folder)
    assert call(*command).exit_code == 0
    before = out.stat().st_mtime_ns
    result = call(*command, "--skip-existing", "--json")
    assert [entry["skipped"] for entry in json.loads(result.stdout)["files"]] == [True, True]
    assert out.stat().st_mtime_ns == before
