"""A folder of pictures, as all codecs get them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image

from invcomp.errors import ImageError, UsageError
from invcomp.pictures import central_square, extensions, read_picture

Item = TypeVar("Item")


@dataclass(frozen=True)
class PictureSet:
    """Pictures of a folder, prepared: the originals of all figures."""

    names: list[str]
    images: list[Image.Image]
    """RGB."""
    notes: list[str]
    """What was left out or changed, one sentence each."""

    def digest(self) -> str:
        """A hash of names and pixels."""
        hasher = hashlib.sha256()
        for name, image in zip(self.names, self.images, strict=True):
            hasher.update(f"{name} {image.size}".encode("utf-8", "surrogateescape"))
            hasher.update(image.tobytes())
        return hasher.hexdigest()


def load_pictures(folder: Path, size: int | None, most: int | None = None) -> PictureSet:
    """The pictures of a folder and its subfolders in order of name, `most` of them spread evenly.

    With a `size` each is the central square, shrunk or enlarged to `size` x `size`; otherwise as it is. Raises
    `UsageError` if there are none.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder: give a folder of pictures")
    if size is not None and not 8 <= size <= 4096:
        raise UsageError(f"the size lies between 8 and 4096 pixels, not {size}")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in extensions() and p.is_file())
    if most is not None and len(paths) > most:
        paths = spread(paths, most)
    names, images, notes, enlarged, cropped = [], [], [], 0, 0
    for path in paths:
        try:
            picture = read_picture(path)
        except ImageError as error:
            notes.append(f"{error}.")
            continue
        image = picture.image
        notes += [f"{path}: {note}." for note in picture.notes]
        if size is not None:
            cropped += image.width != image.height
            enlarged += min(image.size) < size
            image = central_square(image, size)
        names.append(str(path.relative_to(folder)))
        images.append(image)
    if not images:
        reason = f"; {notes[0]}" if notes else f" (looked for {' '.join(sorted(extensions()))})"
        raise UsageError(f"{folder} has no pictures{reason}")
    if cropped:
        notes.append(f"Of {cropped} pictures that are not square the central square is taken.")
    if enlarged:
        notes.append(f"{enlarged} pictures are smaller than {size} pixels and were enlarged.")
    return PictureSet(names, images, notes)


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` of the items, evenly spread."""
    if len(items) <= most:
        return list(items)
    return [items[index * len(items) // most] for index in range(most)]
