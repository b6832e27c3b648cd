"""The training loop: pictures in, checkpoints and networks out."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invcomp.errors import DataError, LossError
from invcomp.inversion.losses import FACE, LPIPS_TERMS, PIXEL_TERMS, Loss, build_loss, cached_lpips, parse_loss, whole
from invcomp.inversion.lpips import enlargement
from invcomp.memory import keep_freed_memory
from invcomp.priors.architecture import Architecture
from invcomp.training.augment import augment
from invcomp.training.checkpoint import Average, Checkpoint
from invcomp.training.config import TrainingConfig
from invcomp.training.degrade import degrade, draw_things
from invcomp.training.growth import take_networks
from invcomp.training.monitor import append_log, evaluate, write_grids
from invcomp.training.processes import Process, Stop, asked, average_over_processes
from invcomp.training.step import Distortion, Networks, critic_step, generator_step

WITHOUT_LPIPS = "100*mse + 0.1*critic"
CROP = 5 / 8  # side of the crop that network terms of the distortion see, as a share of the picture's
HELD_OUT = 128
MOST_LOST = 20  # steps without finite gradients that are passed over


@dataclass(frozen=True)
class StepReport:
    """What a run reports after a step; figures are means since the last report on held-out pictures."""

    seen: int
    pictures_per_second: float
    figures: dict[str, float]
    level_bytes: list[float]
    """Bytes by level, coarse to fine."""


def choose_distortion(expression: str, say: Callable[[str], None]) -> str:
    """The expression, or one without LPIPS if its weights cannot be had; that is said, and kept in the card."""
    for _, name in parse_loss(expression):
        if whole(name) in LPIPS_TERMS:
            try:
                cached_lpips(whole(name))
            except LossError as error:
                say(f"{error}. Training goes on with {WITHOUT_LPIPS!r}.")
                return WITHOUT_LPIPS
    return expression


def make_distortion(config: TrainingConfig, networks: Networks, process: Process) -> Distortion:
    parts = parse_loss(config.distortion)
    small = {name for _, name in parts if name in PIXEL_TERMS or name.startswith(FACE)}
    light = [f"{w}*{name}" for w, name in parts if name in small]
    heavy = [f"{w}*{name}" for w, name in parts if name not in small]

    def build(terms: list[str]) -> Loss:
        if not terms:
            return Loss([])
        scale = enlargement(config.image_size)
        return build_loss(" + ".join(terms), lambda: networks.critic, process.device, lpips_scale=scale)

    stride = networks.generator.arch.stride
    crop = max(stride, round(config.image_size * CROP / stride) * stride)
    return Distortion(build(light), build(heavy), crop, pictures=max(1, config.batch // process.world // 2))


class Run:
    """A training run: its networks, averages and optimisers, and how far it is."""

    def __init__(self, arch: Architecture, config: TrainingConfig, process: Process, compiled: bool = False) -> None:
        torch.manual_seed(config.seed)
        self.arch, self.config, self.process = arch, config, process
        self.seen, self.seconds = 0, 0.0
        self.before: list[dict[str, Any]] = []
        self.data = ""
        self.lost = 0  # steps one after another whose gradients were no finite numbers
        self.networks = Networks(arch).to(process.device).to(memory_format=torch.channels_last)
        self.average = Average(self.networks.coding)
        if compiled:
            for level in (*self.networks.generator.levels, *self.networks.encoder.levels):
                level.compile()
        densities = list(self.networks.density.parameters())
        steps = [p for name, p in self.networks.coding.named_parameters() if "log_step" in name]
        special = {id(p) for p in (*densities, *steps)}
        weights = [p for p in self.networks.coding.parameters() if id(p) not in special]
        self.generator_optimiser = torch.optim.Adam(
            [
                {"params": weights, "factor": 1.0},
                {"params": densities, "factor": config.density_learning_rate_factor},
                {"params": steps, "factor": 5.0},
            ],
            betas=(0.9, 0.99),
        )
        self.critic_optimiser = torch.optim.Adam(self.networks.critic.parameters(), betas=(0.0, 0.99))
        self.distortion = make_distortion(config, self.networks, process)
        bf16 = process.device.type == "cuda" and torch.cuda.is_bf16_supported()
        self.autocast = torch.autocast(process.device.type, torch.bfloat16, enabled=bf16)

    @property
    def progress(self) -> float:
        return self.seen / (1000 * self.config.kimg)

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(
            self.arch,
            self.config,
            self.seen,
            self.seconds,
            self.networks.state_dict(),
            self.average.values,
            [self.generator_optimiser.state_dict(), self.critic_optimiser.state_dict()],
            self.before,
            self.data,
        )

    def restore(self, state: Checkpoint) -> None:
        self.seen, self.seconds, self.before, self.data = state.seen, state.seconds, state.before, state.data
        self.networks.load_state_dict(state.networks)
        for name, value in state.average.items():
            self.average.values[name].copy_(value)
        for optimiser, saved in zip((self.generator_optimiser, self.critic_optimiser), state.optimisers, strict=True):
            optimiser.load_state_dict(saved)

    def start_from(self, origin: Checkpoint) -> None:
        """Start with the networks of a run that `check_origin` allows; a level that it lacks starts anew."""
        take_networks(self.networks, origin)
        self.average = Average(self.networks.coding)
        self.before = origin.past

    def averaged(self) -> Networks:
        """Networks with averaged weights, for judging and for keeping."""
        networks = Networks(self.arch).to(self.process.device)
        networks.coding.load_state_dict(self.average.values)
        networks.critic.load_state_dict(self.networks.critic.state_dict())
        return networks.eval().requires_grad_(False)

    def step(self, pictures: Tensor, number: int) -> dict[str, Tensor]:
        """The generator side, then the critic, on pictures (N, 3, H, W) in [0, 1]; their figures.

        A side whose gradients are no finite numbers stays as it is. Raises `DataError` when that does not end.
        """
        config, networks, world = self.config, self.networks, self.process.world
        factor = config.learning_rate_factor(self.progress)
        for group in self.generator_optimiser.param_groups:
            group["lr"] = config.learning_rate * factor * group["factor"]
        self.critic_optimiser.param_groups[0]["lr"] = config.critic_learning_rate * factor

        networks.critic.requires_grad_(False)
        with self.autocast:
            result = generator_step(networks, self.distortion, config, pictures, self.progress)
        self.generator_optimiser.zero_grad()
        result.loss.backward()  # type: ignore[no-untyped-call]
        average_over_processes(networks.coding.parameters(), world)
        norm = advance(self.generator_optimiser, networks.coding, config.gradient_clip)
        figures = {"gradient": norm, **result.figures}
        self.lost = 0 if norm.isfinite() else self.lost + 1
        if self.lost == MOST_LOST:
            raise DataError(
                f"{MOST_LOST} steps had gradients that are no finite numbers; the checkpoint is as they found it: "
                "start again with other weights of --distortion or --adversarial"
            )

        if result.pairs is not None:
            networks.critic.requires_grad_(True)
            with self.autocast:
                loss, more = critic_step(networks, config, result.pairs, number)
            self.critic_optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            average_over_processes(networks.critic.parameters(), world)
            advance(self.critic_optimiser, networks.critic, math.inf)
            figures |= more
        batch = len(pictures) * world
        ramp = min(config.ema_kimg * 1000, max(self.seen, batch) * 0.1)
        self.average.update(networks.coding, 0.5 ** (batch / ramp))
        self.seen += batch
        return {key: value for key, value in figures.items() if value.isfinite()}


def advance(optimiser: torch.optim.Optimizer, module: torch.nn.Module, most: float) -> Tensor:
    """A step of a module with gradients clipped to a norm of `most`, or none if that is no finite number; the norm."""
    norm = torch.nn.utils.clip_grad_norm_(module.parameters(), most).detach()
    if norm.isfinite():
        optimiser.step()
    return norm


def augmentation(config: TrainingConfig, others: np.ndarray | None) -> Callable[[Tensor], Tensor]:
    """What training pictures (N, 3, H, W) in [0, 1] go through."""
    things = draw_things(config.seed, others) if config.degraded else None

    def change(pictures: Tensor) -> Tensor:
        pictures = augment(pictures, config.shift, config.zoom, config.degrees, config.colour)
        return pictures if things is None else degrade(pictures, config.degraded, things)

    return change


def batches(
    pictures: np.ndarray, others: np.ndarray | None, config: TrainingConfig, process: Process, seen: int
) -> Iterator[Tensor]:
    """Augmented batches of this process for ever, (N, 3, H, W) in [0, 1]; some of `others`, if there are any."""
    rng = np.random.default_rng([config.seed, process.rank, seen])
    n = max(1, config.batch // process.world)
    change = augmentation(config, others)
    while True:
        order = rng.permutation(len(pictures))
        for start in range(0, max(1, len(order) - n + 1), n):
            chosen = pictures[np.sort(order[start : start + n])]
            if others is not None:
                mixed = np.flatnonzero(rng.random(len(chosen)) < config.others)
                chosen[mixed] = others[rng.integers(len(others), size=len(mixed))]
            batch = torch.from_numpy(chosen).to(process.device).float() / 255
            yield change(batch).contiguous(memory_format=torch.channels_last)


def train(
    run: Run,
    pictures: np.ndarray,
    held_out: np.ndarray,
    folder: Path,
    report: Callable[[StepReport], None],
    minutes: float = 5.0,
    others: np.ndarray | None = None,
) -> bool:
    """Train until the schedule ends or a stop is asked for; True if it ended. Writes checkpoint, grids and log.

    `pictures`, `held_out` and `others`, of other things, are uint8 (N, 3, S, S). Every `minutes` the averaged networks
    are judged on held-out pictures with real rounding.
    """
    keep_freed_memory()
    config, process = run.config, run.process
    torch.manual_seed(config.seed + 1000 * process.rank + run.seen)
    stop = Stop()
    judged = torch.from_numpy(held_out[:HELD_OUT]).float().to(process.device) / 255
    total = int(1000 * config.kimg)
    source = batches(pictures, others, config, process, run.seen)
    started, last_report, seen_at_start, seconds_before = time.monotonic(), time.monotonic(), run.seen, run.seconds
    sums: dict[str, float] = {}
    counts: Counter[str] = Counter()  # of a figure; not every step has all of them
    number = 0

    def means() -> dict[str, float]:
        return {key: value / counts[key] for key, value in sums.items()}

    def judge() -> None:
        run.checkpoint().save(folder)  # first: a run that is told to stop may have little time
        opened = config.open_levels(run.progress, run.arch.levels)
        drawing = [process.device] if process.device.type == "cuda" else []
        with torch.random.fork_rng(drawing):  # training draws on as if nothing had been judged
            averaged = run.averaged()
            figures = evaluate(averaged, judged, opened)
            write_grids(averaged, judged, folder, opened)
        append_log(
            folder,
            {
                "image_size": config.image_size,
                "before": sum(past["seen"] for past in run.before),
                "seen": run.seen,
                "seconds": run.seconds,
                **means(),
                "held_out": [asdict(f) for f in figures],
            },
        )

    with stop.listening():
        while run.seen < total and not asked(stop, process):
            for key, value in run.step(next(source), number).items():
                sums[key] = sums.get(key, 0.0) + float(value)
                counts[key] += 1
            number += 1
            run.seconds = seconds_before + time.monotonic() - started
            if process.first:
                pace = (run.seen - seen_at_start) / (time.monotonic() - started)
                now = means()
                levels = [now[key] for key in sorted(now) if key.startswith("bytes_level")]
                report(StepReport(run.seen, pace, now, levels))
                if time.monotonic() - last_report > 60 * minutes:
                    judge()
                    sums.clear()
                    counts.clear()
                    last_report = time.monotonic()
        if process.first:
            judge()
    return run.seen >= total
