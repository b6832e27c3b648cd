"""The commands, as a user calls them: what they write, what they say, how they exit."""

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from invcomp.cli import app
from invcomp.errors import InvcompError
from tests.conftest import png, windows

QUICK = ["--steps", "2", "--loss", "100*mse", "--device", "cpu"]


def call(*arguments: object, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def face(tmp_path: Path) -> Path:
    path = tmp_path / "face.png"
    windows(1, seed=5)[0].save(path)
    return path


@pytest.fixture
def file(face: Path, tiny_folder: Path) -> Path:
    assert call("compress", face, "--prior", tiny_folder, *QUICK).exit_code == 0
    return face.with_suffix(".inv")


def test_a_picture_becomes_a_file_beside_it_and_comes_back(face: Path, file: Path, tiny_folder: Path) -> None:
    face.unlink()
    assert call("decompress", file, "--prior", tiny_folder).exit_code == 0
    assert Image.open(face).size == (96, 96)
    assert len(file.read_bytes()) < 1500


def test_any_output_name_is_accepted(face: Path, tiny_folder: Path, tmp_path: Path) -> None:
    latent, out = tmp_path / "latent.bin", tmp_path / "out.webp"
    assert call("compress", face, "-o", latent, "--prior", tiny_folder, *QUICK).exit_code == 0
    assert call("decompress", latent, "-o", out, "--prior", tiny_folder, "--native").exit_code == 0
    assert (Image.open(out).format, Image.open(out).size) == ("WEBP", (32, 32))


def test_existing_outputs_are_kept_without_force(file: Path, face: Path, tiny_folder: Path) -> None:
    before = file.read_bytes()
    result = call("compress", face, "--prior", tiny_folder, *QUICK, "--quality", "90")
    assert result.exit_code == 1
    assert "--force" in result.output
    assert file.read_bytes() == before
    assert call("compress", face, "--prior", tiny_folder, *QUICK, "--quality", "90", "--force").exit_code == 0
    assert file.read_bytes() != before


def test_a_folder_keeps_its_structure_and_a_failing_file_does_not_stop_the_others(
    tmp_path: Path, tiny_folder: Path
) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for index, image in enumerate(windows(3)):
        image.save(tmp_path / "in" / "deep" / f"{index}.png")
    (tmp_path / "in" / "broken.png").write_text("no picture")
    result = call("compress", tmp_path / "in", "-o", tmp_path / "out", "--prior", tiny_folder, *QUICK)
    assert result.exit_code == 1
    assert "broken.png" in result.output
    assert "1 of 4 files failed" in result.output
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.*")) == ["0.inv", "1.inv", "2.inv"]
    result = call("decompress", tmp_path / "out", "-o", tmp_path / "back", "--prior", tiny_folder)
    assert result.exit_code == 0
    assert len(list((tmp_path / "back" / "deep").glob("*.png"))) == 3


def test_two_inputs_with_one_output_do_not_overwrite_each_other(face: Path, tmp_path: Path, tiny_folder: Path) -> None:
    other = tmp_path / "face.bmp"
    windows(1, seed=6)[0].save(other)
    result = call("compress", face, other, "--prior", tiny_folder, *QUICK)
    assert result.exit_code == 1
    assert "another input" in result.output


def test_standard_input_and_output(face: Path, tiny_folder: Path) -> None:
    command = [sys.executable, "-m", "invcomp.cli"]
    squeezed = subprocess.run(
        [*command, "compress", "-", "-o", "-", "--prior", tiny_folder, *QUICK],
        input=face.read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    decoded = subprocess.run(
        [*command, "decompress", "-", "-o", "-", "--prior", tiny_folder],
        input=squeezed.stdout, capture_output=True, check=True,
    )  # fmt: skip
    assert Image.open(io.BytesIO(decoded.stdout)).size == (96, 96)


def test_json_reports_bytes_and_ideal_bits(face: Path, tiny_folder: Path, tmp_path: Path) -> None:
    result = call("compress", face, "--prior", tiny_folder, *QUICK, "--json")
    (entry,) = json.loads(result.stdout)["files"]
    assert entry["bytes"] == (tmp_path / "face.inv").stat().st_size
    assert 0 < entry["ideal_bits"] / 8 < entry["bytes"]
    assert entry["objective"] <= entry["start_objective"]
    assert sum(entry["level_bits"]) == pytest.approx(entry["ideal_bits"])


def test_transparency_is_said(tmp_path: Path, tiny_folder: Path) -> None:
    Image.new("RGBA", (20, 20), (255, 0, 0, 90)).save(tmp_path / "clear.png")
    assert "transparency" in call("compress", tmp_path / "clear.png", "--prior", tiny_folder, *QUICK).output


def test_info_of_files_and_priors(file: Path, tiny_folder: Path) -> None:
    facts = json.loads(call("info", file, "--json").stdout)
    assert facts["bytes"] == file.stat().st_size
    assert "not installed" in facts["prior"]
    facts = json.loads(call("info", tiny_folder, "--json").stdout)
    assert facts["name"] == "tiny"
    assert facts["training.held_out"] > 0


def test_the_shipped_prior_is_listed() -> None:
    assert "faces" in [row["name"] for row in json.loads(call("priors", "--json").stdout)]


def test_samples_as_a_grid_and_as_a_folder(tmp_path: Path, tiny_folder: Path) -> None:
    assert call("sample", tiny_folder, "-n", "10", "-o", tmp_path / "grid.png").exit_code == 0
    assert Image.open(tmp_path / "grid.png").size == (8 * 34 - 2, 2 * 34 - 2)
    assert call("sample", tiny_folder, "-n", "3", "-o", tmp_path / "folder").exit_code == 0
    assert len(list((tmp_path / "folder").glob("*.png"))) == 3


def bad_inputs(tmp_path: Path) -> dict[str, Path]:
    image = windows(1)[0]
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("this is text")
    (tmp_path / "cut.png").write_bytes(png(image)[:300])
    (tmp_path / "void").mkdir()
    return {
        "empty": tmp_path / "empty.png",
        "text": tmp_path / "text.png",
        "cut": tmp_path / "cut.png",
        "no-images": tmp_path / "void",
        "missing": tmp_path / "missing.png",
    }


@pytest.mark.parametrize(("kind", "code"), [("empty", 1), ("text", 1), ("cut", 1), ("no-images", 2), ("missing", 1)])
def test_bad_inputs_get_a_sentence_and_leave_nothing(tmp_path: Path, tiny_folder: Path, kind: str, code: int) -> None:
    path = bad_inputs(tmp_path)[kind]
    before = sorted(tmp_path.rglob("*"))
    result = call("compress", path, "--prior", tiny_folder, *QUICK)
    assert result.exit_code == code
    assert path.name in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("size", [(1, 1), (30_000, 3)])
def test_strange_sizes_work(tmp_path: Path, tiny_folder: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "strange.png"
    Image.new("RGB", size, "teal").save(path)
    assert call("compress", path, "--prior", tiny_folder, *QUICK).exit_code == 0
    path.unlink()
    assert call("decompress", path.with_suffix(".inv"), "--prior", tiny_folder).exit_code == 0
    assert Image.open(path).size == size


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--steps", "-1"], 2, "0 or more"),
        (["--quality", "200"], 2, "between 0 and 100"),
        (["--loss", "1*mze"], 2, "lpips-squeeze"),
        (["--relaxation", "none"], 2, "uniform-noise"),
        (["--schedule", "slow"], 2, "fast, default, best"),
        (["--prior", "nobody"], 2, "no prior 'nobody'"),
        (["--batch-size", "0"], 2, "1 or more"),
        (["--device", "tpu"], 2, "no device 'tpu'"),
        (["-o", "/proc/no/such/file.inv"], 1, "cannot be written"),
    ],
)
def test_wrong_options_get_a_sentence(face: Path, tiny_folder: Path, options: list[str], code: int, words: str) -> None:
    prior = [] if "--prior" in options else ["--prior", tiny_folder]
    result = call("compress", face, *prior, *options)
    assert result.exit_code == code
    assert words in result.output
    assert not face.with_suffix(".inv").exists()


def test_a_picture_too_small_for_ssim_fails_alone(face: Path, tiny_folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 20), "teal").save(tmp_path / "small.png")
    options = ["--prior", tiny_folder, "--steps", "2", "--min-ssim", "0.1", "--best-effort"]
    result = call("compress", face, tmp_path / "small.png", "-o", f"{tmp_path}/o/", *options)
    assert result.exit_code == 1
    assert "small.png: the picture has 8 x 20 pixels" in result.output
    assert (tmp_path / "o" / face.with_suffix(".inv").name).is_file()


def test_a_pipe_is_read_once(face: Path, tiny_folder: Path, tmp_path: Path) -> None:
    pipe, out = tmp_path / "pipe.png", tmp_path / "out.inv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(face.read_bytes()))
    writer.start()
    result = call("compress", pipe, "-o", out, "--prior", tiny_folder, *QUICK)
    writer.join()
    assert result.exit_code == 0, result.output


def test_an_output_that_is_a_folder_is_refused(face: Path, file: Path, tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out.inv").mkdir()
    (tmp_path / "out.png").mkdir()
    for arguments in (("compress", face, "-o", tmp_path / "out.inv"), ("decompress", file, "-o", tmp_path / "out.png")):
        result = call(*arguments, "--prior", tiny_folder)
        assert result.exit_code == 1
        assert "is a folder" in result.output


def test_files_truncated_at_every_length_or_changed_at_any_byte_are_refused(
    file: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    data = file.read_bytes()
    damaged = [data[:n] for n in range(0, len(data), 7)]
    damaged += [data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :] for at in range(0, len(data), 7)]
    folder = tmp_path / "damaged"
    folder.mkdir()
    for index, content in enumerate(damaged):
        (folder / f"{index}.inv").write_bytes(content)
    result = call("decompress", folder, "-o", tmp_path / "out", "--prior", tiny_folder)
    assert result.exit_code == 1
    assert f"{len(damaged)} of {len(damaged)} files failed" in result.output
    assert "others are done" not in result.output
    assert not list((tmp_path / "out").rglob("*")) if (tmp_path / "out").exists() else True


def test_a_file_of_a_prior_that_is_not_installed_is_named(file: Path) -> None:
    result = call("decompress", file, "-o", file.with_name("out.png"))
    assert result.exit_code == 1
    assert "--prior" in result.output


def test_what_is_no_invcomp_file_is_named(face: Path, tmp_path: Path) -> None:
    for path in (face, tmp_path / "none.inv"):
        result = call("decompress", path, "-o", tmp_path / "out.png")
        assert result.exit_code == 1
        assert path.name in result.output
    assert call("info", face).exit_code == 1


def test_help_does_not_import_torch() -> None:
    code = "import sys\nfrom invcomp import cli\nassert 'torch' not in sys.modules\nassert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "train-prior" in call("--help").output


def test_info_and_priors_do_not_import_torch(tiny_folder: Path) -> None:
    code = (
        "import sys\nfrom invcomp import describe\nfrom invcomp.priors.registry import installed\n"
        f"from pathlib import Path\ninstalled(); describe.prior(Path({str(tiny_folder)!r}))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_picture_too_small_for_the_loss_fails_alone(
    free_folder: Path, held_out: list[Image.Image], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for side in (48, 12):
        held_out[0].resize((side, side)).save(tmp_path / "in" / f"{side}.png")
    options = ("--prior", free_folder, "--loss", "mse + ms-ssim", "--steps", 1, "-o", tmp_path / "out")
    result = call("compress", tmp_path / "in", *options)
    assert result.exit_code == 1, result.output
    assert "12.png: ms-ssim needs pictures of at least 21 pixels" in " ".join(result.output.split())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["48.inv"]


def test_every_error_has_an_exit_code() -> None:
    assert InvcompError("x").exit_code == 1
