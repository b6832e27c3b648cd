"""One training step: the generator side (encoder, generator, densities) and the critic, in turn."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invcomp.inversion.losses import Loss
from invcomp.priors.architecture import Architecture
from invcomp.priors.critic import Critic
from invcomp.priors.encoder import Encoder
from invcomp.priors.generator import Generator
from invcomp.training.adversarial import critic_loss, generator_loss, gradient_penalty
from invcomp.training.augment import augment_for_critic
from invcomp.training.config import TrainingConfig
from invcomp.training.density import Density

BALANCE = 0.35
"""Power of lambda by which losses are divided. With 0.5 the last rate index of a trained prior pulls twice as hard as
the first; this leans to small files."""


class Networks(nn.Module):
    """All that is trained. `coding` is what compression needs and what is averaged over time."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.coding = nn.ModuleDict({"generator": Generator(arch), "encoder": Encoder(arch), "density": Density(arch)})
        self.critic = Critic(arch)

    @property
    def generator(self) -> Generator:
        return self.coding["generator"]  # type: ignore[return-value]

    @property
    def encoder(self) -> Encoder:
        return self.coding["encoder"]  # type: ignore[return-value]

    @property
    def density(self) -> Density:
        return self.coding["density"]  # type: ignore[return-value]


@dataclass
class Distortion:
    """Pixel terms, and terms of the face alone, on every picture; network terms of the whole picture on one random crop
    of half of a batch: an unbiased and cheaper estimate."""

    whole: Loss
    cropped: Loss
    crop: int
    pictures: int

    def __call__(self, pictures: Tensor, target: Tensor) -> Tensor:
        """Distances (N,) of pictures and targets (N, 3, H, W) in [0, 1]."""
        total = self.whole.distance(pictures, self.whole.reference(target))
        if self.cropped.parts:
            pictures, target, count = pictures[: self.pictures], target[: self.pictures], len(target)
            top, left = (int(torch.randint(0, side - self.crop + 1, ())) for side in target.shape[2:])
            window = (..., slice(top, top + self.crop), slice(left, left + self.crop))
            found = self.cropped.distance(pictures[window], self.cropped.reference(target[window]))
            total = total + F.pad(found, (0, count - len(found))) * count / len(found)
        return total


def quantise(hard: Tensor, opened: int, level: int, residual: Tensor) -> Tensor:
    """Straight-through rounding where `hard` (N, 1, 1, 1) is set, uniform noise elsewhere; zero in unopened levels."""
    if level >= opened:
        return torch.zeros_like(residual)
    noisy = residual + torch.rand_like(residual) - 0.5
    rounded = residual + (residual.round() - residual).detach()
    return torch.where(hard, rounded, noisy)


def cut_and_sample(networks: Networks, residuals: list[Tensor], rate: Tensor) -> Tensor:
    """Pictures whose levels before a random cut are the given ones, and whose finer levels are drawn from the prior."""
    cut = torch.randint(0, len(residuals), (len(rate), 1, 1, 1), device=rate.device)
    mixed = [
        torch.where(cut > level, residual.detach().round(), networks.density.sample(level, residual, rate).detach())
        for level, residual in enumerate(residuals)
    ]
    return networks.generator(mixed, rate)  # type: ignore[no-any-return]


@dataclass
class StepResult:
    """Losses of the generator side, and the pairs of real and generated pictures that the critic is shown."""

    loss: Tensor
    pairs: tuple[Tensor, Tensor] | None
    figures: dict[str, Tensor]


def generator_step(
    networks: Networks, distortion: Distortion, config: TrainingConfig, pictures: Tensor, progress: float
) -> StepResult:
    """Loss = lambda * bits + distortion + adversarial, at a rate drawn for each picture."""
    arch, n, device = networks.generator.arch, len(pictures), pictures.device
    rate = torch.rand(n, device=device) * (arch.rates - 1)
    share = rate / (arch.rates - 1)
    log_lambda = config.log_lambda(0.0) + share * (config.log_lambda(1.0) - config.log_lambda(0.0))
    rate_weight = log_lambda.exp() * config.rate_share(progress)
    adversarial = config.pure_gan or (config.adversarial_weight > 0 and progress >= config.adversarial_start)

    if config.pure_gan:
        shapes = arch.latent_shapes(*pictures.shape[2:])
        drawn = [networks.density.sample(i, pictures.new_zeros(n, *s), rate) for i, s in enumerate(shapes)]
        fakes, reals = networks.generator(drawn, rate), pictures
        loss, figures = torch.zeros((), device=device), {}
    else:
        opened = config.open_levels(progress, arch.levels)
        hard = torch.rand(n, 1, 1, 1, device=device) < (0.5 if progress >= config.rounding_start else 0.0)
        residuals, decoded = networks.encoder(pictures, networks.generator, rate, partial(quantise, hard, opened))
        bits = [
            networks.density.bits(level, residual + torch.rand_like(residual) - 0.5, rate)
            for level, residual in enumerate(residuals[:opened])
        ]
        distances = distortion(decoded, pictures)
        # low lambdas have small losses: the weight lets every rate pull about equally
        balance = (config.log_lambda(0.5) - log_lambda).mul(BALANCE).exp()
        loss = (balance * (rate_weight * torch.stack(bits).sum(dim=0) + distances)).mean()
        figures = {"distortion": distances.mean().detach(), "bytes": torch.stack(bits).sum(dim=0).mean().detach() / 8}
        figures |= {f"bytes_level{level}": b.mean().detach() / 8 for level, b in enumerate(bits)}
        fakes, reals = decoded, pictures
        if adversarial:  # a quarter of the batch as decoded, the same quarter with random cuts
            part = slice(0, max(1, n // 4))
            cut = cut_and_sample(networks, [r[part] for r in residuals], rate[part])
            fakes, reals = torch.cat([decoded[part], cut]), torch.cat([pictures[part], pictures[part]])
    if not adversarial:
        return StepResult(loss, None, figures)
    shown = augment_for_critic(reals, fakes) if config.critic_augmentation else (reals, fakes)
    with torch.no_grad():
        real_scores = networks.critic(shown[0])
    adversarial_loss = generator_loss(real_scores, networks.critic(shown[1])).mean()
    weight = 1.0 if config.pure_gan else config.adversarial_weight
    figures["adversarial"] = adversarial_loss.detach()
    return StepResult(loss + weight * adversarial_loss, (shown[0].detach(), shown[1].detach()), figures)


def critic_step(
    networks: Networks, config: TrainingConfig, pairs: tuple[Tensor, Tensor], step: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """The relativistic loss of the critic; every `r1_every` steps with R1 and R2 on a part of the batch."""
    real, fake = pairs
    real_scores, fake_scores = networks.critic(real), networks.critic(fake)
    loss = critic_loss(real_scores, fake_scores).mean()
    figures = {"critic": loss.detach(), "margin": (real_scores - fake_scores).mean().detach()}
    if step % config.r1_every == 0:
        part = slice(0, max(1, len(real) // 3))
        penalty = gradient_penalty(networks.critic, real[part]) + gradient_penalty(networks.critic, fake[part])
        loss = loss + config.r1_weight / 2 * config.r1_every * penalty.mean()
        figures["penalty"] = penalty.mean().detach()
    return loss, figures
