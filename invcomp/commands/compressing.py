"""`compress`: pictures → files."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from invcomp.errors import UsageError
from invcomp.terminal import (
    AsJson,
    Device,
    Force,
    Inputs,
    Output,
    PriorName,
    SkipExisting,
    counted,
    finish,
    guarded,
    in_order,
    plain_errors,
    progress_bar,
    say,
)

PERCENTILES = ("domain_percentile", "distortion_percentile")
ENGINES = ("local", "ray")
ALIGN, ALIGNMENTS = "--align", ("crop", "paste")


class OptionalAlignment(TyperCommand):
    """A command whose `--align` may stand alone: `--align face.png` means `--align crop face.png`.

    Typer has no options with an optional value, so the value is put in before the arguments are parsed.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        completed: list[str] = []
        for index, argument in enumerate(args):
            if argument == "--":
                completed += args[index:]
                break
            completed.append(argument)
            if argument == ALIGN and args[index + 1 : index + 2] not in [[name] for name in ALIGNMENTS]:
                completed.append(ALIGNMENTS[0])
        return super().parse_args(ctx, completed)


def compress(
    inputs: Inputs,
    output: Output = None,
    prior: PriorName = "faces",
    quality: Annotated[
        float | None, typer.Option(help="0 to 100: 0 gives the smallest files.", show_default="36")
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(help="In place of a quality: no file is larger.", show_default="no limit")
    ] = None,
    min_psnr: Annotated[
        float | None,
        typer.Option(help="In place of a quality, in dB: the smallest file that has it.", show_default="no least one"),
    ] = None,
    min_ssim: Annotated[
        float | None, typer.Option(help="The same in SSIM; both may be given.", show_default="no least one")
    ] = None,
    best_effort: Annotated[
        bool, typer.Option("--best-effort", help="Keep what comes closest where the prior cannot reach that.")
    ] = False,
    schedule: Annotated[str, typer.Option(help="Of the search: fast, default or best.")] = "default",
    steps: Annotated[
        int | None,
        typer.Option(help="Steps of the search; 0 is its start alone.", show_default="the schedule's: 100, 500, 1500"),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(help='Loss expression, like "100*mse + 0.5*lpips-squeeze".', show_default="the prior's own"),
    ] = None,
    relaxation: Annotated[
        str | None,
        typer.Option(
            help="Of rounding: straight-through, uniform-noise, soft-rounding, gumbel or admm.",
            show_default="the schedule's",
        ),
    ] = None,
    polish: Annotated[
        bool | None,
        typer.Option(
            "--polish/--no-polish",
            help="End with moves of single symbols until none improves, or with none but those that keep a promise.",
            show_default="a share of the steps",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Where the search starts: encoder, mean or best-of-8.", show_default="encoder if the prior has one"
        ),
    ] = None,
    levels: Annotated[
        int | None, typer.Option(help="How many of the coarsest latent levels are used.", show_default="all")
    ] = None,
    progressive: Annotated[
        bool, typer.Option("--progressive", help="Files that can be cut after any level, 4 bytes a level larger.")
    ] = False,
    checksum: Annotated[
        int, typer.Option(help="Bytes of it, 2 or 1; of 1 a file gets 2 where it takes that to notice truncations.")
    ] = 2,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Same seed, same machine, same file.")] = 0,
    batch_size: Annotated[
        str, typer.Option(help="Pictures inverted together: a number, or auto: 32 on a CPU, fewer if memory is short.")
    ] = "auto",
    engine: Annotated[
        str, typer.Option(help="local: this process; ray: workers of a Ray cluster, or of one started here.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Workers of the engine ray.", show_default="what its CPUs or GPUs allow")
    ] = None,
    on_mismatch: Annotated[
        str,
        typer.Option(
            help="What is done with a picture that does not look like the prior's domain: warn, fail, or fallback, "
            "which stores a WebP or JPEG XL of as many bytes."
        ),
    ] = "warn",
    align: Annotated[
        str | None,
        typer.Option(
            ALIGN,
            metavar="[crop|paste]",
            help="Find faces and compress each, cut to the FFHQ frame: group.png → group-1.inv, group-2.inv, … "
            "crop (or nothing) keeps the crop alone; paste keeps its place too, for decompress --onto.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Of one picture: what the file says and how it was found, as .html or .png.")
    ] = None,
    device: Device = "auto",
    force: Force = False,
    skip_existing: SkipExisting = False,
    as_json: AsJson = False,
) -> None:
    """Pictures → files of a few hundred bytes: face.png → face.inv."""
    from invcomp.jobs import plan
    from invcomp.pictures import extensions

    with plain_errors():
        if align is not None and align not in ALIGNMENTS:
            raise UsageError(f"--align takes {' or '.join(ALIGNMENTS)}, not {align!r}")
        jobs = plan(inputs, output, ".inv", extensions())
        streamed = jobs[0].target is None
        targets = guarded(force, skip_existing, streamed, as_json, "file")
        if report is not None:
            from invcomp.lab.picture_output import check_report

            check_report(report, jobs, targets)
        together = parse_batch_size(batch_size)
        if engine not in ENGINES:
            raise UsageError(f"--engine takes {' or '.join(ENGINES)}, not {engine!r}")
        if workers is not None and engine == "local":
            raise UsageError("--workers are those of --engine ray: give that too")
        from invcomp.compressing import Options, compress_files
        from invcomp.desk import Desk

        options = Options(
            prior=prior,
            quality=quality,
            max_bytes=max_bytes,
            min_psnr=min_psnr,
            min_ssim=min_ssim,
            best_effort=best_effort,
            schedule=schedule,
            steps=steps,
            loss=loss,
            relaxation=relaxation,
            polish=polish,
            start=start,
            levels=levels,
            progressive=progressive,
            checksum=checksum,
            seed=seed,
            batch_size=together,
            on_mismatch=on_mismatch,
            align=align,
            report=report,
            device=device,
        )
        options.check()
        there = {} if align else targets.there(jobs)  # of faces that are not found yet the outputs are not known
        rest = [job for n, job in enumerate(jobs) if n not in there]
        entries: list[dict[str, Any]] = []
        with progress_bar("compressing", len(rest), quiet=as_json) as done:
            desk = Desk(align is not None, targets, say)
            if rest and engine == "ray":
                from invcomp.distributed.run import compress_on_ray

                entries = compress_on_ray(rest, options, desk, done, workers)
            elif rest:
                entries = compress_files(rest, options, desk, done)
        entries = in_order(there, entries)
        if align is not None:
            found = sum(entry.get("faces", 0) > 0 for entry in entries)
            searched = len({entry["input"] for entry in entries if "faces" in entry})
            say(f"invcomp: {counted(found, 'face')} found in {counted(searched, 'picture')}")
        finish(
            entries,
            as_json,
            streamed,
            ["input", "output", *(["faces"] if align else []), "bytes", *PERCENTILES, "seconds"],
        )


def parse_batch_size(text: str) -> int | None:
    """A number, or None for `auto`. Raises `UsageError`."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--batch-size takes auto or a number, 1 or more, not {text!r}")
    return int(text)
