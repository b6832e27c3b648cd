"""`decompress`: files → pictures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from invcomp.errors import InvcompError, UsageError
from invcomp.terminal import (
    AsJson,
    Device,
    Force,
    Inputs,
    Label,
    Output,
    SkipExisting,
    counted,
    finish,
    guarded,
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
        typer.Option(help="How many of the coarsest latent levels are used.", show_default="all that are there"),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Show truncated progressive files as far as they go.")
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
    import time

    from invcomp.carriers.qr import read_code, reader
    from invcomp.jobs import MAX_PICTURE, SKIPPED, entry_of, plan, plan_one, read_input, write_output
    from invcomp.pictures import encode_image, extensions, read_picture

    with plain_errors():
        suffix, accepted = (".decoded.png", extensions()) if from_qr else (".png", {".inv"})
        jobs = (plan_one if onto else plan)(inputs, output, suffix, accepted)
        streamed = jobs[0].target is None
        if streamed and as_json:
            raise UsageError("--json and the picture cannot both go to standard output: give -o")
        if native and onto:
            raise UsageError("--native has no meaning with --onto: the picture is as large as what it is put into")
        targets = guarded(force, skip_existing, streamed)
        there = targets.there(jobs[:1] if onto else jobs)
        if onto and there:
            there = dict(enumerate(entry_of(job) | SKIPPED for job in jobs))
        if from_qr and len(there) < len(jobs):
            reader()  # what is missing is said once, not of every file
        entries: list[dict[str, Any]] = []
        if onto and not there:
            targets.check(jobs[0].target)
            background = read_picture(onto)
            for note in background.notes:
                say(f"invcomp: {onto}: {note}")
        from invcomp import container, provenance
        from invcomp.alignment import paste, place
        from invcomp.decoding import Decoding, check_shown, prior_of
        from invcomp.label import TOO_SMALL, mark, mark_face
        from invcomp.runtimes import opener

        check_shown(native, size)
        opened = opener(runtime, device)
        chosen = opened(prior) if prior and len(there) < len(jobs) else None
        known: dict[int, Decoding] = {}
        faces, makers = [], []
        with progress_bar("decompressing", len(jobs), quiet=as_json) as done:
            for number, job in enumerate(jobs):
                entry = there.get(number) or entry_of(job)
                entries.append(entry)
                if number in there:
                    continue
                try:
                    if not onto:
                        targets.check(job.target)
                    data = read_input(job, MAX_PICTURE if from_qr else container.MAX_BYTES)
                    data = read_code(data, job.name) if from_qr else data
                    short = container.read_header(data, job.name).short_id
                    codec = chosen or known.get(short) or opened(prior_of(data, job.name, partial))
                    known[short] = codec
                    began = time.perf_counter()
                    shown = size
                    if onto:
                        square = place(
                            codec.placement(data, job.name, partial), background.image.size, job.name, str(onto)
                        )
                        shown = codec.painted_size(round(square.side)) if size is None else size
                    image = codec.decompress(
                        data, native=native, size=shown, levels=levels, partial=partial, name=job.name
                    )
                    generated = provenance.PRIOR in image.info
                    if not generated:
                        entry["codec"] = codec.foreign(data)
                        asked = [word for word, given in (("--label", label), ("--levels", levels)) if given]
                        nothing = f"; without effect: {', '.join(asked)}" if asked else ""
                        say(f"invcomp: {job.name} holds a {entry['codec']} picture, which no prior made{nothing}")
                    elif partial:
                        whole, had = codec.levels_there(data, job.name)
                        if whole < had:
                            say(f"invcomp: {job.name} is truncated: {whole} of its {had} levels are there")
                        entry |= {"levels": whole, "of": had}
                    if onto:
                        faces.append((image, square))
                        if generated:
                            makers.append(codec.made_by)
                    elif label and generated and not mark(image):
                        say(f"invcomp: {job.name}: {TOO_SMALL}")
                    seconds = time.perf_counter() - began
                    if not onto:
                        write_output(job, encode_image(image, job.target))
                    entry |= {"bytes": len(data), "width": image.width, "height": image.height, "seconds": seconds}
                except (InvcompError, OSError) as error:
                    entry["error"] = str(error)
                done(number + 1)
        if faces:
            pasted = paste(background.image, faces)
            made = [(face.info, square) for face, square in faces if provenance.PRIOR in face.info]
            if made:
                pasted.info |= provenance.pasted(makers, [told for told, _ in made], background.image.info)
            small = sum(not mark_face(pasted, square) for _, square in made) if label else 0
            if small:
                say(f"invcomp: {onto}: {counted(small, 'face')} too small for a mark; the metadata names the prior")
            write_output(jobs[0], encode_image(pasted, jobs[0].target))
        finish(entries, as_json, streamed, ["input", "output", "bytes", "width", "height", "seconds"])
