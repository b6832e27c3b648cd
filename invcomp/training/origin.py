"""What a run may start with: the checkpoint of another one, or a finished prior, which has all of it but densities."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from invcomp.errors import DataError, UsageError
from invcomp.priors.architecture import Architecture
from invcomp.priors.files import load_prior
from invcomp.priors.info import CARD, read_info
from invcomp.priors.registry import IMPORTED, find_prior, installed
from invcomp.training.checkpoint import NAME, Checkpoint
from invcomp.training.config import TrainingConfig
from invcomp.training.growth import take_over
from invcomp.training.monitor import rounded
from invcomp.training.step import Networks

DENSITY_PICTURES = 256  # training pictures that densities are found with
BATCH = 32


def origin_folder(origin: Path) -> Path:
    """The folder of a run or of a prior, or of an installed prior by its name. Raises `InvcompError`."""
    if any((origin / name).is_file() for name in (NAME, CARD)):
        return origin
    if str(origin) in IMPORTED:
        raise imported(origin)
    if str(origin) not in {name for folder, info in installed() for name in (folder.name, info.name)}:
        raise DataError(f"{origin} has no {NAME} and is no prior: give --from the folder of a run, or a prior")
    return find_prior(str(origin))


def load_origin(origin: Path) -> Checkpoint:
    """The checkpoint in a folder, or what a finished prior has of one: no densities and no optimisers.

    Raises `InvcompError`, for a prior that was imported too.
    """
    folder = origin_folder(origin)
    if (folder / NAME).is_file():
        return Checkpoint.load(folder)
    prior = load_prior(folder)
    if not isinstance(prior.arch, Architecture) or prior.encoder is None or prior.critic is None:
        raise imported(origin)
    parts = {"generator": prior.generator, "encoder": prior.encoder}
    average = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    critic = {f"critic.{key}": value for key, value in prior.critic.state_dict().items()}
    record = prior.info.training
    try:
        config = TrainingConfig.from_json(record["config"])
        before = [described(past) for past in record.get("before", [])]
        now = described({**record, "image_size": config.image_size})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f"{folder / CARD} does not tell how the prior was trained; start without --from") from None
    return Checkpoint(prior.arch, config, now["seen"], now["seconds"], critic, average, [], before)


def imported(origin: Path) -> UsageError:
    return UsageError(
        f"{origin} was imported and has no encoder: a run starts with a prior that `invcomp train-prior` made"
    )


def described(past: dict[str, Any]) -> dict[str, Any]:
    """What is told of a run, without what else its record may hold."""
    return {"image_size": int(past["image_size"]), "seen": int(past["seen"]), "seconds": float(past["seconds"])}


def origin_note(origin: Path) -> str:
    """What the card of a run says of the prior that it starts with; empty if that is a run."""
    folder = origin_folder(origin)
    if (folder / NAME).is_file():
        return ""
    info = read_info(folder)
    return (
        f"; the weights at the start are those of the prior `{info.name}` ({info.id[:16]}…, licence: {info.licence}), "
        "whose card says what it was trained with"
    )


def lacks_densities(origin: Checkpoint) -> bool:
    return not any(name.startswith("density.") for name in origin.average)


@torch.no_grad()
def find_densities(origin: Checkpoint, pictures: np.ndarray, device: torch.device) -> None:
    """Give what a prior has of a checkpoint its densities: those of the residuals that its encoder finds.

    `pictures`, uint8 (N, 3, S, S), are those of the new run, which may be larger than the prior's.
    """
    networks = Networks(origin.arch).to(device).to(memory_format=torch.channels_last)  # the faster format on CPUs
    take_over(networks.coding, origin.average)
    chosen = np.sort(np.random.default_rng(0).permutation(len(pictures))[:DENSITY_PICTURES])
    for rate in range(origin.arch.rates):
        parts: list[list[Tensor]] = []
        for some in np.array_split(chosen, -(-len(chosen) // BATCH)):
            x = torch.from_numpy(pictures[some]).to(device).float() / 255
            if origin.arch.image_size not in (None, x.shape[-1]):
                x = F.interpolate(x, size=origin.arch.image_size, mode="area")
            rates = torch.full((len(x),), float(rate), device=device)
            parts.append(networks.encoder(x, networks.generator, rates, partial(rounded, None))[0])
        for level, residuals in enumerate(zip(*parts, strict=True)):
            networks.density.match(level, rate, torch.cat(residuals))
    origin.average |= {f"density.{name}": value.cpu() for name, value in networks.density.state_dict().items()}
