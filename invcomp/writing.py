"""Outputs: files appear whole or not at all, whatever becomes of their writer.

A file is written under a hidden name beside its place (`.NAME.RANDOM.part`), synced, and renamed. While it is written
its writer holds a lock on it, which the system takes away when the writer ends, however it ends. So whoever writes the
same output next knows what dead writers left behind, and removes that, and nothing else.
"""

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from invcomp.errors import OutputError

if sys.platform != "win32":
    import fcntl

SUFFIX = ".part"
STAGE = ".unfinished"  # folder of files that appear together
SHOWN = 60  # characters of the output's name in that of its part, which may not be longer than a name can be
PART = re.compile(r"\.(.+)\.[a-z0-9_]{8}\.part", re.DOTALL)  # the random letters are those of `tempfile`

ROOM = "make room there, or write to another place"
LEAVE = "write to another place, or get the permission"
MENDS = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "write to another place",
    errno.EACCES: LEAVE,
    errno.EPERM: LEAVE,
    errno.ENOTDIR: "what should be its folder is a file; give another name",
    errno.EEXIST: "what should be its folder is a file; give another name",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ENOENT: "its folder is gone; make it again",
}


def unwritable(path: Path | str, error: OSError) -> OutputError:
    """The sentence about an output that the system does not let us write: file, fact, mend."""
    mend = MENDS.get(error.errno or 0)
    return OutputError(f"{path} cannot be written: {error.strerror or error}" + (f"; {mend}" if mend else ""))


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name when the block ends well, and not at all otherwise. Raises `OutputError`."""
    try:
        if path.is_dir():
            raise OutputError(f"{path} is a folder; give a file name")
        if not path.parent.is_dir():
            raise OutputError(f"{path} cannot be written: the folder {path.parent} does not exist; make it first")
        clear_leftovers(path)
        handle, part = new_part(path)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.chmod(0o666 & ~current_umask())
            part.replace(path)  # while it is locked: else another process could take it for a leftover
        sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):  # it may be gone, or the file system read-only by now
            part.unlink()
        if isinstance(error, OSError):
            raise unwritable(path, error) from None
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises `OutputError`."""
    with whole_file(path) as file:
        file.write(data)


@contextmanager
def staged(folder: Path, last: Sequence[str]) -> Iterator[Path]:
    """A place for files that belong together: they are moved into `folder` when all are there, those of `last` at last.

    A full disk or a kill while they are made leaves what is in `folder` as it was. Raises `OutputError`.
    """
    make_folder(folder)
    place = folder / STAGE
    shutil.rmtree(place, ignore_errors=True)  # of a run that was killed
    if os.path.lexists(place):
        raise OutputError(f"{place} is in the way and cannot be removed; remove it, or give another folder")
    try:
        make_folder(place)
        yield place
        names = sorted(path.name for path in place.iterdir())
        for name in (*(name for name in names if name not in last), *last):
            (place / name).replace(folder / name)
        sync_folder(folder)
    except OutputError as error:  # of a file in a place that the user never named
        raise OutputError(str(error).replace(str(place), str(folder))) from None
    except OSError as error:
        raise unwritable(folder, error) from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """A folder for outputs, if it is not there. Raises `OutputError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{folder} is a file; give a folder") from None
    except FileNotFoundError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}; write to another place") from None
    except OSError as error:
        raise unwritable(folder, error) from None


def new_part(path: Path) -> tuple[int, Path]:
    """An open, locked file beside an output, and its name."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:SHOWN]}.", suffix=SUFFIX)
        with suppress(OSError):  # where there are no locks nothing is taken for a leftover either
            lock(handle)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # another process took it for a leftover before it was locked


def clear_leftovers(path: Path) -> None:
    """Remove what dead writers of an output left beside it."""
    if sys.platform == "win32":
        return
    for name in parts_in(path.parent):
        if (found := PART.fullmatch(name)) and found[1] == path.name[:SHOWN]:
            remove_dead(path.parent / name)


@lru_cache(maxsize=64)
def parts_in(folder: Path) -> tuple[str, ...]:
    """Names of the unfinished files in a folder, listed once a process: a folder may hold very many outputs."""
    try:
        return tuple(name for name in os.listdir(folder) if name.endswith(SUFFIX))  # noqa: PTH208 (Paths are slow)
    except OSError:
        return ()


def remove_dead(part: Path) -> None:
    """Remove an unfinished file unless its writer lives, or that cannot be known."""
    with suppress(OSError):
        handle = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            lock(handle, wait=False)
            part.unlink()
        finally:
            os.close(handle)


def lock(handle: int, wait: bool = True) -> None:
    """Lock an open file until it is closed. Raises `OSError` without locks, and if not to `wait` for it."""
    if sys.platform != "win32":
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def sync_folder(folder: Path) -> None:
    """Keep a rename through a loss of power. A file system that cannot do so is no reason to fail."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
