"""`invcomp train-prior`: from a folder of pictures to a prior, with progress and resumption."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from invcomp.codec import choose_device
from invcomp.errors import DataError, OutputError, UsageError
from invcomp.inversion.losses import parse_loss
from invcomp.priors.architecture import Architecture, from_preset
from invcomp.priors.info import CARD
from invcomp.runtimes import give_graph
from invcomp.training.checkpoint import NAME, Checkpoint
from invcomp.training.config import AUGMENTATIONS, CONTINUED, TrainingConfig
from invcomp.training.data import load_others, load_training_set
from invcomp.training.finish import About, hardware, write_prior
from invcomp.training.growth import check_origin
from invcomp.training.loop import Run, StepReport, choose_distortion, train
from invcomp.training.monitor import LOG
from invcomp.training.origin import find_densities, lacks_densities, load_origin, origin_folder, origin_note
from invcomp.training.processes import Process, from_first, processes
from invcomp.writing import make_folder, write_whole

ABOUT = "about.json"
MAX_LATENTS = 256  # channels of a level
OTHERS_SHARE = 0.06  # of pictures of other things, where no other share is given


@dataclass(frozen=True)
class Request:
    """The options of `invcomp train-prior`."""

    data: Path
    output: Path
    image_size: int
    free_size: bool
    preset: str
    kimg: float
    batch: int
    distortion: str | None
    adversarial: float
    pure_gan: bool
    critic_augmentation: bool
    augmentation: str
    others: Path | None
    others_share: float | None
    origin: Path | None
    compile_networks: bool
    name: str
    domain: str
    licence: str
    data_note: str | None
    limits: str
    resume: bool
    minutes: float
    seed: int
    device: str
    force: bool
    latents: tuple[int, ...] | None = None
    rate_weights: tuple[float, float] | None = None
    graph: bool = True
    """Whether the prior gets a `generator.onnx`."""


def run_training(request: Request, say: Callable[[str], None]) -> bool:
    """Train, or continue to train, a prior and write it; False if it was interrupted. Raises `InvcompError`."""
    numbers = (request.kimg, request.batch, request.minutes)
    if not (all(0 < n < math.inf for n in numbers) and 0 <= request.adversarial < math.inf):
        raise UsageError("--kimg, --batch and --minutes are greater than 0, --adversarial is 0 or more")
    if request.others_share is not None and not (request.others and 0 < request.others_share < 1):
        raise UsageError(f"--others-share lies between 0 and 1, not {request.others_share:g}, and goes with --others")
    if request.augmentation not in AUGMENTATIONS:
        raise UsageError(f"--augmentation is {' or '.join(AUGMENTATIONS)}, not {request.augmentation!r}")
    for source in filter(None, (request.data, request.others)):
        if request.output.resolve().is_relative_to(source.resolve()):
            raise UsageError(f"{request.output} lies inside {source}, whose pictures are trained on; give another -o")
    starts = origin_folder(request.origin) if request.origin and not request.resume else None
    if starts is not None and starts.resolve() == request.output.resolve():
        raise UsageError(f"{request.output} is what --from starts with, and would be replaced; give another -o")
    choose_device(request.device)
    with processes(request.device) as process:
        quiet = say if process.first else lambda _: None
        origin = load_origin(request.origin) if request.origin and not request.resume else None
        arch, config = planned(request, origin, quiet)
        if config.others and request.others is None:
            raise UsageError("this run mixes in other pictures: give them again with --others")
        run = Run(arch, config, process, request.compile_networks)
        if request.resume:
            run.restore(Checkpoint.load(request.output))
        held_out, pictures = load(request, run, quiet)
        others = (
            load_others(request.others, config.image_size, config.seed) if request.others and config.others else None
        )
        about = described(request)
        if process.first and not request.resume:
            for name in (NAME, LOG):  # of a run that --force replaces
                (request.output / name).unlink(missing_ok=True)
        if request.origin and origin:
            if lacks_densities(origin):
                quiet(f"looking at training pictures with the encoder of {request.origin}")
                find_densities(origin, pictures, process.device)
            run.start_from(origin)
            from_first(run.networks.density.parameters(), process)
            if (log := origin_folder(request.origin) / LOG).is_file() and process.first:
                write_whole(request.output / LOG, log.read_bytes())
        quiet(
            f"{len(pictures):,} training pictures, {len(held_out)} held out; {config.kimg:g} thousand to see, "
            f"{run.seen:,} seen; generator {millions(run.networks.generator):.1f} M parameters, "
            f"on {hardware(process.device)}; "
            "the time left is shown after the first steps"
        )
        ended = show(run, pictures, others, held_out, request, process)
        if not process.first:
            return ended
        if not ended:
            say(f"invcomp: stopped after {run.seen:,} pictures; continue with --resume")
            return False
        write_prior(
            request.output,
            run.averaged(),
            config,
            about,
            pictures,
            held_out,
            {
                "pictures": len(pictures),
                "held_out": len(held_out),
                "windows_of_other_pictures": 0 if others is None else len(others),
                "seen": run.seen,
                "seconds": run.seconds,
                "before": run.before,
                "hardware": hardware(process.device),
            },
            others,
            say,
        )
        if request.graph:
            say("generator.onnx, for decoding without torch")
            give_graph(request.output, say)
        say(f"wrote the prior {about.name!r} to {request.output}")
        return True


def planned(
    request: Request, origin: Checkpoint | None, say: Callable[[str], None]
) -> tuple[Architecture, TrainingConfig]:
    """Architecture and schedule: those of the checkpoint, or new ones; a new run starts with `origin`, if given."""
    output = request.output
    if request.resume:
        state = Checkpoint.load(output)
        say(f"continuing the run in {output} with its own settings")
        return state.arch, state.config
    for name in (CARD, NAME):
        if (output / name).exists() and not request.force:
            raise OutputError(
                f"{output} holds a {name}; give --resume to continue, --force to start again, or another folder"
            )
    if request.image_size not in (16, 32, 64, 128, 256, 512):
        raise UsageError(f"the image size is 16, 32, 64, 128, 256 or 512, not {request.image_size}")
    config = TrainingConfig(
        image_size=request.image_size,
        free_size=request.free_size,
        preset=request.preset,
        kimg=request.kimg,
        batch=request.batch,
        seed=request.seed,
        adversarial_weight=request.adversarial,
        pure_gan=request.pure_gan,
        critic_augmentation=request.critic_augmentation,
        others=(request.others_share or OTHERS_SHARE) if request.others else 0.0,
    )
    arch = from_preset(request.preset, None if request.free_size else request.image_size)
    if request.latents is not None:
        if len(request.latents) != arch.levels or any(not 1 <= n <= MAX_LATENTS for n in request.latents):
            raise UsageError(
                f"--latents takes {arch.levels} whole numbers from 1 to {MAX_LATENTS}, one for every level"
            )
        arch = replace(arch, latent_channels=request.latents)
    changes: dict[str, Any] = dict(AUGMENTATIONS[request.augmentation])
    if request.rate_weights:
        changes |= dict(zip(("lambda_low", "lambda_high"), request.rate_weights, strict=True))
    if request.origin and origin:
        check_origin(arch, origin.arch, request.origin)
        changes |= {**CONTINUED, "opened": origin.arch.levels}
    config = replace(config, **changes)
    if request.distortion is not None:
        parse_loss(request.distortion)
        return arch, replace(config, distortion=request.distortion)
    return arch, replace(config, distortion=choose_distortion(config.distortion, say))


def described(request: Request) -> About:
    """What the card says of the prior: kept beside the checkpoint, so that it is said once."""
    path = request.output / ABOUT
    if request.resume and path.is_file():
        try:
            return About(**json.loads(path.read_text()))
        except (ValueError, TypeError):
            raise DataError(f"{path} is damaged; delete it and give --name, --domain, … again") from None
    data = (request.data_note or request.data.name) + (origin_note(request.origin) if request.origin else "")
    about = About(request.name, request.domain, request.licence, data, request.limits)
    write_whole(path, json.dumps(asdict(about), indent=1).encode())
    return about


def load(request: Request, run: Run, say: Callable[[str], None]) -> tuple[np.ndarray, np.ndarray]:
    """The pictures (held out, for training), in memory; broken files are listed in `skipped.txt`.

    Raises `DataError` if there are too few, or others than those that the run began with.
    """
    arch, config, process = run.arch, run.config, run.process
    make_folder(request.output)
    console = Console(stderr=True, quiet=not process.first)
    with console.status("reading pictures") as status:
        found = load_training_set(
            request.data,
            config.image_size,
            arch.image_size is not None,
            lambda done: status.update(f"reading pictures: {done:,}"),
        )
    if found.skipped and process.first:
        write_whole(request.output / "skipped.txt", "\n".join([*found.skipped, ""]).encode("utf-8", "replace"))
        say(
            f"{len(found.skipped)} files were skipped, listed in {request.output / 'skipped.txt'}, "
            f"the first: {found.skipped[0]}"
        )
    if len(found.pictures) < config.batch // process.world:
        raise DataError(f"{request.data} has fewer pictures than a batch of {config.batch}; give a smaller --batch")
    digest = found.digest()
    if run.data not in ("", digest):
        raise DataError(
            f"{request.data} has other pictures than the run in {request.output} began with, which would mix held-out "
            "and training ones: give those again, or start a run --from this one"
        )
    run.data = digest
    return found.split()


def show(
    run: Run,
    pictures: np.ndarray,
    others: np.ndarray | None,
    held_out: np.ndarray,
    request: Request,
    process: Process,
) -> bool:
    """Train with a progress bar."""
    columns = (
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} pictures"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not process.first) as bar:
        task = bar.add_task("training", total=int(1000 * run.config.kimg), completed=run.seen, figures="")

        def report(now: StepReport) -> None:
            parts = [f"{now.pictures_per_second:.1f}/s"]
            parts += [
                f"{key} {now.figures[key]:.3g}"
                for key in ("distortion", "bytes", "adversarial", "critic")
                if key in now.figures
            ]
            if now.level_bytes:
                parts.append("levels " + "+".join(f"{b:.0f}" for b in now.level_bytes) + " B")
            bar.update(task, completed=now.seen, figures="  ".join(parts))

        return train(run, pictures, held_out, request.output, report, request.minutes, others)


def millions(network: torch.nn.Module) -> float:
    return sum(p.numel() for p in network.parameters()) / 1e6
