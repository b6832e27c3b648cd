"""`bench` and `ablate`: the lab."""

from pathlib import Path
from typing import Annotated

import typer

from invcomp.commands.parsing import parse_numbers, parse_range, parse_whole_numbers, split
from invcomp.terminal import (
    Device,
    Force,
    plain_errors,
    progress_bar,
    say,
    show,
)


def bench(
    folder: Annotated[Path, typer.Argument(help="A folder of pictures that no training saw.")],
    prior: Annotated[
        list[str] | None,
        typer.Option("--prior", help="Name or folder of a prior; may be repeated.", show_default="faces"),
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the pictures in pixels.", show_default="the prior's own")
    ] = None,
    codecs: Annotated[
        str,
        typer.Option(
            help="Peers, with commas: jpeg, jpeg-progressive, jpeg-shared, webp, avif, jxl, thumbhash, blurhash, pca; "
            "all or none."
        ),
    ] = "all",
    qualities: Annotated[str, typer.Option(help="Qualities of invcomp, with commas.")] = "0,12,24,48,62,100",
    steps: Annotated[int, typer.Option(help="Steps of the search; 0 is the encoder alone.")] = 200,
    pca_data: Annotated[
        Path | None,
        typer.Option(help="Training folder for PCA, or a fitted file.", show_default="the file beside the prior"),
    ] = None,
    rates: Annotated[
        str | None, typer.Option(help="Range of bytes for Bjøntegaard rates, like 80:600.", show_default="all")
    ] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Pictures taken of the folder.", show_default="all")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the results as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="File for the page.")] = None,
    csv: Annotated[Path | None, typer.Option(help="File for the figures of every file.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps finished settings, so that an interrupted run goes on.")
    ] = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Real bytes and metrics of invcomp and its peers: JPEG, WebP, AVIF, JPEG XL, PCA, placeholders."""
    from invcomp.jobs import Targets

    with plain_errors():
        targets = Targets(force)
        for target in (json_file, html, csv):
            targets.check(target)
        window = parse_range(rates) if rates else None
        from invcomp.lab import bench as lab
        from invcomp.lab.output import check_places, summary, write_report

        check_places(json_file, html, csv)
        names = {"all": lab.CODECS, "none": ()}.get(codecs, tuple(c.strip() for c in codecs.split(",")))
        with progress_bar("bench", 1000) as done:
            report = lab.bench(
                lab.BenchRequest(
                    folder,
                    tuple(prior or ["faces"]),
                    size,
                    names,
                    parse_numbers(qualities, "--qualities"),
                    steps,
                    pca_data,
                    window,
                    most,
                    cache,
                    device,
                ),
                say,
                lambda text, share: done(1000 * share, text),
            )
        show(report.notes, summary(report))  # first: it is not lost if a file cannot be written
        write_report(report, json_file=json_file, html_file=html, csv_file=csv)


def ablate(
    folder: Annotated[Path, typer.Argument(help="A folder of pictures that no training saw.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for results, page and tables.")],
    losses: Annotated[
        str, typer.Option(help='Loss expressions, with semicolons: "mse; 100*mse + 1*lpips-squeeze". prior is its own.')
    ] = "prior",
    relaxations: Annotated[
        str,
        typer.Option(
            help="With commas: straight-through, uniform-noise, soft-rounding, gumbel, admm. prior is its own."
        ),
    ] = "prior",
    steps: Annotated[str, typer.Option(help="Steps of the search, with commas.")] = "100,500",
    start: Annotated[
        str, typer.Option(help="Starts, with commas: encoder, mean, best-of-8. prior is its own.")
    ] = "prior",
    levels: Annotated[
        str, typer.Option(help="How many of the coarsest latent levels are used, with commas, like 1,2,all.")
    ] = "all",
    prior: Annotated[str, typer.Option(help="Names or folders of priors, with commas.")] = "faces",
    qualities: Annotated[str, typer.Option(help="Qualities at which every cell is measured, with commas.")] = "24,48",
    subset: Annotated[
        str,
        typer.Option(help="full: every combination; star: each factor by itself, the others at their first value."),
    ] = "full",
    size: Annotated[
        int | None, typer.Option(help="Side of the pictures in pixels.", show_default="the prior's own")
    ] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Pictures taken of the folder.", show_default="all")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1)] = 0,
    device: Device = "auto",
) -> None:
    """Losses x relaxations x steps x starts x priors: tables and a page, made anew from kept cells by every rerun."""
    with plain_errors():
        from invcomp.lab import ablate as lab
        from invcomp.lab.output import check_places, summary, write_report

        check_places(output / "results.json")
        request = lab.AblateRequest(
            folder=folder,
            losses=tuple(text.strip() for text in losses.split(";") if text.strip()),
            relaxations=split(relaxations),
            steps=parse_whole_numbers(steps, "--steps"),
            starts=split(start),
            levels=split(levels),
            priors=split(prior),
            qualities=parse_numbers(qualities, "--qualities"),
            subset=subset,
            size=size,
            most=most,
            seed=seed,
            cache=output / "cells",
            device=device,
        )
        with progress_bar("ablate", 1000) as done:
            report = lab.ablate(request, say, lambda text, share: done(1000 * share, text))
        show(report.notes, summary(report))
        write_report(
            report, json_file=output / "results.json", html_file=output / "report.html", csv_file=output / "files.csv"
        )
    say(f"wrote {output}/report.html, results.json and files.csv")
