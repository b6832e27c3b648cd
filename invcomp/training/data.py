"""Training pictures: a folder, zip or tar → one array in memory."""

import hashlib
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from invcomp.errors import DataError, ImageError
from invcomp.pictures import central_square, extensions, read_picture

MIN_PICTURES = 100
MAX_CROPS = 16  # crops taken of one picture for a prior of free size
WINDOWS, MOST_WINDOWS = 96, 8192  # squares taken of one photograph of other things, and of all together
READ_AHEAD = 256
HELD_OUT_SHARE, MOST_HELD_OUT = 0.05, 128


@dataclass(frozen=True)
class TrainingSet:
    """Pictures as uint8 (N, 3, S, S), and the sentences about files that could not be used."""

    pictures: np.ndarray
    origins: np.ndarray
    """(N,): the number of the file that a picture was cut from, ascending from 0."""
    names: list[str]
    """Of the files, without their folders."""
    skipped: list[str]

    def digest(self) -> str:
        """Of the files' names in their order, and how many pictures each gave: the same for the same `split`."""
        parts = [f"{name} {count}" for name, count in zip(self.names, np.bincount(self.origins), strict=True)]
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

    def split(self) -> tuple[np.ndarray, np.ndarray]:
        """(held out, for training): a twentieth of the files and at most 128 pictures are held out.

        What is cut from one file is on one side, or left out; held-out pictures are of as many files as possible.
        """
        files = len(self.names)
        place = np.random.default_rng(0).permutation(files).argsort()[self.origins]  # of its file, for every picture
        held = min(MOST_HELD_OUT, max(1, int(files * HELD_OUT_SHARE)))
        number = np.arange(len(self.origins)) - np.searchsorted(self.origins, self.origins)  # within its file
        held_out = np.lexsort((place, number))
        held_out = held_out[place[held_out] < held][:MOST_HELD_OUT]
        training = np.lexsort((number, place))
        return self.pictures[held_out], self.pictures[training[place[training] >= held]]


def named_files(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """(name, read) of every picture file in a folder or zip, in order of name, or in a tar, in its own order.

    Raises `DataError` if there is no such thing, or an archive is damaged.
    """
    if not source.exists():
        raise DataError(f"{source} does not exist: give a folder, zip or tar of pictures")
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if is_picture(p.name) and p.is_file()):
            yield str(path.relative_to(source)), path.read_bytes
    elif zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                for name in sorted(n for n in archive.namelist() if is_picture(n)):
                    yield name, member_reader(archive, name)
        except zipfile.BadZipFile as error:
            raise DataError(f"{source} is truncated or damaged: {error}") from None
    elif tarfile.is_tarfile(source):
        try:
            with tarfile.open(source) as tar:
                for member in tar:
                    if member.isfile() and is_picture(member.name) and (file := tar.extractfile(member)):
                        yield member.name, partial(bytes, file.read())
                if not at_end(tar):
                    raise tarfile.ReadError("a member's header cannot be read")
        except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise DataError(f"{source} is truncated or damaged: {error}") from None
    else:
        raise DataError(f"{source} is neither a folder nor a zip or tar archive of pictures")


def at_end(tar: tarfile.TarFile) -> bool:
    """Whether an archive that was read through ends where its members do; a damaged header ends it in silence."""
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    return not tar.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0")


def member_reader(archive: zipfile.ZipFile, name: str) -> Callable[[], bytes]:
    """A member, read now since the archive may be closed later; what is wrong with it is raised when it is used."""
    try:
        return partial(bytes, archive.read(name))
    except Exception as error:  # a bad checksum, a password, a truncated member
        problem = error

        def fail() -> bytes:
            raise problem

        return fail


def is_picture(name: str) -> bool:
    base = Path(name).name
    return Path(base).suffix.lower() in extensions() and not base.startswith(".")


def crops(image: Image.Image, size: int) -> list[np.ndarray]:
    """Up to `MAX_CROPS` disjoint crops of `size`, spread over the image; smaller images are enlarged to one crop."""
    if min(image.size) < size:
        image = central_square(image, size)
    corners = [(x, y) for y in range(0, image.height - size + 1, size) for x in range(0, image.width - size + 1, size)]
    chosen = corners[:: -(-len(corners) // MAX_CROPS)]
    pixels = np.asarray(image).transpose(2, 0, 1)
    return [pixels[:, y : y + size, x : x + size].copy() for x, y in chosen]  # a view would keep the whole picture


def windows(image: Image.Image, size: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Random squares of all scales, from `size` to the whole of the shorter side, shrunk to `size`."""
    shorter, found = min(image.size), []
    for _ in range(count if shorter >= size else 0):
        side = int(size * (shorter / size) ** rng.random())
        left, top = (int(rng.integers(0, length - side + 1)) for length in image.size)
        part = image.resize((size, size), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
        found.append(np.asarray(part).transpose(2, 0, 1))
    return found


def load_others(source: Path, size: int, seed: int) -> np.ndarray:
    """Windows of photographs of other things than the prior's, uint8 (N, 3, S, S), at most `MOST_WINDOWS` in all.

    Broken files are left out. Raises `DataError` if nothing remains.
    """
    rng, found = np.random.default_rng([seed, 2]), []
    items = list(named_files(source))
    chosen = [items[n] for n in sorted(rng.permutation(len(items))[:MOST_WINDOWS])]
    for name, fetch in chosen:
        try:
            image = read_picture(fetch(), name).image
        except Exception:  # what Pillow cannot read, or of the archive: a bad checksum, a password
            continue
        found += windows(image, size, min(WINDOWS, MOST_WINDOWS // len(chosen)), rng)
    if not found:
        raise DataError(f"{source} has no picture of at least {size} pixels; give a folder of photographs to --others")
    return np.stack(found)


def load_training_set(
    source: Path, size: int, aligned: bool, progress: Callable[[int], None] = lambda done: None
) -> TrainingSet:
    """All usable pictures of `source`: central squares at `size` if `aligned`, else crops of `size`.

    Broken files are skipped and listed. Raises `DataError` with fewer than 100 usable files.
    """

    def read(item: tuple[str, Callable[[], bytes]]) -> tuple[list[np.ndarray], str | None]:
        name, fetch = item
        try:
            image = read_picture(fetch(), name).image
        except ImageError as error:
            return [], str(error)
        except Exception as error:  # of the archive: a bad checksum, a password, a truncated member
            return [], f"{name} cannot be read: {error}"
        return crops(central_square(image, size) if aligned else image, size), None

    found: list[np.ndarray] = []
    origins: list[int] = []
    names: list[str] = []
    skipped: list[str] = []
    items = named_files(source)
    with ThreadPoolExecutor() as pool:
        while batch := list(islice(items, READ_AHEAD)):
            for (name, _), (arrays, problem) in zip(batch, pool.map(read, batch), strict=True):
                if problem:
                    skipped.append(problem)
                else:
                    found += arrays
                    origins += [len(names)] * len(arrays)
                    names.append(Path(name).name)
            progress(len(names))
    if len(names) < MIN_PICTURES:
        raise DataError(
            f"{source} has {len(names)} usable pictures; training needs at least {MIN_PICTURES}"
            + (f" ({len(skipped)} files were skipped, the first: {skipped[0]})" if skipped else "")
        )
    return TrainingSet(np.stack(found), np.array(origins), names, skipped)
