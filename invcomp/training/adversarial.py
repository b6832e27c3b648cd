"""The losses of the GAN: relativistic pairing with gradient penalties (R3GAN: Huang et al. 2024, arXiv 2501.05441)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from invcomp.priors.critic import Critic


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Scores (N,) of pictures and of their generated partners → loss (N,) that the critic lowers."""
    return F.softplus(fake - real)


def generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The mirror image of `critic_loss`, (N,)."""
    return F.softplus(real - fake)


def gradient_penalty(critic: Critic, pictures: Tensor) -> Tensor:
    """Squared gradient norm (N,) of the score in the picture: R1 on real pictures, R2 on generated ones, fp32."""
    pictures = pictures.detach().float().requires_grad_()
    with torch.autocast(pictures.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(critic(pictures).sum(), pictures, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3))
