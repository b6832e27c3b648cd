"""Checkpoints: everything a run needs to continue, written whole or not at all."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from invcomp.errors import DataError
from invcomp.priors.architecture import Architecture
from invcomp.training.config import TrainingConfig
from invcomp.writing import whole_file

NAME = "checkpoint.pt"


@dataclass
class Checkpoint:
    """State of a run after `seen` pictures."""

    arch: Architecture
    config: TrainingConfig
    seen: int
    seconds: float
    networks: dict[str, Tensor]
    average: dict[str, Tensor]
    optimisers: list[dict[str, Any]]
    before: list[dict[str, Any]] = field(default_factory=list)
    """The runs that this one goes on from, oldest first: `image_size`, pictures `seen`, `seconds`."""
    data: str = ""
    """Digest of the pictures that the run began with; empty in older checkpoints."""

    @property
    def past(self) -> list[dict[str, Any]]:
        """`before`, and this run."""
        return [*self.before, {"image_size": self.config.image_size, "seen": self.seen, "seconds": self.seconds}]

    def save(self, folder: Path) -> None:
        """Raises `OutputError`; the checkpoint that was there is there still."""
        state = {
            "arch": json.dumps(self.arch.to_json()),
            "config": json.dumps(self.config.to_json()),
            "seen": self.seen,
            "seconds": self.seconds,
            "networks": self.networks,
            "average": self.average,
            "optimisers": self.optimisers,
            "before": self.before,
            "data": self.data,
        }
        buffer = io.BytesIO()  # into a file torch hides what the system says of a full disk
        torch.save(state, buffer)
        with whole_file(folder / NAME) as file:
            file.write(buffer.getbuffer())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises `DataError` if there is none or it is damaged."""
        path = folder / NAME
        if not path.is_file():
            raise DataError(f"{folder} has no {NAME} to go on from; start without --resume or --from")
        try:
            data = torch.load(path, map_location="cpu", weights_only=True)
            data["arch"] = Architecture.from_json(json.loads(data["arch"]))
            data["config"] = TrainingConfig.from_json(json.loads(data["config"]))
            return cls(**data)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise DataError(f"{path} is damaged ({type(error).__name__}); delete it and start again") from None


class Average:
    """Exponential moving average of a module's parameters."""

    def __init__(self, module: nn.Module) -> None:
        self.values = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, decay: float) -> None:
        current = module.state_dict()
        torch._foreach_lerp_(list(self.values.values()), [current[k] for k in self.values], 1 - decay)
