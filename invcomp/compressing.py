"""Inputs → files, a batch of inputs at a time: what the command `compress` does."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from invcomp import container
from invcomp.batch import Compressed
from invcomp.batching import Batching
from invcomp.codec import DEFAULT_BATCH, Codec, check_arguments, check_on_mismatch
from invcomp.container import CHECKSUM
from invcomp.desk import Desk, Entry, Input, Made, Part
from invcomp.errors import ImageError, InvcompError, MismatchError
from invcomp.faces import FaceFinder, cut
from invcomp.inversion.fidelity import Fidelity, check_ssim
from invcomp.inversion.losses import check_sides
from invcomp.jobs import Job, Piece, about, entry_of
from invcomp.lab.picture_output import check_single, rendered
from invcomp.memory import available_memory
from invcomp.pictures import read_picture
from invcomp.standing import REFUSAL_MEND, WARNING, WARNING_MEND, Standing

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
    checksum: int = CHECKSUM
    seed: int = 0
    batch_size: int | None = None
    """None: as many as the memory allows, see `Compressor.batching`."""
    on_mismatch: str = "warn"
    """What is done with a picture that does not look like the prior's domain: see `Codec.compress`."""
    align: str | None = None
    """`crop` or `paste`: faces are found, and each is compressed."""
    device: str = "auto"
    report: Path | None = None
    """A page or a sheet about the one picture, by its suffix."""

    def check(self) -> None:
        """Raises `UsageError` or `LossError` for what is wrong with any prior."""
        check_on_mismatch(self.on_mismatch)
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
            checksum=self.checksum,
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
        strange = self.strange(checked)
        ready = [piece for n, part in enumerate(checked) if (piece := part.piece) is not None and n not in strange]
        began = time.perf_counter()
        results = self.codec.compress_batch(
            [piece.image for piece in ready],
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
            checksum=options.checksum,
            seed=options.seed,
            batch_size=batching.inputs,
            memory=batching.memory,
            placements=[piece.placement for piece in ready],
            report=lambda n: report(n / len(ready)),
        )
        seconds = (time.perf_counter() - began) / max(1, len(ready))
        found = iter(results)
        made: list[Made] = []
        for n, part in enumerate(checked):
            if part.piece is None:
                made.append(Made(part.job, part.entry))
            elif n in strange:
                made.append(self.mismatched(part, part.piece, strange[n]))
            else:
                made.append(self.made(part, part.piece, next(found), seconds))
        return made

    def made(self, part: Part, piece: Piece, result: Compressed, seconds: float) -> Made:
        """The file of a part that was searched."""
        options, standing, notes = self.options, result.standing, piece.notes
        if standing.mismatch and options.on_mismatch != "warn":
            return self.mismatched(part, piece, standing)
        least = Fidelity(options.min_psnr, options.min_ssim)
        if not (result.kept or options.best_effort):
            sentence = self.codec.shortfall(least, result)
            error = {"error": f"{part.job.name}: {sentence} with --best-effort"}
            return Made(part.job, part.entry | error, None, notes)
        if standing.mismatch:
            notes = [*notes, f"{standing.sentence(self.codec.prior.info)}; {WARNING}; {WARNING_MEND}"]
        facts = {
            "width": piece.image.width,
            "height": piece.image.height,
            "bytes": result.bytes,
            "ideal_bits": result.ideal_bits,
            "level_bits": result.level_bits,
            "rate": result.rate,
            "start_objective": result.start_objective,
            "objective": result.objective,
            "distortion": result.distortion,
            **({"kept": result.kept, **vars(result.reached)} if result.reached else {}),
            **standing_facts(standing),
            "seconds": seconds,
            "notes": notes,
        }
        about_it = None
        if options.report is not None:
            facts["report"] = str(options.report)
            from invcomp.lab.picture_report import Asked, picture_report

            asked = Asked(options.quality, options.max_bytes, least, options.loss)
            given = picture_report(self.codec, part.job.name, piece.image, result, asked, notes, seconds)
            about_it = options.report, rendered(given, options.report)
        return Made(part.job, part.entry, result.data, notes, facts, about_it)

    def strange(self, parts: Sequence[Part]) -> dict[int, Standing]:
        """Numbers of the parts that are none of the domain and need no search, since they are not to be warned of."""
        if self.options.on_mismatch == "warn":
            return {}
        pieces = ((n, part.piece) for n, part in enumerate(parts))
        found = {n: self.codec.domain_standing(piece.image) for n, piece in pieces if piece is not None}
        return {n: standing for n, standing in found.items() if standing.mismatch}

    def mismatched(self, part: Part, piece: Piece, standing: Standing) -> Made:
        """What is made of a part that is none of the domain: an error, or a file of another codec."""
        options, sentence = self.options, standing.sentence(self.codec.prior.info)
        try:
            if options.on_mismatch == "fail":
                raise MismatchError(f"{sentence}; {REFUSAL_MEND}")
            began = time.perf_counter()
            asked = Fidelity(options.min_psnr, options.min_ssim)
            data = self.codec.fallback(
                piece.image, options.quality, options.max_bytes, asked, piece.placement, options.checksum
            )
        except InvcompError as error:
            return Made(part.job, part.entry | {"error": about(part.job, error)}, None, piece.notes)
        codec = container.read(data, self.codec.prior.info.id_bytes).foreign
        notes = [*piece.notes, f"{sentence}; it is stored as {codec}"]
        if options.report is not None:
            notes.append("there is no report about such a file")
        if options.progressive or options.levels is not None:
            notes.append("it has no levels: --progressive and --levels do nothing to it")
        facts = {
            "width": piece.image.width,
            "height": piece.image.height,
            "bytes": len(data),
            "codec": codec,
            **standing_facts(standing),
            "seconds": time.perf_counter() - began,
            "notes": notes,
        }
        return Made(part.job, part.entry, data, notes, facts)

    def within_budget(self, part: Part) -> Part:
        """The part, with an error if no file of it is as small as asked for, or it is too small for a loss or SSIM."""
        if part.piece is None:
            return part
        options, size, placement = self.options, part.piece.image.size, part.piece.placement
        try:
            for expression in filter(None, (self.codec.prior.info.distortion, options.loss)):
                check_sides(expression, *self.codec.coded_size(*size))
            if options.min_ssim is not None:
                check_ssim(*size)
            if options.max_bytes is not None:
                self.codec.check_budget(options.max_bytes, size, placement, options.progressive, options.checksum)
            return part
        except InvcompError as error:
            return Part(part.job, part.entry | {"error": about(part.job, error)}, None)


def standing_facts(standing: Standing) -> Entry:
    """What an entry says of where a picture stands among held-out ones, in per cent."""

    def percentile(share: float | None) -> float | None:
        return None if share is None else round(100 * share, 2)

    return {
        "distortion_percentile": percentile(standing.distortion),
        "domain_percentile": percentile(standing.domain),
        "mismatch": standing.mismatch,
    }


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
