"""Stochastic Gumbel annealing: symbols fall to a neighbour by chance (Yang, Bamler, Mandt 2020, arXiv 2006.04240, 3.1).

The chance of going down rises with the nearness of the lower neighbour, and all the faster the lower the temperature;
a draw is a Gumbel-softmax sample, so that it has a gradient.
"""

import torch
from torch import Tensor

from invcomp.inversion.relaxations.base import StandIn

TEMPERATURES = 0.5, 0.1  # at the start, which is kept for a third of the steps, and at the end
KEPT = 0.35
EDGE = 1e-3  # distances to a neighbour are kept this far from 1, where the chance of going there has no logarithm


class GumbelAnnealing(StandIn):
    def stand_in(self, values: Tensor, progress: float) -> Tensor:
        first, last = TEMPERATURES
        temperature = first * (last / first) ** (max(0.0, progress - KEPT) / (1 - KEPT))
        floor = values.detach().floor()
        up = values - floor  # distance to the lower neighbour
        up = up + (up.detach().clamp(EDGE, 1 - EDGE) - up.detach())  # whole symbols have a gradient too
        logit = (torch.atanh(up) - torch.atanh(1 - up)) / temperature  # of going up
        uniform = torch.rand(values.shape, generator=self.random, device=values.device).clamp(1e-6, 1 - 1e-6)
        return floor + torch.sigmoid((logit + torch.logit(uniform)) / temperature)
