"""Which input becomes which output: one file, many, a folder, standard input and output."""

import json
import os
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from invcomp.errors import InvcompError, MissingPackageError, OutputError, UsageError
from invcomp.placement import Placement
from invcomp.writing import clear_leftovers, make_folder, unwritable, write_whole

if TYPE_CHECKING:
    from PIL.Image import Image

STREAM = "-"
MAX_PICTURE = 1 << 30  # bytes of an input that are read
SKIPPED = {"skipped": True}  # in what is said of an output that was there


@dataclass(frozen=True)
class Job:
    """One input and its output; None stands for standard input or output."""

    source: Path | None
    target: Path | None
    named: bool = False
    """Whether the user gave the output's own name: then there can be no other."""

    @property
    def name(self) -> str:
        return "standard input" if self.source is None else str(self.source)

    @property
    def target_name(self) -> str:
        return "standard output" if self.target is None else str(self.target)

    def parts(self, n: int, what: str) -> list["Job"]:
        """The job itself for one part of the input, else NAME-1, NAME-2, … Raises `UsageError` if there is one place.

        `what` the parts are, in the plural.
        """
        if n == 1:
            return [self]
        if self.target is None or self.named:
            raise UsageError(
                f"{self.name} has {n} {what}, and {self.target_name} takes one file: give a folder with -o, "
                "its name ending in a slash"
            )
        numbered = (self.target.with_stem(f"{self.target.stem}-{k}") for k in range(1, n + 1))
        return [Job(self.source, target) for target in numbered]


@dataclass(frozen=True)
class Piece:
    """What is compressed for an output: a picture, or a face cut from it."""

    image: "Image"
    notes: list[str]
    placement: Placement | None = None


def entry_of(job: Job) -> dict[str, Any]:
    """What is said of every output."""
    return {"input": job.name, "output": job.target_name}


def about(job: Job, error: InvcompError) -> str:
    """The sentence of an error, which names the job's input or output."""
    return str(error) if job.name in str(error) or job.target_name in str(error) else f"{job.name}: {error}"


def one_by_one(
    jobs: Sequence[Job], work: Callable[[Job], dict[str, Any]], done: Callable[[float], None] = lambda _: None
) -> list[dict[str, Any]]:
    """What is said of every output: what `work` gives, or its `error`, which keeps no other job from being done.

    `done` is told how many are. Raises `MissingPackageError`, which other jobs would meet too.
    """
    entries = []
    for number, job in enumerate(jobs, start=1):
        try:
            found = work(job)
        except MissingPackageError:
            raise
        except (InvcompError, OSError) as error:
            found = {"error": str(error)}
        entries.append(entry_of(job) | found)
        done(number)
    return entries


def plan(inputs: Sequence[str], output: str | None, suffix: str, accepted: Collection[str]) -> list[Job]:
    """Inputs (files, folders, `-`) and the output option → jobs.

    Files of a folder are those whose suffix is in `accepted`, but for those that are called like outputs: an earlier
    call made them. They keep their place below the output folder.
    Without an output each file lies beside its input. An output is a folder if it ends in a slash, if it is an
    existing folder without a suffix, or if there are several inputs. Raises `UsageError`.
    """
    found: list[tuple[Path | None, Path]] = []  # source, target relative to an output folder
    several = len(inputs) > 1
    for text in inputs:
        if text == STREAM:
            if several:
                raise UsageError("standard input (-) is read alone: give no other input with it")
            return [Job(None, None if output in (None, STREAM) else Path(str(output)), named=True)]
        path = Path(text)
        if path.is_dir():
            several = True
            fitting = sorted(p for p in path.rglob("*") if p.suffix.lower() in accepted and p.is_file())
            members = [p for p in fitting if not p.name.endswith(suffix)]
            if not members:
                but = f" but earlier outputs ({suffix})" if fitting else ""
                raise UsageError(f"{path} has no files to work on{but} (looked for {' '.join(sorted(accepted))})")
            found += [(p, p.relative_to(path).with_suffix(suffix)) for p in members]
        else:
            found.append((path, Path(path.name).with_suffix(suffix)))
    if output == STREAM:
        if several:
            raise UsageError("several files cannot go to standard output: give a folder with -o")
        return [Job(found[0][0], None)]
    if output is None:
        return [Job(source, source.with_suffix(suffix)) for source, _ in found if source]
    folder = Path(output)
    if several or output.endswith(("/", os.sep)) or (folder.is_dir() and not folder.suffix):
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is a file; give a folder for several outputs")
        return [Job(source, folder / relative) for source, relative in found]
    return [Job(found[0][0], folder, named=True)]


def plan_one(inputs: Sequence[str], output: str | None, suffix: str, accepted: Collection[str]) -> list[Job]:
    """Inputs as for `plan` that go into one output together → jobs that share it. Raises `UsageError`.

    Without an output it lies beside the input, if there is one only.
    """
    jobs = plan(inputs, None, suffix, accepted)
    if output is None:
        if len(jobs) > 1:
            raise UsageError("several files make one picture here: give its name with -o")
        return jobs
    if output == STREAM:
        return [Job(job.source, None) for job in jobs]
    target = Path(output)
    if output.endswith(("/", os.sep)) or target.is_dir():
        if len(jobs) > 1 or jobs[0].target is None:
            raise UsageError(f"{output} is a folder, and one picture is made: give its name")
        target /= jobs[0].target.name
    return [Job(job.source, target, named=True) for job in jobs]


class Targets:
    """The outputs of one call: refuses what exists, what was written before in the call, and what is a folder.

    With `skip` outputs that exist are left as they are, and nothing is wrong with that.
    """

    def __init__(self, force: bool, skip: bool = False) -> None:
        """Raises `UsageError` for both."""
        if force and skip:
            raise UsageError(
                "--force writes outputs anew and --skip-existing leaves them as they are: give one of them"
            )
        self.force, self.skip = force, skip
        self.taken: set[Path] = set()

    def there(self, jobs: Sequence[Job]) -> dict[int, dict[str, Any]]:
        """What is said of the jobs whose outputs are skipped, by their place among the jobs."""
        return {n: entry_of(job) | SKIPPED for n, job in enumerate(jobs) if self.skips(job.target)}

    def skips(self, target: Path | None) -> bool:
        """Whether an output is there and to be left as it is. It is taken then: that of another input is no output."""
        try:
            if target is None or not self.skip or target in self.taken or not target.is_file():
                return False
        except OSError:  # like a name that is too long: `check` says so
            return False
        clear_leftovers(target)
        self.taken.add(target)
        return True

    def check(self, target: Path | None) -> None:
        """Raises `OutputError` if the output must not be written."""
        if target is None:
            return
        if target in self.taken:
            raise OutputError(f"{target} is the output of another input of this call too; give other names")
        try:
            if target.is_dir():
                raise OutputError(f"{target} is a folder; give a file name")
            if target.exists() and not target.is_file():
                raise OutputError(f"{target} is no ordinary file; give another name, or - for standard output")
            if target.exists() and not self.force:
                raise OutputError(f"{target} exists; give --force to overwrite it")
        except OSError as error:
            raise unwritable(target, error) from None
        self.taken.add(target)


def read_input(job: Job, most: int = MAX_PICTURE) -> bytes:
    """The bytes of an input. Raises `InvcompError`, also for more than `most` of them."""
    try:
        if job.source is None:
            data = sys.stdin.buffer.read(most + 1)
        else:
            with job.source.open("rb") as file:
                data = file.read(most + 1)
    except FileNotFoundError:
        raise InvcompError(f"{job.source} does not exist") from None
    except IsADirectoryError:
        raise InvcompError(f"{job.source} is a folder, not a file") from None
    except OSError as error:
        raise InvcompError(f"{job.name} cannot be read: {error.strerror}") from None
    if len(data) > most:
        raise InvcompError(f"{job.name} has more than the {most >> 20} MB that are read; give a smaller file")
    return data


def write_output(job: Job, data: bytes, stdout: TextIO | None = None) -> None:
    """Write an output whole or not at all, making its folder. Raises `OutputError`.

    `stdout` takes the place of the process's own.
    """
    if job.target is None:
        stream = (stdout or sys.stdout).buffer
        try:
            stream.write(data)
            stream.flush()
        except OSError as error:
            raise unwritable(job.target_name, error) from None
        return
    make_folder(job.target.parent)
    write_whole(job.target, data)


def note_settings(path: Path, settings: dict[str, Any], resume: bool) -> None:
    """Write what pictures were drawn with beside them; refuse to go on with anything else. Raises `UsageError`."""
    text = json.dumps(settings, indent=1)
    if resume and path.is_file():
        if path.read_text(encoding="utf-8") != text:
            raise UsageError(f"{path.parent} was drawn with other settings (see {path}); give another folder")
    elif resume and any(path.parent.glob("*.png")):
        raise UsageError(f"{path.parent} has pictures, but no {path.name} that says how they were drawn")
    write_whole(path, text.encode())
