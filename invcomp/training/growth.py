"""Runs that grow: one of twice the size starts with the levels of a finished one."""

from pathlib import Path

from torch import Tensor, nn

from invcomp.errors import UsageError
from invcomp.priors.architecture import Architecture
from invcomp.training.checkpoint import Checkpoint
from invcomp.training.step import Networks


def check_growth(arch: Architecture, smaller: Architecture, folder: Path) -> None:
    """Raises `UsageError` if a run of `arch` cannot start with the levels of the one in `folder`."""
    lists = ("widths", "latent_channels", "encoder_widths", "critic_widths")
    fits = arch.image_size is not None and smaller.image_size == arch.image_size // 2 and smaller.rates == arch.rates
    if not fits or any(getattr(smaller, name) != getattr(arch, name)[:-1] for name in lists):
        size = "any size" if smaller.image_size is None else f"{smaller.image_size} pixels"
        raise UsageError(
            f"{folder} holds a run for pictures of {size}: "
            "a run grows from one of half its --image-size and of its --preset"
        )


def take_levels(networks: Networks, smaller: Checkpoint) -> None:
    """Start with the averaged networks and the critic of a smaller run; what is finer stays as it is."""
    critic = {name.removeprefix("critic."): v for name, v in smaller.networks.items() if name.startswith("critic.")}
    take_over(networks.coding, smaller.average)
    take_over(networks.critic, {one_finer(name): value for name, value in critic.items()})


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
