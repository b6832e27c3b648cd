"""The command line: thin callers of `Codec`, training and lab. torch is imported only where it computes."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from invcomp.carriers import commands as carriers
from invcomp.errors import InvcompError, UsageError
from invcomp.terminal import AsJson, Force, Inputs, Output, finish, plain_errors, print_table, progress_bar, say, show

if TYPE_CHECKING:
    from invcomp.jobs import Targets

app = typer.Typer(
    name="invcomp",
    help="Pictures of a domain in a few hundred bytes, through a generative prior.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich alone would take half of the 0.3 s that --help may
    context_settings={"help_option_names": ["-h", "--help"]},
)

PriorName = Annotated[str, typer.Option("--prior", help="Name of an installed prior, or its folder.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave outputs that exist as they are: completes an interrupted call.")
]
Label = Annotated[bool, typer.Option("--label", help='Draw a small mark, "generated likeness", into the corner.')]


def guarded(force: bool, skip: bool, streamed: bool) -> "Targets":
    """The outputs of a call, with what becomes of those that exist. Raises `UsageError`."""
    from invcomp.jobs import Targets

    if skip and streamed:
        raise UsageError("--skip-existing has no meaning with standard output: give -o")
    return Targets(force, skip)


def in_order(there: dict[int, dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries of all jobs: those of skipped ones at their places, the others between them."""
    rest = iter(others)
    return [there[n] if n in there else next(rest) for n in range(len(there) + len(others))]


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


@app.command(cls=OptionalAlignment)
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
        if streamed and as_json:
            raise UsageError("--json and the file cannot both go to standard output: give -o")
        targets = guarded(force, skip_existing, streamed)
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


def counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


@app.command()
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

    from invcomp.carriers.qr import read_code
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


@app.command()
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


@app.command()
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


@app.command()
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
            help="Truncation, LOW:HIGH, for an imported prior: 0 is the mean face, 1 everybody.",
            show_default="0.7:1.0",
        ),
    ] = None,
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
        settings = codec.sampling(rate, size, truncation)
        drawn = codec.samples(missing, seed=seed, **settings)
        drawing = {"prior": codec.prior.info.id, "seed": seed, **settings} | ({"label": True} if label else {})
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
    low, high = parse_ends(text if ":" in text else f"{text}:{text}", "--psi takes LOW:HIGH, like 0.7:1.0")
    if not 0 <= low <= high <= 2:
        raise UsageError(f"--psi takes two numbers from 0 to 2, the lower first, not {text!r}")
    return low, high


@app.command("import-prior")
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


@app.command("export-decoder")
def export_decoder(
    prior: Annotated[str, typer.Argument(help="Name of an installed prior, or its folder.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for it.", show_default="none: the graph alone, beside the prior"),
    ] = None,
    force: Force = False,
) -> None:
    """A prior's decoder for ONNX Runtime: generator.onnx, tables.json and prior.json, for decoding without torch."""
    from invcomp.jobs import Targets

    with plain_errors():
        from invcomp.exporting import add_graph, export
        from invcomp.priors.info import CARD
        from invcomp.priors.reading import GRAPH, TABLES
        from invcomp.priors.registry import find_prior

        folder = find_prior(prior)
        place, targets = output or folder, Targets(force)
        for name in (GRAPH, TABLES, CARD) if output else (GRAPH,):
            targets.check(place / name)
        if output:
            export(folder, output)
        else:
            add_graph(folder)
    names = (GRAPH, TABLES, CARD) if output else (GRAPH,)
    sizes = ", ".join(f"{name} {(place / name).stat().st_size:,}" for name in names)
    say(f"wrote the decoder of {folder.name} to {place}: bytes of {sizes}")


@app.command()
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


@app.command()
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


def split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_numbers(text: str, option: str) -> tuple[float, ...]:
    """`"0,12.5,100"` → numbers. Raises `UsageError`."""
    try:
        numbers = tuple(float(part) for part in split(text))
    except ValueError:
        raise UsageError(f"{option} takes numbers with commas, not {text!r}") from None
    if not numbers:
        raise UsageError(f"{option} needs at least one number")
    return numbers


def parse_whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """`"0,500"` → whole numbers. Raises `UsageError`."""
    numbers = parse_numbers(text, option)
    if not all(number.is_integer() for number in numbers):
        raise UsageError(f"{option} takes whole numbers with commas, not {text!r}")
    return tuple(int(number) for number in numbers)


def parse_range(text: str) -> tuple[float, float]:
    """`"80:600"` → (80, 600). Raises `UsageError`."""
    taken = "--rates takes a range of bytes like 80:600"
    low, high = parse_ends(text, taken)
    if not 0 < low < high:
        raise UsageError(f"{taken}, not {text!r}")
    return low, high


def parse_ends(text: str, taken: str) -> tuple[float, float]:
    """Two numbers around a colon. Raises `UsageError`, which says what is `taken`."""
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise UsageError(f"{taken}, not {text!r}") from None


@app.command(name="train-prior")
def train_prior(
    data: Annotated[Path, typer.Argument(help="A folder, zip or tar of pictures.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the prior.")],
    image_size: Annotated[int, typer.Option(help="Side of the pictures in pixels: 16, 32, 64, 128, 256 or 512.")] = 64,
    free_size: Annotated[
        bool, typer.Option("--free-size", help="A prior for pictures of any size, trained on crops of --image-size.")
    ] = False,
    preset: Annotated[str, typer.Option(help="tiny, small or base.")] = "small",
    kimg: Annotated[float, typer.Option(help="Length of the run in thousands of pictures.")] = 800.0,
    batch: Annotated[int, typer.Option(help="Pictures a step, over all processes.")] = 32,
    distortion: Annotated[
        str | None, typer.Option(help="Loss expression.", show_default="100*mse + 1*lpips-squeeze")
    ] = None,
    adversarial: Annotated[
        float, typer.Option(help="Weight of the adversarial loss; 0 trains without a critic.")
    ] = 0.05,
    pure_gan: Annotated[bool, typer.Option("--pure-gan", help="Ablation: no encoder, no distortion term.")] = False,
    critic_augmentation: Annotated[bool, typer.Option("--critic-augmentation", help="For small data sets.")] = False,
    augmentation: Annotated[
        str,
        typer.Option(
            help="plain, or photographs: wide enough for photographs when the training pictures are drawn ones."
        ),
    ] = "plain",
    others: Annotated[
        Path | None,
        typer.Option(help="Photographs of other things to mix in: a folder, zip or tar.", show_default="none"),
    ] = None,
    others_share: Annotated[float | None, typer.Option(help="Share of them.", show_default="0.06")] = None,
    origin: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Folder of a run of the same preset, and of the same size or of half of it: "
            "this run starts with its networks.",
            show_default="none",
        ),
    ] = None,
    compile_networks: Annotated[bool, typer.Option("--compile", help="torch.compile the networks.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the prior.", show_default="the folder's")] = None,
    domain: Annotated[str, typer.Option(help="What its pictures show, for the card.")] = "not stated",
    licence: Annotated[str, typer.Option(help="Licence, for the card.")] = "not stated",
    data_note: Annotated[str | None, typer.Option(help="What it is trained on, for the card.")] = None,
    limits: Annotated[str, typer.Option(help="What it cannot do, for the card.")] = "not stated",
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run whose checkpoint lies in the folder.")
    ] = False,
    minutes: Annotated[float, typer.Option(help="Minutes between checkpoints, held-out figures and grids.")] = 5.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1)] = 0,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """A folder of pictures → a prior. Ctrl-C leaves a checkpoint; --resume continues. Several GPUs: torchrun."""
    with plain_errors():
        from invcomp.training.command import Request, run_training

        ended = run_training(
            Request(
                data=data,
                output=output,
                image_size=image_size,
                free_size=free_size,
                preset=preset,
                kimg=kimg,
                batch=batch,
                distortion=distortion,
                adversarial=adversarial,
                pure_gan=pure_gan,
                critic_augmentation=critic_augmentation,
                augmentation=augmentation,
                others=others,
                others_share=others_share,
                origin=origin,
                compile_networks=compile_networks,
                name=name or output.resolve().name,
                domain=domain,
                licence=licence,
                data_note=data_note,
                limits=limits,
                resume=resume,
                minutes=minutes,
                seed=seed,
                device=device,
                force=force,
            ),
            say,
        )
        if not ended:
            raise typer.Exit(130)


for command in (carriers.qr, carriers.split, carriers.join):
    app.command()(command)


def main() -> None:
    """The `invcomp` command."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
