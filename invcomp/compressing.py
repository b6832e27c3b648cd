"""Inputs → files, a batch of inputs at a time: what the command `compress` does."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from invcomp.batching import Batching
from invcomp.codec import DEFAULT_BATCH, Codec, check_arguments
from invcomp.desk import Desk, Entry, Input, Made, Part
from invcomp.errors import ImageError, InvcompError
from invcomp.faces import FaceFinder, cut
from invcomp.inversion.fidelity import Fidelity, check_ssim
from invcomp.jobs import Job, Piece, about, entry_of
from invcomp.lab.picture_output import check_single, rendered
from invcomp.memory import available_memory
from invcomp.pictures import read_picture

MEMORY_SHARE = 0.5  # of what is available, for pictures inverted together
READ_PIXELS = 1 << 26  # most pixels of the pictures that are read for a batch: at most 0.4 GB


@dataclass(frozen=True)
class Options:
    """What a call asks for; see `Codec.compress_batch`."""

    prior: str = "faces"
    quality: float | None = None
    max_bytes: int | None = None
    min_psnr: float | None = None
    min_ssim: float | None = None
    best_effort: bool = False
    schedule: str = "default"
    steps: int | None = None
    loss: str | None = None
    relaxation: str | None = None
    polish: bool | None = None
    start: str | None = None
    levels: int | None = None
    progressive: bool = False
    seed: int = 0
    batch_size: int | None = None
    """None: as many as the memory allows, see `Compressor.batching`."""
    align: str | None = None
    """`crop` or `paste`: faces are found, and each is compressed."""
    device: str = "auto"
    report: Path | None = None
    """A page or a sheet about the one picture, by its suffix."""

    def check(self) -> None:
        """Raises `UsageError` or `LossError` for what is wrong with any prior."""
        check_arguments(
            quality=self.quality,
            max_bytes=self.max_bytes,
            min_psnr=self.min_psnr,
            min_ssim=self.min_ssim,
            schedule=self.schedule,
            steps=self.steps,
            loss=self.loss,
            relaxation=self.relaxation,
            start=self.start,
        )


class Compressor:
    """A prior, loaded once, and what a call makes with it. It touches no file of the call."""

    def __init__(self, options: Options) -> None:
        """Raises `UsageError`, `PriorError`, and `MissingPackageError` without what finds faces."""
        options.check()
        self.options = options
        self.finder = FaceFinder() if options.align else None
        self.codec = Codec(options.prior, options.device)

    @property
    def memory(self) -> int:
        """Bytes that are available on the prior's device now."""
        return available_memory(self.codec.prior.device)

    def batching(self, memory: int) -> Batching:
        """The batch size that is asked for, or else what `memory` bytes allow.

        On a CPU more than `DEFAULT_BATCH` together take as long a picture, so there memory alone makes it fewer.
        """
        if self.options.batch_size is not None:
            return Batching(self.options.batch_size)
        memory = int(MEMORY_SHARE * memory)
        pixels = READ_PIXELS if self.finder is None else None  # of a picture with faces the faces alone are kept
        side = self.codec.prior.arch.coded_size
        most = self.codec.most_together(side, side, memory) if side else DEFAULT_BATCH
        if self.codec.prior.device.type == "cpu":
            most = min(DEFAULT_BATCH, most)
        return Batching(max(1, most), pixels, memory)

    def parts(self, inputs: Iterable[Input]) -> list[Part]:
        """Inputs, read as pictures and cut to faces if asked for, in their order.

        Raises `UsageError` if several faces are to go into one output or report.
        """
        return [part for given in inputs for part in self.parts_of(given)]

    def parts_of(self, given: Input) -> list[Part]:
        job, options = given.job, self.options
        entry = entry_of(job)
        if given.data is None:
            return [Part(job, entry | {"error": given.error}, None)]
        try:
            picture = read_picture(given.data, job.name)
            if self.finder is None:
                self.codec.check_size(*picture.image.size)
                return [Part(job, entry, Piece(picture.image, picture.notes))]
            faces = cut(picture.image, self.finder, self.codec.crop_side)
            entry["faces"] = len(faces)
            if not faces:
                raise ImageError(
                    f"{job.name}: no face was found in it; give a picture with a larger face that looks to the "
                    "front, or compress it whole, without --align"
                )
        except InvcompError as error:
            return [Part(job, entry | {"error": about(job, error)}, None)]
        if options.report is not None:
            check_single(len(faces), "faces")
        return [
            Part(
                part,
                entry | {"output": part.target_name},
                Piece(face.image, picture.notes, face.placement if options.align == "paste" else None),
            )
            for part, face in zip(job.parts(len(faces), "faces"), faces, strict=True)
        ]

    def files(self, parts: Sequence[Part], batching: Batching, report: Callable[[float], None]) -> list[Made]:
        """The files of parts, inverted together, in their order. `report` is given the share that is done.

        Raises `UsageError` and `LossError` for options that this prior does not have.
        """
        options = self.options
        checked = [self.within_budget(part) for part in parts]
        ready = [(part, part.piece) for part in checked if part.piece is not None]
        began = time.perf_counter()
        results = self.codec.compress_batch(
            [piece.image for _, piece in ready],
            quality=options.quality,
            max_bytes=options.max_bytes,
            min_psnr=options.min_psnr,
            min_ssim=options.min_ssim,
            schedule=options.schedule,
            steps=options.steps,
            loss=options.loss,
            relaxation=options.relaxation,
            polish=options.polish,
            start=options.start,
            levels=options.levels,
            progressive=options.progressive,
            seed=options.seed,
            batch_size=batching.inputs,
            memory=batching.memory,
            placements=[piece.placement for _, piece in ready],
            report=lambda n: report(n / len(ready)),
        )
        seconds = (time.perf_counter() - began) / max(1, len(ready))
        least = Fidelity(options.min_psnr, options.min_ssim)
        found = iter(results)
        made: list[Made] = []
        for part in checked:
            if part.piece is None:
                made.append(Made(part.job, part.entry))
                continue
            result, notes = next(found), part.piece.notes
            if not (result.kept or options.best_effort):
                sentence = self.codec.shortfall(least, result)
                error = {"error": f"{part.job.name}: {sentence} with --best-effort"}
                made.append(Made(part.job, part.entry | error, None, notes))
                continue
            facts = {
                "width": part.piece.image.width,
                "height": part.piece.image.height,
                "bytes": result.bytes,
                "ideal_bits": result.ideal_bits,
                "level_bits": result.level_bits,
                "rate": result.rate,
                "start_objective": result.start_objective,
                "objective": result.objective,
                "distortion": result.distortion,
                **({"kept": result.kept, **vars(result.reached)} if result.reached else {}),
                "seconds": seconds,
                "notes": notes,
            }
            about_it = None
            if options.report is not None:
                facts["report"] = str(options.report)
                from invcomp.lab.picture_report import Asked, picture_report

                asked = Asked(options.quality, options.max_bytes, least, options.loss)
                given = picture_report(self.codec, part.job.name, part.piece.image, result, asked, notes, seconds)
                about_it = options.report, rendered(given, options.report)
            made.append(Made(part.job, part.entry, result.data, notes, facts, about_it))
        return made

    def within_budget(self, part: Part) -> Part:
        """The part, with an error if no file of it is as small as asked for, or can be measured."""
        try:
            if part.piece is not None and self.options.min_ssim is not None:
                check_ssim(*part.piece.image.size)
            if part.piece is not None and self.options.max_bytes is not None:
                size, placement = part.piece.image.size, part.piece.placement
                self.codec.check_budget(self.options.max_bytes, size, placement, self.options.progressive)
            return part
        except InvcompError as error:
            return Part(part.job, part.entry | {"error": about(part.job, error)}, None)


def compress_files(jobs: Sequence[Job], options: Options, desk: Desk, report: Callable[[float], None]) -> list[Entry]:
    """Every input → its file, in this process; gives what is to be said of each output, in order.

    `report` is given the number of inputs done, with fractions. Raises what `Compressor` raises.
    """
    compressor = Compressor(options)
    batching = compressor.batching(compressor.memory)
    entries: list[Entry] = []
    done = 0
    for batch in batching.batches(jobs):
        parts = desk.claim(compressor.parts(map(desk.read, batch)))  # one input after the other

        def share_done(share: float, done: int = done, batch: Sequence[Job] = batch) -> None:
            report(done + share * len(batch))

        entries += map(desk.write, compressor.files(parts, batching, share_done))
        done += len(batch)
        report(done)
    return entries
