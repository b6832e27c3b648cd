"""How a search runs: everything that it is told, and presets by name."""

from dataclasses import dataclass, replace

from invcomp.errors import UsageError
from invcomp.inversion.relaxations import RELAXATIONS, STRAIGHT_THROUGH


@dataclass(frozen=True)
class Schedule:
    """Gradient steps under a relaxation and straight through, then rounds of whole moves (`polish.py`).

    `steps` is the most of all together. A picture whose best candidate no longer improves goes back to it and takes
    smaller steps; when they have become too small to matter it has converged. Learning rates are in symbols a step
    for a symbol whose gradient is the level's RMS.
    """

    steps: int = 500
    relaxation: str = "soft-rounding"
    far: bool = False
    """Whether the start lies far from the picture (`approach.py`), so that what follows does not apply."""
    levels: int | None = None
    """How many of the coarsest levels are used; None is all."""
    relaxed_share: float = 0.8
    """Share of the gradient steps under the relaxation, if it is not straight-through, which the others are."""
    polish_share: float = 0.2
    """Share of the steps that is kept for whole moves."""
    settle: bool = False
    """Whether whole moves go on, beyond the steps, until none improves."""
    learning_rate: float = 0.01
    """Straight through; each relaxation has its own."""
    judge_every: int = 10
    """Steps under a relaxation between judging rounded candidates."""
    patience: int = 20
    """Steps without improvement after which a picture's steps are halved."""
    improvement: float = 5e-4
    """What counts as one, as a share of the objective."""
    smallest: float = 0.2
    """Share of the learning rate below which a picture has converged."""
    seed: int = 0

    @property
    def gradient_steps(self) -> int:
        return self.steps - int(self.polish_share * self.steps)

    @property
    def relaxed_steps(self) -> int:
        return 0 if self.relaxation == STRAIGHT_THROUGH else int(self.relaxed_share * self.gradient_steps)


SCHEDULES = {
    "fast": Schedule(steps=100),
    "default": Schedule(),
    "best": Schedule(steps=1500, settle=True),
}
"""Presets by name."""


def find_schedule(name: str) -> Schedule:
    """A preset. Raises `UsageError`."""
    if name not in SCHEDULES:
        raise UsageError(f"there is no schedule {name!r}; the schedules are {', '.join(SCHEDULES)}")
    return SCHEDULES[name]


def polished(schedule: Schedule, polish: bool | None) -> Schedule:
    """A schedule whose whole moves go on until none improves (True), or that has none (False)."""
    if polish is None:
        return replace(schedule, settle=schedule.settle and schedule.steps > 0)  # no steps: the start alone
    return replace(schedule, settle=True) if polish else replace(schedule, settle=False, polish_share=0.0)


def check(schedule: Schedule) -> None:
    """Raises `UsageError` for a schedule that cannot be run."""
    if schedule.steps < 0:
        raise UsageError(f"the number of steps is 0 or more, not {schedule.steps}")
    if schedule.relaxation not in RELAXATIONS:
        raise UsageError(
            f"there is no relaxation {schedule.relaxation!r}; the relaxations are {', '.join(RELAXATIONS)}"
        )
