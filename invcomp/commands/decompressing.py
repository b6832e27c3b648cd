"""`decompress`: files → pictures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from invcomp.errors import UsageError
from invcomp.terminal import (
    AsJson,
    Device,
    Force,
    Inputs,
    Label,
    Output,
    SkipExisting,
    finish,
    guarded,
    in_order,
    plain_errors,
    progress_bar,
    say,
)


def decompress(
    inputs: Inputs,
    output: Output = None,
    prior: Annotated[
        str | None, typer.Option("--prior", help="Name or folder of the prior.", show_default="the one the file names")
    ] = None,
    native: Annotated[bool, typer.Option("--native", help="Leave the picture at the prior's own size.")] = False,
    size: Annotated[
        int | None,
        typer.Option(
            help="Longer side in pixels; a prior that paints several sizes paints this large.",
            show_default="the original's",
        ),
    ] = None,
    levels: Annotated[
        int | None,
        typer.Option(
            help="How many of the coarsest latent levels are used; the prior fills in what the others would say.",
            show_default="all that are there",
        ),
    ] = None,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial", help="Show truncated progressive files as far as they go; the prior fills in what is missing."
        ),
    ] = False,
    from_qr: Annotated[
        bool,
        typer.Option("--qr", help="Read the file from the QR code in a photo: photo.png → photo.decoded.png."),
    ] = False,
    onto: Annotated[
        Path | None,
        typer.Option(help="Put the faces (compressed with --align paste) back into this picture: one output for all."),
    ] = None,
    label: Label = False,
    runtime: Annotated[
        str,
        typer.Option(help="What decodes: onnx, torch, or auto: ONNX Runtime if it is there and no GPU is asked for."),
    ] = "auto",
    device: Device = "auto",
    force: Force = False,
    skip_existing: SkipExisting = False,
    as_json: AsJson = False,
) -> None:
    """Files → pictures: face.inv → face.png (or what the suffix of -o says)."""
    from invcomp.jobs import SKIPPED, entry_of, plan, plan_one
    from invcomp.pictures import extensions, read_picture

    with plain_errors():
        suffix, accepted = (".decoded.png", extensions()) if from_qr else (".png", {".inv"})
        jobs = (plan_one if onto else plan)(inputs, output, suffix, accepted)
        streamed = jobs[0].target is None
        if native and onto:
            raise UsageError("--native has no meaning with --onto: the picture is as large as what it is put into")
        targets = guarded(force, skip_existing, streamed, as_json, "picture")
        there = targets.there(jobs[:1] if onto else jobs)
        if onto and there:
            there = dict(enumerate(entry_of(job) | SKIPPED for job in jobs))
        rest = [job for n, job in enumerate(jobs) if n not in there]
        entries: list[dict[str, Any]] = []
        if rest:
            from invcomp.decompressing import Options, decompress_files, decompress_onto

            options = Options(
                prior=prior,
                native=native,
                size=size,
                levels=levels,
                partial=partial,
                label=label,
                from_qr=from_qr,
                runtime=runtime,
                device=device,
            )
            with progress_bar("decompressing", len(rest), quiet=as_json) as done:
                if onto:
                    targets.check(rest[0].target)
                    background = read_picture(onto)
                    for note in background.notes:
                        say(f"invcomp: {onto}: {note}")
                    entries = decompress_onto(rest, options, onto, background, say, done)
                else:
                    entries = decompress_files(rest, options, targets, say, done)
        columns = ["input", "output", "bytes", "width", "height", "seconds"]
        finish(in_order(there, entries), as_json, streamed, columns)
