"""Soft rounding with noise, both annealed, as in C3 (Kim et al. 2023, arXiv 2312.02753, section 3.1) and Cool-chic.

Soft rounding is that of Agustsson and Theis (2020, arXiv 2006.09952, section 4.1). Noise between two of them is drawn
from a Kumaraswamy distribution with its mode in the middle, which widens. It is narrower than in C3, where a network is
fitted along with the symbols and the shapes are 2 to 1.
"""

import math

import torch
from torch import Tensor

from invcomp.inversion.relaxations.base import StandIn

TEMPERATURES = 0.3, 0.1  # at the start and at the end, as in C3
SHAPES = 5.0, 3.0  # of the noise: a of Kumaraswamy's distribution; 1 is uniform


class SoftRounding(StandIn):
    learning_rate = 0.02

    def stand_in(self, values: Tensor, progress: float) -> Tensor:
        temperature, shape = (first + progress * (last - first) for first, last in (TEMPERATURES, SHAPES))
        noise = kumaraswamy(torch.rand(values.shape, generator=self.random, device=values.device), shape) - 0.5
        return soft_round(soft_round(values, temperature) + noise, temperature)


def soft_round(values: Tensor, temperature: float) -> Tensor:
    """Smooth steps, equal to rounding at whole and half numbers: sharp as the temperature falls to 0."""
    middle = values.detach().floor() + 0.5
    return middle + torch.tanh((values - middle) / temperature) / (2 * math.tanh(0.5 / temperature))


def kumaraswamy(uniform: Tensor, a: float) -> Tensor:
    """Uniform numbers in [0, 1) → numbers of Kumaraswamy's distribution with shape `a` >= 1 and its mode at 1/2."""
    b = (2**a * (a - 1) + 1) / a
    return (1 - (1 - uniform) ** (1 / b)) ** (1 / a)
