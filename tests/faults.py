"""What faults are made of in tests: places without room or permission, processes that kill themselves."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT

KILL_AT = """
import os, signal, stat, sys
from pathlib import Path
from invcomp import cli
moment, count = sys.argv.pop(1), int(sys.argv.pop(1))
real = {"sync": os.fsync, "rename": Path.replace}
calls = 0
def kill_at(kind, *arguments):
    global calls
    calls += kind == moment
    if calls == count and kind == moment == "rename":
        os.kill(os.getpid(), signal.SIGKILL)
    if calls == count and kind == moment:
        if stat.S_ISREG(os.fstat(arguments[0]).st_mode):  # then half of the file is on the disk
            os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    return real[kind](*arguments)
os.fsync = lambda handle: kill_at("sync", handle)
Path.replace = lambda path, target: kill_at("rename", path, target)
cli.main()
"""
FULL = """
import resource, signal, sys
from invcomp import cli
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cli.main()
"""


def command(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """The command line in a process of its own."""
    return python("from invcomp import cli; cli.main()", *arguments)


def killed(moment: str, count: int, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """A command that kills itself at the `count`th `sync`, with half of a file written, or `rename`, before it."""
    return python(KILL_AT, moment, count, *arguments)


def limited(size: int, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """A command that can write no file of more than `size` bytes."""
    return python(FULL, size, *arguments)


def python(code: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words: Sequence[str] = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=300, check=False)


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A small file system at a place; the test is skipped where none can be mounted."""
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def sentence(said: str) -> str:
    """The one line that was said; there is no traceback."""
    lines = [line for line in said.strip().splitlines() if line.startswith("invcomp: ")]
    assert "Traceback" not in said
    assert lines, said
    return lines[0]
