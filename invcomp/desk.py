"""What `compress` does with files: inputs are read, outputs guarded and written; computing is `invcomp.compressing`."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invcomp.errors import InvcompError
from invcomp.jobs import SKIPPED, Job, Piece, Targets, about, read_input, write_output
from invcomp.writing import write_whole

Entry = dict[str, Any]
"""What `--json` says of an output; with an `error` if there is none."""


@dataclass(frozen=True)
class Input:
    """A job and the bytes of its input, or the sentence that says why there are none."""

    job: Job
    data: bytes | None
    error: str = ""


@dataclass(frozen=True)
class Part:
    """One output of a call and what goes into it: a picture, or nothing if the entry has an `error` or is `skipped`."""

    job: Job
    entry: Entry
    piece: Piece | None


@dataclass(frozen=True)
class Made:
    """One output and its file: nothing if the entry has an `error` or is `skipped`."""

    job: Job
    entry: Entry
    data: bytes | None = None
    notes: list[str] = field(default_factory=list)
    facts: Entry = field(default_factory=dict)
    """What the entry says too once the file is written."""
    report: tuple[Path, bytes] | None = None
    """A file about the file, which is written after it."""


class Desk:
    """Reads the inputs of one call, guards its outputs and writes them."""

    def __init__(self, aligned: bool, targets: Targets, say: Callable[[str], None]) -> None:
        self.aligned, self.targets, self.say = aligned, targets, say
        self.stdout = sys.stdout  # an engine may keep its own messages from it

    def read(self, job: Job) -> Input:
        """The input of a job. Of aligned pictures the outputs are known only when faces are found: see `claim`."""
        try:
            if not self.aligned:
                self.targets.check(job.target)
            return Input(job, read_input(job))
        except InvcompError as error:
            return Input(job, None, about(job, error))

    def claim(self, parts: Sequence[Part]) -> list[Part]:
        """The parts of aligned pictures; those whose output must not be written get an error or are skipped."""
        return [self.claimed(part) if self.aligned else part for part in parts]

    def claimed(self, part: Part) -> Part:
        try:
            if part.piece is not None and self.targets.skips(part.job.target):
                return Part(part.job, part.entry | SKIPPED, None)
            if part.piece is not None:
                self.targets.check(part.job.target)
            return part
        except InvcompError as error:
            return Part(part.job, part.entry | {"error": about(part.job, error)}, None)

    def write(self, made: Made) -> Entry:
        """Write a file, if there is one, whole or not at all; gives its entry."""
        for note in made.notes:
            self.say(f"invcomp: {made.job.name}: {note}")
        if made.data is None:
            return made.entry
        try:
            write_output(made.job, made.data, self.stdout)
            if made.report is not None:
                write_whole(*made.report)
        except (InvcompError, OSError) as error:
            return made.entry | {"error": str(error)}
        return made.entry | made.facts
