"""Runs that go on from another one or a prior, at the same size or, growing by a level, at twice the size."""

from pathlib import Path

from torch import Tensor, nn

from invcomp.errors import UsageError
from invcomp.priors.architecture import Architecture
from invcomp.training.checkpoint import Checkpoint
from invcomp.training.step import Networks

PER_LEVEL = ("widths", "latent_channels", "encoder_widths", "critic_widths")


def check_origin(arch: Architecture, origin: Architecture, folder: Path) -> None:
    """Raises `UsageError` if a run of `arch` cannot start with the networks of the run or prior `folder`."""
    grows = (
        arch.image_size is not None
        and origin.image_size == half(arch)
        and origin.rates == arch.rates
        and all(getattr(origin, name) == getattr(arch, name)[:-1] for name in PER_LEVEL)
    )
    if origin == arch or grows:
        return
    if (origin.image_size, origin.levels) in ((arch.image_size, arch.levels), (half(arch), arch.levels - 1)):
        raise UsageError(
            f"{folder} has networks of other widths: a run starts with those of its own --preset and --latents"
        )
    size = "any size" if origin.image_size is None else f"{origin.image_size} pixels"
    raise UsageError(
        f"{folder} makes pictures of {size}: a run starts with networks of its own --image-size, or of half of it"
    )


def half(arch: Architecture) -> int | None:
    return None if arch.image_size is None else arch.image_size // 2


def take_networks(networks: Networks, origin: Checkpoint) -> None:
    """Start with the averaged networks and the critic of a run; a level that it lacks stays as it is."""
    critic = {name.removeprefix("critic."): v for name, v in origin.networks.items() if name.startswith("critic.")}
    if origin.arch.levels < networks.generator.arch.levels:
        critic = {one_finer(name): value for name, value in critic.items()}
    take_over(networks.coding, origin.average)
    take_over(networks.critic, critic)


def take_over(module: nn.Module, values: dict[str, Tensor]) -> None:
    """Copy what has the same name and shape."""
    own = module.state_dict()
    module.load_state_dict({name: values[name] if same(values.get(name), v) else v for name, v in own.items()})


def same(value: Tensor | None, other: Tensor) -> bool:
    return value is not None and value.shape == other.shape


def one_finer(name: str) -> str:
    """The name of a critic's parameter in a critic with one more level: its blocks are counted from the finest."""
    kind, _, rest = name.partition(".")
    number, _, parameter = rest.partition(".")
    return f"{kind}.{int(number) + 1}.{parameter}" if number.isdecimal() else name
