"""`info`, `priors`, `sample`, `import-prior` and `export-decoder`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from invcomp.commands.parsing import parse_ends
from invcomp.errors import InvcompError, UsageError
from invcomp.terminal import (
    AsJson,
    Device,
    Force,
    Label,
    plain_errors,
    print_table,
    progress_bar,
    say,
)


def info(
    path: Annotated[str, typer.Argument(help="An .inv file, a prior's folder or name, or -.")], as_json: AsJson = False
) -> None:
    """What is inside a file or a prior, without decoding."""
    from invcomp import describe
    from invcomp.container import MAX_BYTES
    from invcomp.jobs import Job, read_input
    from invcomp.priors.registry import find_prior

    with plain_errors():
        source = Path(path)
        if path == "-" or source.is_file():
            facts = describe.file(read_input(Job(None if path == "-" else source, None), MAX_BYTES), path)
        elif source.is_dir():
            facts = describe.prior(source)
        elif source.suffix:
            raise InvcompError(f"{path} does not exist")
        else:
            facts = describe.prior(find_prior(path))
    if as_json:
        print(json.dumps(facts, indent=1))
    else:
        print_table(None, ["", path], [[key, describe.text(value)] for key, value in facts.items()])


def priors(as_json: AsJson = False) -> None:
    """The installed priors: name, id, domain, size, licence."""
    from invcomp import describe
    from invcomp.priors.registry import installed

    rows = [describe.summary(folder, known) for folder, known in installed()]
    if as_json:
        print(json.dumps(rows, indent=1))
    elif rows:
        print_table(None, list(rows[0]), [[describe.text(value) for value in row.values()] for row in rows])
    else:
        say("no priors are installed; train one with `invcomp train-prior`")


def sample(
    prior: Annotated[str, typer.Argument(help="Name of an installed prior, or its folder.")] = "faces",
    n: Annotated[int, typer.Option("-n", min=1, help="Number of pictures.")] = 64,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A file for a grid, or a folder for single pictures.")
    ] = Path("samples.png"),
    rate: Annotated[
        int | None, typer.Option(help="Rate index, for a trained prior.", show_default="the middle one")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Side in pixels, for a prior that draws several sizes.", show_default="the prior's own"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1)] = 0,
    psi: Annotated[
        str | None,
        typer.Option(
            help="Truncation, LOW:HIGH, if the prior knows how levels hang together: 0 is the mean face, 1 everybody.",
            show_default="0.8:1.0, for an imported prior 0.7:1.0",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Nearly the same pictures in a third of the time; portraits, 128 or 256 pixels."),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the pictures that are in the folder.")] = False,
    label: Label = False,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """New pictures from a prior: one grid, or a folder for training."""
    from invcomp.jobs import Targets, note_settings
    from invcomp.pictures import encode_image, extensions, grid
    from invcomp.writing import make_folder, write_whole

    with plain_errors():
        from invcomp.codec import Codec
        from invcomp.label import TOO_SMALL, mark
        from invcomp.memory import keep_freed_memory
        from invcomp.priors.factors import FACTORS
        from invcomp.sampling import Sampling, samples

        as_grid = output.suffix.lower() in extensions()
        names = [output] if as_grid else [output / f"{index:06d}.png" for index in range(n)]
        if resume and (as_grid or force):
            raise UsageError("--resume keeps the pictures of a folder: give a folder with -o, and no --force")
        missing = [index for index in range(n) if as_grid or not (resume and names[index].is_file())]
        targets = Targets(force)
        for name in [output] if as_grid else [names[index] for index in missing]:
            targets.check(name)
        truncation = parse_psi(psi) if psi is not None else None
        codec = Codec(prior, device)
        keep_freed_memory()
        settings = Sampling.of(codec, rate=rate, size=size, psi=truncation, quick=quick)
        drawn = samples(codec, settings, missing, seed)
        drawing = {"prior": codec.prior.info.id, "seed": seed, **asdict(settings), "label": label}
        drawing = {name: value for name, value in drawing.items() if value is not False}
        if FACTORS in codec.prior.info.files:  # which may be fitted anew, and the id stays
            drawing["factors"] = codec.prior.info.files[FACTORS]
        if not as_grid:
            make_folder(output)
            note_settings(output / "samples.json", drawing, resume)
        with progress_bar("sampling", n) as done:
            images, marked = [], True
            for count, (index, image) in enumerate(drawn, start=n - len(missing) + 1):
                if label:
                    marked = mark(image)
                if as_grid:
                    images.append(image)
                else:
                    write_whole(names[index], encode_image(image, names[index], quick=True))
                done(count)
            if as_grid:
                sheet = grid(images, columns=min(n, 8))
                sheet.info |= images[0].info
                write_whole(output, encode_image(sheet, output))
    if not marked:
        say(f"invcomp: {output}: {TOO_SMALL}")
    say(f"wrote {len(missing)} pictures to {output}" + (f"; {n - len(missing)} were there" if resume else ""))


def parse_psi(text: str) -> tuple[float, float]:
    """`0.7:1.0`, or one number for both ends. Raises `UsageError`."""
    return parse_ends(text if ":" in text else f"{text}:{text}", "--psi takes LOW:HIGH, like 0.7:1.0")


def import_prior(
    source: Annotated[str, typer.Argument(help="What to import: random-face, MobileStyleGAN's faces.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for the prior.", show_default="where priors are found by their name"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Import anew over a prior that is there.")] = False,
) -> None:
    """A generator that somebody else trained → a prior: pip install --no-deps random-face, then this."""
    with plain_errors():
        if source != "random-face":
            raise UsageError(f"{source!r} cannot be imported; what can is random-face")
        from invcomp.priors.portraits.importing import import_random_face
        from invcomp.runtimes import give_graph

        folder, info = import_random_face(output, force, say)
        give_graph(folder, say)
    say(f"wrote the prior {info.name} ({info.id[:12]}) to {folder}: {info.licence}")


def export_decoder(
    prior: Annotated[str, typer.Argument(help="Name of an installed prior, or its folder.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for it.", show_default="none: the graph alone, beside the prior"),
    ] = None,
    force: Force = False,
) -> None:
    """A prior's decoder for ONNX Runtime, for decoding without torch: generator.onnx, tables.json, prior.json, and
    factors.safetensors if it has that."""
    from invcomp.jobs import Targets

    with plain_errors():
        from invcomp.exporting import add_graph, export
        from invcomp.priors.factors import FACTORS
        from invcomp.priors.info import CARD, read_info
        from invcomp.priors.reading import GENERATOR, GRAPH, TABLES
        from invcomp.priors.registry import find_prior

        folder = find_prior(prior)
        place, targets = output or folder, Targets(force)
        if output and output.exists() and not output.is_dir():
            raise UsageError(f"{output} is a file; give a folder")
        if output and (output / GENERATOR).exists():
            raise UsageError(f"{output} is a prior: leave out -o for a graph beside it, or give another folder")
        carried = (FACTORS,) if FACTORS in read_info(folder).files else ()
        names = (GRAPH, TABLES, *carried, CARD) if output else (GRAPH,)
        for name in names:
            targets.check(place / name)
        if output:
            export(folder, output)
        else:
            add_graph(folder)
    sizes = ", ".join(f"{name} {(place / name).stat().st_size:,}" for name in names)
    say(f"wrote the decoder of {folder.name} to {place}: bytes of {sizes}")
