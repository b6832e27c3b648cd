"""The schedule of a training run."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

AUGMENTATIONS: dict[str, dict[str, float]] = {
    "plain": {},
    "photographs": {"shift": 0.06, "zoom": 0.12, "degrees": 10.0, "colour": 0.2, "degraded": 0.12},
}
"""What training pictures go through: as in the schedule below, or wide enough for photographs from drawn pictures."""
CONTINUED: dict[str, float] = {"opening": 0.05, "rate_warmup": 0.0, "adversarial_start": 0.5, "rounding_start": 0.0}
"""The schedule of a run that takes over the networks of another."""


@dataclass(frozen=True)
class TrainingConfig:
    """All that a run depends on besides its pictures. Shares are of the whole run, weights multiply losses."""

    image_size: int = 64
    """Side of the training pictures in pixels; of the crops, for a prior of free size."""
    free_size: bool = False
    preset: str = "small"
    kimg: float = 800.0
    """Length of the run in thousands of pictures."""
    batch: int = 32
    """Pictures a step, over all processes."""
    seed: int = 0

    lambda_low: float = 3e-6
    """Rate weight (distortion per bit) at the last rate index: the largest files."""
    lambda_high: float = 2e-3
    """Rate weight at rate index 0: the smallest files."""
    distortion: str = "100*mse + 1*lpips-squeeze"
    opened: int = 1
    """Levels in use from the start."""
    opening: float = 0.15
    """Share of the run over which the other levels open, coarse to fine. Opened all at once, the finest level takes all
    bits before the coarse ones have learned to use theirs, and they stay empty."""
    rate_warmup: float = 0.1
    """Share of the run over which lambda rises to its full value."""
    adversarial_weight: float = 0.05
    adversarial_start: float = 0.35
    """Share of the run after which the critic joins in."""
    pure_gan: bool = False
    """The ablation: no encoder, no distortion; the generator learns from prior samples and the critic alone."""
    rounding_start: float = 0.25
    """Share of the run after which half of the pictures see rounding in place of uniform noise."""
    r1_weight: float = 0.5
    r1_every: int = 8

    learning_rate: float = 6e-4
    critic_learning_rate: float = 3e-4
    density_learning_rate_factor: float = 25.0
    """Scales of densities need far larger steps than weights, or the rate does not fall."""
    warmup: float = 0.01
    """Share of the run over which the learning rates rise."""
    gradient_clip: float = 5.0
    ema_kimg: float = 4.0
    """Half-life of the averaged weights, in thousands of pictures."""

    shift: float = 0.04
    zoom: float = 0.06
    degrees: float = 5.0
    colour: float = 0.15
    degraded: float = 0.0
    """Share of the pictures with something in front; likewise of blurred, noisy, grey ones and JPEGs, by themselves."""
    others: float = 0.0
    """Share of the pictures that show other things."""
    critic_augmentation: bool = False

    def log_lambda(self, share: float) -> float:
        """log of lambda at `share` of the way from the first to the last rate index."""
        return (1 - share) * math.log(self.lambda_high) + share * math.log(self.lambda_low)

    def lambdas(self, rates: int) -> list[float]:
        """Lambda at every rate index."""
        return [math.exp(self.log_lambda(index / (rates - 1))) for index in range(rates)]

    def open_levels(self, progress: float, levels: int) -> int:
        """How many levels, from the coarsest, are in use."""
        more = levels - self.opened
        return min(levels, self.opened + int(progress / self.opening * more)) if self.opening else levels

    def rate_share(self, progress: float) -> float:
        """Lambda as a share of its full value."""
        return min(1.0, 0.05 + progress / self.rate_warmup) if self.rate_warmup else 1.0

    def learning_rate_factor(self, progress: float) -> float:
        """Learning rates as a share of their peak: a linear rise, a plateau, a cosine fall over the last 60 %."""
        rise = min(1.0, progress / self.warmup) if self.warmup else 1.0
        fall = max(0.0, (progress - 0.4) / 0.6)
        return rise * max(0.01, 0.5 * (1 + math.cos(math.pi * min(1.0, fall))))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**data)
