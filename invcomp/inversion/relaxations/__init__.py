"""Relaxations: what stands in for rounding while symbols are searched with gradients. One module each."""

from invcomp.inversion.relaxations.admm import Admm
from invcomp.inversion.relaxations.base import Relaxation
from invcomp.inversion.relaxations.gumbel import GumbelAnnealing
from invcomp.inversion.relaxations.soft_rounding import SoftRounding
from invcomp.inversion.relaxations.uniform_noise import UniformNoise

STRAIGHT_THROUGH = "straight-through"
ANNEALED: dict[str, type[Relaxation]] = {
    "uniform-noise": UniformNoise,
    "soft-rounding": SoftRounding,
    "gumbel": GumbelAnnealing,
    "admm": Admm,
}
"""Relaxations for a part of the steps, after which the search goes on straight through."""
RELAXATIONS = (STRAIGHT_THROUGH, *ANNEALED)
