"""What `decompress` does: files → pictures, one after another, or as faces put back into one picture."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from invcomp import container, provenance
from invcomp.alignment import paste, place
from invcomp.carriers.qr import read_code, reader
from invcomp.decoding import Decoding, check_shown, prior_of
from invcomp.errors import FormatError, InvcompError
from invcomp.jobs import Job, Targets, one_by_one, read_input, write_output
from invcomp.label import TOO_SMALL, mark, mark_face
from invcomp.pictures import Picture, encode_image
from invcomp.placement import Square
from invcomp.runtimes import opener

Entry = dict[str, Any]
"""What `--json` says of an output; with an `error` if there is none."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How files are decoded, as on the command line."""

    prior: str | None = None
    native: bool = False
    size: int | None = None
    levels: int | None = None
    partial: bool = False
    label: bool = False
    from_qr: bool = False
    runtime: str = "auto"
    device: str = "auto"


class Decoders:
    """What decodes the files of a call, opened once for every prior."""

    def __init__(self, options: Options) -> None:
        """Raises `UsageError`, `PriorError`, and `MissingPackageError` for what no file can do without."""
        check_shown(options.native, options.size)
        self.options = options
        self.open = opener(options.runtime, options.device)
        self.given = self.open(options.prior) if options.prior else None
        self.opened = {self.given.prior.folder: self.given} if self.given else {}
        if options.from_qr:
            reader()

    def of(self, data: bytes, name: str) -> Decoding:
        """What decodes a file. Raises `InvcompError`."""
        partial = self.options.partial
        try:
            folder = self.prior_of(data, name, partial)
        except FormatError as error:
            if partial or not self.shows_partially(data):
                raise
            raise FormatError(f"{error}, or show the levels that are whole with --partial") from None
        if folder not in self.opened:
            self.opened[folder] = self.open(folder)
        return self.opened[folder]

    def shows_partially(self, data: bytes) -> bool:
        """Whether a file has whole levels that `--partial` would show."""
        try:
            self.prior_of(data, "the file", partial=True)
        except InvcompError:
            return False
        return True

    def prior_of(self, data: bytes, name: str, partial: bool) -> Path:
        """The folder of the prior of a file that is whole, or (`partial`) a truncated progressive one.

        Raises `InvcompError`.
        """
        if self.given is None:
            return prior_of(data, name, partial)
        container.read(data, self.given.prior.info.id_bytes, name, partial)
        return self.given.prior.folder


@dataclass(frozen=True)
class Decoded:
    """The picture of a file."""

    image: Image.Image
    made_by: provenance.Prior | None
    """None if another codec stored it."""
    notes: list[str] = field(default_factory=list)
    facts: Entry = field(default_factory=dict)


def decompress_files(
    jobs: Sequence[Job], options: Options, targets: Targets, say: Say, done: Callable[[float], None]
) -> list[Entry]:
    """Every file → its picture; gives their entries. One that fails keeps no other from being done."""
    decoders = Decoders(options)
    return one_by_one(jobs, lambda job: decompress_file(job, decoders, targets, say), done)


def decompress_file(job: Job, decoders: Decoders, targets: Targets, say: Say) -> Entry:
    targets.check(job.target)
    data = read_file(job, decoders.options)
    decoding = decoders.of(data, job.name)
    began = time.perf_counter()
    decoded = decode(data, job.name, decoding, decoders.options, decoders.options.size)
    for note in decoded.notes:
        say(f"invcomp: {note}")
    if decoders.options.label and decoded.made_by and not mark(decoded.image):
        say(f"invcomp: {job.name}: {TOO_SMALL}")
    seconds = time.perf_counter() - began
    write_output(job, encode_image(decoded.image, job.target))
    return decoded.facts | measured(data, decoded.image, seconds)


def decompress_onto(
    jobs: Sequence[Job],
    options: Options,
    onto: Path,
    background: Picture,
    say: Say,
    done: Callable[[float], None],
) -> list[Entry]:
    """Faces put back into the picture that they were cut from, which is the output of all jobs; gives their entries."""
    decoders = Decoders(options)
    faces: list[tuple[Decoded, Square]] = []

    def decompress_face(job: Job) -> Entry:
        data = read_file(job, options)
        decoding = decoders.of(data, job.name)
        began = time.perf_counter()
        placement = decoding.placement(data, job.name, options.partial)
        square = place(placement, background.image.size, job.name, str(onto))
        size = options.size or decoding.painted_size(round(square.side))
        decoded = decode(data, job.name, decoding, options, size)
        for note in decoded.notes:
            say(f"invcomp: {note}")
        faces.append((decoded, square))
        return decoded.facts | measured(data, decoded.image, time.perf_counter() - began)

    entries = one_by_one(jobs, decompress_face, done)
    if faces:
        pasted = paste(background.image, [(decoded.image, square) for decoded, square in faces])
        made = [(decoded, square) for decoded, square in faces if decoded.made_by]
        if made:
            makers = [decoded.made_by for decoded, _ in made if decoded.made_by]
            pasted.info |= provenance.pasted(makers, [decoded.image.info for decoded, _ in made], background.image.info)
        small = sum(not mark_face(pasted, square) for _, square in made) if options.label else 0
        if small:
            which = "1 face is" if small == 1 else f"{small} faces are"
            say(f"invcomp: {onto}: {which} too small for a mark; the metadata names the prior")
        write_output(jobs[0], encode_image(pasted, jobs[0].target))
    return entries


def read_file(job: Job, options: Options) -> bytes:
    """The bytes of a file, which may lie in the photo of a QR code. Raises `InvcompError`."""
    return read_code(read_input(job), job.name) if options.from_qr else read_input(job, container.MAX_BYTES)


def decode(data: bytes, name: str, decoding: Decoding, options: Options, size: int | None) -> Decoded:
    """A file → its picture, at a `size` if any. Raises `FormatError` and `UsageError`."""
    image = decoding.decompress(
        data, native=options.native, size=size, levels=options.levels, partial=options.partial, name=name
    )
    if provenance.PRIOR not in image.info:
        codec = decoding.foreign(data)
        asked = [word for word, given in (("--label", options.label), ("--levels", options.levels)) if given]
        nothing = f"; without effect: {', '.join(asked)}" if asked else ""
        return Decoded(image, None, [f"{name} holds a {codec} picture, which no prior made{nothing}"], {"codec": codec})
    if not options.partial:
        return Decoded(image, decoding.made_by)
    there, had = decoding.levels_there(data, name)
    truncated = f"{name} is truncated: {there} of its {had} levels are there; the prior fills in the rest"
    notes = [truncated] if there < had else []
    shown = min(there, options.levels or there)
    return Decoded(image, decoding.made_by, notes, {"levels": shown, "of": had})


def measured(data: bytes, image: Image.Image, seconds: float) -> Entry:
    return {"bytes": len(data), "width": image.width, "height": image.height, "seconds": seconds}
