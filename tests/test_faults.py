"""Kills, full disks and places that cannot be written: nothing half written, nothing lost, and a rerun completes."""

import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from invcomp.codec import Codec
from invcomp.errors import OutputError, PriorError
from invcomp.priors.info import CARD
from invcomp.priors.reading import GENERATOR
from invcomp.training.checkpoint import NAME, Checkpoint
from invcomp.writing import staged, write_whole
from tests.conftest import CRITIC_ONLY, windows
from tests.faults import command, killed, limited, mounted, sentence
from tests.test_cli import QUICK, call


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for index, image in enumerate(windows(6)):
        image.save(folder / f"{index}.png")
    return folder


def compress(pictures: Path, out: Path, prior: Path, *options: object) -> list[object]:
    return ["compress", pictures, "-o", f"{out}/", "--prior", prior, "--batch-size", 2, *QUICK, *options]


def whole(out: Path, codec: Codec) -> dict[str, bytes]:
    """The files of a folder, each of which decodes."""
    files = {path.name: path.read_bytes() for path in out.glob("*.inv")}
    for name, data in files.items():
        codec.decompress(data, name=name)
    return files


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "count", "done"), [("sync", 1, 0), ("rename", 3, 2), ("sync", 6, 3)])
def test_a_killed_call_is_completed_by_the_same_with_skip_existing(
    pictures: Path, tmp_path: Path, tiny_folder: Path, tiny: Codec, moment: str, count: int, done: int
) -> None:
    """Files are synced, and then their folder: the sixth sync is the one after the third file's rename."""
    out = tmp_path / "out"
    ended = killed(moment, count, *compress(pictures, out, tiny_folder))
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    before = whole(out, tiny)
    assert len(before) == done
    again = call(*compress(pictures, out, tiny_folder, "--skip-existing"))
    assert again.exit_code == 0, again.output
    after = whole(out, tiny)
    assert sorted(after) == [f"{n}.inv" for n in range(6)]
    assert before.items() <= after.items()
    assert sorted(path.name for path in out.iterdir()) == sorted(after)  # nothing is left of the killed one


@pytest.mark.slow
def test_a_call_that_is_killed_at_any_time_leaves_whole_files(
    pictures: Path, tmp_path: Path, tiny_folder: Path, tiny: Codec
) -> None:
    out = tmp_path / "out"
    words = [str(word) for word in compress(pictures, out, tiny_folder, "--skip-existing", "--steps", 30)]
    for wanted in (1, 3):
        process = subprocess.Popen([sys.executable, "-m", "invcomp.cli", *words], stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(out.glob("*.inv"))) < wanted:
            time.sleep(0.002)
        process.kill()
        process.wait()
        assert len(whole(out, tiny)) >= wanted
    assert command(*words).returncode == 0
    assert len(whole(out, tiny)) == 6


def test_a_full_disk_is_said_and_the_rest_is_completed(
    pictures: Path, tmp_path: Path, tiny_folder: Path, tiny: Codec
) -> None:
    with mounted(tmp_path / "small", "size=16k") as out:  # four pages, one of them the folder's own at most
        (out / "ballast").write_bytes(bytes(4096))
        result = call(*compress(pictures, out, tiny_folder))
        assert result.exit_code == 1
        assert "No space left on device; make room there" in sentence(result.stderr)
        before = whole(out, tiny)
        assert 0 < len(before) < 6
        assert {path.name for path in out.iterdir()} == {"ballast", *before}
        assert "--skip-existing" in result.stderr.splitlines()[-1]
        subprocess.run(["mount", "-o", "remount,size=1m", out], check=True)
        assert call(*compress(pictures, out, tiny_folder, "--skip-existing")).exit_code == 0
        after = whole(out, tiny)
        assert len(after) == 6
        assert before.items() <= after.items()


def test_pictures_on_a_full_disk_likewise(pictures: Path, tmp_path: Path, tiny_folder: Path) -> None:
    files = tmp_path / "files"
    for n in range(2, 6):
        (pictures / f"{n}.png").unlink()
    call(*compress(pictures, files, tiny_folder))
    with mounted(tmp_path / "small", "size=8k") as out:
        result = call("decompress", files, "-o", out, "--prior", tiny_folder)
        assert result.exit_code == 1
        assert "make room there" in sentence(result.stderr)
        assert {path.suffix for path in out.iterdir()} <= {".png"}
        for what in (
            ["sample", tiny_folder, "-n", 40, "-o", out / "drawn"],
            ["sample", tiny_folder, "-o", out / "grid.png"],
        ):
            result = call(*what)
            assert result.exit_code == 1
            assert "make room there" in sentence(result.stderr)
        assert not list(out.rglob("*.part"))


def test_places_that_cannot_be_written_are_said(pictures: Path, tmp_path: Path, tiny_folder: Path) -> None:
    with mounted(tmp_path / "fixed", "ro,size=64k") as fixed:
        for arguments in (
            compress(pictures, fixed, tiny_folder),
            compress(pictures, fixed / "deep", tiny_folder),
            ["sample", tiny_folder, "-n", 2, "-o", fixed / "drawn"],
            ["bench", pictures, "--prior", tiny_folder, "--json", fixed / "a.json"],
            ["bench", pictures, "--prior", tiny_folder, "--cache", fixed / "kept"],
            ["ablate", pictures, "--prior", tiny_folder, "-o", fixed / "ablation"],
            ["train-prior", pictures, "-o", fixed / "prior", "--distortion", CRITIC_ONLY],
        ):
            result = call(*arguments)
            assert result.exit_code == 1, arguments
            said = sentence(result.stderr)
            assert str(fixed) in said
            assert "Read-only file system; write to another place" in said


def test_an_output_folder_that_is_a_file_is_said(pictures: Path, tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place, code in ((tmp_path / "file", 2), (tmp_path / "file" / "deep", 1)):
        result = call(*compress(pictures, place, tiny_folder))
        assert result.exit_code == code
        assert "is a file" in sentence(result.stderr)
    assert (tmp_path / "file").read_text() == "mine"


def test_inputs_and_folders_that_vanish_meanwhile(
    pictures: Path, tmp_path: Path, tiny_folder: Path, tiny: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    from invcomp import compressing

    out, real = tmp_path / "out", compressing.Compressor.files

    def vanish(*arguments: object) -> object:
        shutil.rmtree(pictures, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(compressing.Compressor, "files", vanish)
    result = call(*compress(pictures, out, tiny_folder))
    assert result.exit_code == 1
    assert "2.png does not exist" in sentence(result.stderr)
    assert "4 of 6 files failed" in result.stderr
    assert len(whole(out, tiny)) <= 2  # the folder is made again for what is ready


@pytest.mark.slow
def test_standard_output_without_room_is_said(pictures: Path, tiny_folder: Path) -> None:
    words = ["compress", pictures / "0.png", "-o", "-", "--prior", tiny_folder, *QUICK]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "invcomp.cli", *map(str, words)], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert ended.returncode == 1
    assert "standard output cannot be written: No space left on device" in sentence(ended.stderr.decode())


class StoppedError(BaseException):
    """A kill, as far as one process can show it."""


@pytest.mark.parametrize(("renames", "loads"), [(0, True), (1, True), (2, True), (3, False), (4, False)])
def test_a_prior_that_is_written_anew_never_loads_as_one_that_it_is_not(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int, loads: bool
) -> None:
    """Stopped after so many renames it is the old one, or its hashes do not agree; all four make another card here."""
    folder, done, real = tmp_path / "prior", [], Path.replace
    shutil.copytree(tiny_folder, folder)
    old = Codec(folder, "cpu").prior.info.id

    def replace(path: Path, target: Path) -> Path:
        if target.parent == folder:
            if len(done) == renames:
                raise StoppedError
            done.append(target.name)
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with suppress(StoppedError), staged(folder, last=(GENERATOR, CARD)) as place:
        for name in (CARD, GENERATOR, "critic.safetensors", "encoder.safetensors"):
            write_whole(place / name, (folder / name).read_bytes() + b" ")
    assert done == ["critic.safetensors", "encoder.safetensors", GENERATOR, CARD][:renames]
    assert not (folder / ".unfinished").exists()
    if loads:
        codec = Codec(folder, "cpu")
        assert codec.prior.info.id == old
        with pytest.raises(PriorError, match="is damaged") if renames == 2 else nullcontext():
            assert codec.prior.encoder is not None
    else:
        with pytest.raises(PriorError, match="is damaged"):
            Codec(folder, "cpu")


TRAIN = ["--image-size", 16, "--preset", "tiny", "--batch", 16, "--distortion", CRITIC_ONLY, "--device", "cpu"]


@pytest.mark.slow
@pytest.mark.parametrize(("sync", "kept"), [(3, False), (11, True)])
def test_a_training_that_is_killed_with_half_a_checkpoint_written_keeps_the_former_one(
    picture_folder: Path, tmp_path: Path, sync: int, kept: bool
) -> None:
    """The third sync is of the first checkpoint, the eleventh of the second: each file is synced, then its folder."""
    output = tmp_path / "p"
    words = ["train-prior", picture_folder, "-o", output, *TRAIN, "--kimg", 0.3, "--minutes", 0.001]
    ended = killed("sync", sync, *words)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert (output / NAME).exists() == kept
    assert not (output / CARD).exists()
    assert len(list(output.glob(f".{NAME}.*.part"))) == 1
    if kept:
        assert 0 < Checkpoint.load(output).seen < 304
        words = [*words[:4], "--resume"]
    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert Checkpoint.load(output).seen >= 300
    assert Codec(output, "cpu").sample(1)[0].size == (16, 16)
    assert not list(output.glob(".*"))


@pytest.mark.slow
def test_a_training_without_room_for_its_checkpoint_says_so(picture_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "p"
    words = ["train-prior", picture_folder, "-o", output, *TRAIN, "--kimg", 0.02]
    ended = limited(50_000, *words)
    assert ended.returncode == 1
    assert "File too large" in sentence(ended.stderr)
    assert NAME in sentence(ended.stderr)
    assert not (output / NAME).exists()
    assert not list(output.glob(".*"))


def test_a_checkpoint_without_room_leaves_the_former_one(tiny_folder: Path, tmp_path: Path) -> None:
    former = Checkpoint.load(tiny_folder)
    with mounted(tmp_path / "small", f"size={(tiny_folder / NAME).stat().st_size + 50_000}") as folder:
        former.save(folder)
        with pytest.raises(OutputError, match="No space left on device; make room there"):
            former.save(folder)
        assert Checkpoint.load(folder).seen == former.seen
        assert [path.name for path in folder.iterdir()] == [NAME]
