"""The commands `qr`, `split` and `join`: thin callers, without torch."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from invcomp.errors import InvcompError, OutputError, UsageError
from invcomp.terminal import AsJson, Force, Inputs, Output, SkipExisting, finish, guarded, in_order, plain_errors, say

if TYPE_CHECKING:
    from invcomp.jobs import Job

INV = frozenset({".inv"})
MOST_READ = 1 << 20  # bytes of a packet


def qr(
    inputs: Inputs,
    output: Output = None,
    error: Annotated[str, typer.Option(help="Level of error correction, at least: L, M, Q or H.")] = "M",
    text: Annotated[
        bool, typer.Option("--text", help="As text (Base45), for scanners that spoil bytes: 3 % more room.")
    ] = False,
    max_version: Annotated[
        int, typer.Option(min=1, max=40, help="No code is larger: 4 times that and 17 modules.")
    ] = 40,
    scale: Annotated[int, typer.Option(min=1, max=100, help="Pixels a module.")] = 8,
    border: Annotated[int, typer.Option(min=0, max=100, help="White modules around; scanners want 4.")] = 4,
    force: Force = False,
    skip_existing: SkipExisting = False,
    as_json: AsJson = False,
) -> None:
    """Files → QR codes: face.inv → face.qr.png (or what the suffix of -o says: .svg, .pdf)."""
    from invcomp.jobs import Job, one_by_one, plan, write_output

    with plain_errors():
        from invcomp.carriers.qr import LEVELS, kind_of, write_code

        if error.upper() not in LEVELS:
            raise UsageError(f"--error takes {', '.join(LEVELS[:-1])} or {LEVELS[-1]}, not {error!r}")
        jobs = plan(inputs, output, ".qr.png", INV)
        streamed = jobs[0].target is None
        targets = guarded(force, skip_existing, streamed, as_json, "picture")
        for job in jobs:
            kind_of(job.target)  # a wrong one is said before anything is drawn
        there = targets.there(jobs)

        def draw(job: Job) -> dict[str, Any]:
            targets.check(job.target)
            data = read_whole_file(job)
            kind = kind_of(job.target)
            code = write_code(data, job.name, kind, error.upper(), text, max_version, scale, border)
            write_output(job, code.image)
            return {"bytes": len(data), "version": code.version, "modules": code.modules, "level": code.level}

        entries = in_order(there, one_by_one([job for n, job in enumerate(jobs) if n not in there], draw))
        finish(entries, as_json, streamed, ["input", "output", "bytes", "version", "modules", "level"])


def split(
    file: Annotated[str, typer.Argument(help="An .inv file, or - for standard input.", show_default=False)],
    mtu: Annotated[int, typer.Option(help="Bytes of a packet at most, its header of 5 included.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the packets.", show_default=False)],
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """A file → packets for a radio link: face.inv → DIR/face-00.pkt, face-01.pkt, …"""
    from invcomp.jobs import STREAM, Job, Targets
    from invcomp.writing import staged, write_whole

    with plain_errors():
        from invcomp.carriers import packets

        if str(output) == STREAM or (output.exists() and not output.is_dir()):
            raise UsageError(f"packets are several files, and {output} is no folder; give one with -o")
        if mtu > packets.LARGEST:
            raise UsageError(f"--mtu takes at most {packets.LARGEST:,} bytes, not {mtu:,}")
        job = Job(None if file == STREAM else Path(file), output)
        data = read_whole_file(job)
        parts = packets.split(data, mtu, job.name)
        stem = job.source.stem if job.source else "packet"
        earlier = packets_in(output, stem)
        names = [f"{stem}-{number:02d}{packets.SUFFIX}" for number in range(len(parts))]
        targets = Targets(force)
        for name in names:
            targets.check(output / name)
        if earlier and not force:
            raise OutputError(
                f"{output} has other packets by that name, like {earlier[0]}; give --force to replace them"
            )
        with staged(output, ()) as place:
            for name, part in zip(names, parts, strict=True):
                write_whole(place / name, part)
        for name in set(earlier) - set(names):
            (output / name).unlink(missing_ok=True)
        sent = sum(map(len, parts))
        entry = {"input": job.name, "output": str(output), "bytes": len(data), "packets": len(parts), "sent": sent}
        finish([entry], as_json, False, list(entry))


def join(
    inputs: Annotated[list[str], typer.Argument(help="Packets, or folders of them (.pkt).", show_default=False)],
    output: Annotated[
        str, typer.Option("-o", "--output", help="The file, or - for standard output.", show_default=False)
    ],
    partial: Annotated[
        bool, typer.Option("--partial", help="Of a progressive file, the levels before the first missing packet.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Packets → the file, in whatever order they came: DIR → face.inv."""
    from invcomp.jobs import STREAM, Job, plan, write_output

    with plain_errors():
        from invcomp.carriers import joining, packets

        if output.endswith(("/", os.sep)):
            raise UsageError(f"{output} is a folder, and one file is made: give its name")
        job = Job(None, None if output == STREAM else Path(output))
        guarded(force, False, job.target is None, as_json, "file").check(job.target)
        faults: list[str] = []

        def fault(sentence: str) -> None:
            faults.append(sentence)
            say(f"invcomp: {sentence}")

        received = joining.sort_out(readable(plan(inputs, None, ".inv", {packets.SUFFIX}), fault), fault)
        if faults and not received:
            raise typer.Exit(1)
        chosen = joining.choose(received, fault)
        joined = joining.join(chosen, partial)
        write_output(job, joined.data)
        if joined.note:
            say(f"invcomp: {joined.note}")
        entry = {
            "input": ", ".join(inputs),
            "output": job.target_name,
            "bytes": len(joined.data),
            "packets": len(chosen.packets),
            "of": chosen.message.total,
        }
        columns = list(entry)
        finish([entry | {"left_out": faults}], as_json, job.target is None, columns)
        if faults:
            raise typer.Exit(1)


def read_whole_file(job: "Job") -> bytes:
    """The bytes of an input that is an .inv file, and whole as far as installed priors tell. Raises `InvcompError`."""
    from invcomp import describe
    from invcomp.container import MAX_BYTES
    from invcomp.jobs import read_input

    data = read_input(job, MAX_BYTES)
    describe.file(data, job.name)
    return data


def packets_in(folder: Path, stem: str) -> list[str]:
    """Names of the packets in a folder that are called like those of a file."""
    pattern = re.compile(re.escape(stem) + r"-\d\d\.pkt")
    return sorted(path.name for path in folder.glob("*.pkt") if pattern.fullmatch(path.name))


def readable(jobs: "list[Job]", fault: Callable[[str], None]) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the packets that can be read; `fault` is told of each of the others."""
    from invcomp.jobs import read_input

    for job in jobs:
        try:
            yield job.name, read_input(job, MOST_READ)
        except InvcompError as error:
            fault(str(error))
