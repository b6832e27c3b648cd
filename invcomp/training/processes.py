"""The processes of a run: one, or those of `torchrun`; what they share, and how they are told to stop."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import torch
from torch import nn


@dataclass(frozen=True)
class Process:
    """This process among those of `torchrun`; alone, number 0 of 1."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0


@contextmanager
def processes(device: str) -> Iterator[Process]:
    """Join the processes started by `torchrun`, if any. `device`: auto, cpu, cuda, cuda:N."""
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and world > 1:
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    if world == 1:
        yield Process(0, 1, torch.device(device))
        return
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Process(rank, world, torch.device(device))
    finally:
        torch.distributed.destroy_process_group()


@torch.no_grad()
def average_over_processes(parameters: Iterable[nn.Parameter], world: int) -> None:
    """Distributed data parallel by hand: every process ends with the mean gradient."""
    if world == 1:
        return
    present = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in present])
    torch.distributed.all_reduce(flat)
    flat /= world
    offset = 0
    for gradient in present:
        gradient.copy_(flat[offset : offset + gradient.numel()].view_as(gradient))
        offset += gradient.numel()


@torch.no_grad()
def from_first(parameters: Iterable[nn.Parameter], process: Process) -> None:
    """Every process ends with what the first one has, where each computed it for itself."""
    if process.world == 1:
        return
    for parameter in parameters:
        torch.distributed.broadcast(parameter.data, 0)


class Stop:
    """Becomes true on Ctrl-C or SIGTERM, so that the run ends with a checkpoint."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        before = {kind: signal.signal(kind, self.ask) for kind in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)


def asked(stop: Stop, process: Process) -> bool:
    """Whether any process was asked to stop."""
    if process.world == 1:
        return stop.asked
    flag = torch.tensor(float(stop.asked), device=process.device)
    torch.distributed.all_reduce(flag)
    return bool(flag > 0)
