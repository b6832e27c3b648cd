"""Outputs appear whole or not at all; what killed writers leave goes, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from invcomp.errors import OutputError
from invcomp.writing import make_folder, parts_in, staged, unwritable, whole_file, write_whole

KILLED = """
import sys
from pathlib import Path
from invcomp.writing import whole_file
with whole_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""


def writer(path: Path) -> "subprocess.Popen[bytes]":
    """A process that is in the middle of writing a file."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    return process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")

    def fail_halfway() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["out.bin"]


def test_outputs_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        write_whole(tmp_path, b"")
    with pytest.raises(OutputError, match="does not exist"):
        write_whole(tmp_path / "no" / "file", b"")
    with pytest.raises(OutputError, match="give a shorter name"):
        write_whole(tmp_path / ("x" * 300), b"")


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("/proc/x", "/proc/x cannot be written: .+; write to another place"),
        ("/proc", "/proc cannot be written: .+; write to another place"),
        ("a.inv", "a.inv is a file; give a folder"),
        ("a.inv/sub", "a.inv/sub cannot be written: Not a directory; what should be its folder is a file"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_folder_that_cannot_be_made_is_named_as_the_user_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.inv").write_text("kept")
    for write in (make_folder, lambda path: staged(path, ()).__enter__()):
        if write is make_folder and folder == "/proc":  # which is there
            continue
        with pytest.raises(OutputError, match=f"^{words}"):
            write(Path(folder))
    assert names(tmp_path) == ["a.inv"]


def test_files_that_belong_together_are_named_where_they_go(tmp_path: Path) -> None:
    def make() -> None:
        with staged(tmp_path / "out", ()) as place:
            write_whole(place / "a.pkt", b"whole")
            write_whole(place / ("x" * 300), b"")

    with pytest.raises(OutputError) as caught:
        make()
    assert str(caught.value).startswith(f"{tmp_path}/out/xxx")
    assert names(tmp_path / "out") == []
    (tmp_path / "out" / ".unfinished").write_text("of the user")
    with pytest.raises(OutputError, match=r"out/\.unfinished is in the way and cannot be removed; remove it"):
        make()
    assert (tmp_path / "out" / ".unfinished").read_text() == "of the user"


def test_an_unknown_error_of_the_system_is_said_as_it_is() -> None:
    assert str(unwritable("a.inv", OSError(5, "Input/output error"))) == "a.inv cannot be written: Input/output error"


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "a.inv"
    killed = writer(path)
    killed.kill()
    killed.wait()
    (left,) = names(tmp_path)
    assert left.startswith(".a.inv.")
    write_whole(path, b"whole")
    assert names(tmp_path) == ["a.inv"]


def test_a_living_writer_keeps_its_part(tmp_path: Path) -> None:
    path = tmp_path / "a.inv"
    living = writer(path)
    write_whole(path, b"first")
    assert len(names(tmp_path)) == 2
    living.communicate(b"")
    assert living.returncode == 0
    assert path.read_bytes() == b"half"
    assert names(tmp_path) == ["a.inv"]


def test_leftovers_of_other_outputs_and_files_of_users_stay(tmp_path: Path) -> None:
    kept = [
        ".b.inv.abcdefgh.part",
        ".a.inv.part",
        "a.inv.abcdefgh.part",
        ".a.inv.abcdefgh.part.txt",
        ".a.inv.ABCDEFGH.part",
    ]
    for name in (*kept, ".a.inv.abcdefgh.part"):
        (tmp_path / name).write_text("x")
    write_whole(tmp_path / "a.inv", b"whole")
    assert names(tmp_path) == sorted([*kept, "a.inv"])


def test_a_part_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race between a writer and another one that cleans up."""
    from invcomp import writing

    lock, raced = writing.lock, []

    def late(handle: int, wait: bool = True) -> None:
        if not raced:
            raced.extend(tmp_path.iterdir())
            raced[0].unlink()
        lock(handle, wait)

    monkeypatch.setattr(writing, "lock", late)
    write_whole(tmp_path / "a.inv", b"whole")
    assert raced
    assert names(tmp_path) == ["a.inv"]


def test_a_long_name_has_a_part_too(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 120 + ".inv")
    write_whole(path, b"whole")
    killed = writer(path)
    killed.kill()
    killed.wait()
    parts_in.cache_clear()  # this process has listed the folder already
    write_whole(path, b"again")
    assert names(tmp_path) == [path.name]


def test_a_file_has_the_permissions_that_new_files_have(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "a.inv", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a.inv").stat().st_mode & 0o777 == 0o640
