"""`train-prior`."""

from pathlib import Path
from typing import Annotated

import typer

from invcomp.commands.parsing import parse_ends, parse_whole_numbers
from invcomp.errors import UsageError
from invcomp.terminal import (
    Device,
    Force,
    plain_errors,
    say,
)


def train_prior(
    data: Annotated[Path, typer.Argument(help="A folder, zip or tar of pictures.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the prior.")],
    image_size: Annotated[int, typer.Option(help="Side of the pictures in pixels: 16, 32, 64, 128, 256 or 512.")] = 64,
    free_size: Annotated[
        bool, typer.Option("--free-size", help="A prior for pictures of any size, trained on crops of --image-size.")
    ] = False,
    preset: Annotated[str, typer.Option(help="tiny, small or base.")] = "small",
    latents: Annotated[
        str | None,
        typer.Option(
            help="Latent channels of every level, coarse to fine.", show_default="the preset's, like 24,12,8,4"
        ),
    ] = None,
    rate_weights: Annotated[
        str | None,
        typer.Option(
            "--lambda",
            help="Rate weights of the largest and of the smallest files, LOW:HIGH, distortion per bit.",
            show_default="3e-6:2e-3",
        ),
    ] = None,
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
            help="Folder of a run or a prior, or the name of an installed prior, of the same preset, and of the same "
            "size or of half of it: this run starts with its networks.",
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
                latents=parse_whole_numbers(latents, "--latents") if latents is not None else None,
                rate_weights=parse_rate_weights(rate_weights) if rate_weights is not None else None,
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


def parse_rate_weights(text: str) -> tuple[float, float]:
    """`3e-6:2e-3` → its ends. Raises `UsageError`."""
    taken = "--lambda takes two numbers above 0, the lower first, like 3e-6:2e-3"
    low, high = parse_ends(text, taken)
    if not 0 < low < high < float("inf"):
        raise UsageError(f"{taken}, not {text!r}")
    return low, high
