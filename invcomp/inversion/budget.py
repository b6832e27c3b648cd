"""A budget: a limit on the bits of a picture, kept by adapting what a bit is worth, and at last by force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invcomp.inversion.moves import curvature_scale, flat, like, look, sensitivities

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Search

OVER = 1e3  # objective of what is over its budget, times how many budgets it takes: above any distortion
AIM = 0.99  # share of the budget that gradient steps and moves are drawn to
FIRMNESS = 0.3  # how fast the worth of a bit follows, per step
SHARPEST = 0.05  # largest change of its logarithm in a step
ROUNDS = 64  # of forced moves
MARGIN = 1.02  # more bits than are needed are aimed at, since contexts take some back


def steered(rate_weight: Tensor, bits: Tensor, budget: Tensor) -> Tensor:
    """Lambda (N,) for the next step, when `bits` are used of `budget`."""
    error = (bits / budget - AIM) * FIRMNESS
    return rate_weight * error.clamp(-SHARPEST, SHARPEST).exp()


def shrink(search: Search, symbols: list[Tensor], seed: int) -> list[Tensor]:
    """Symbols [(N, C, H, W)] within the budget: those nearest to zero in cost are moved there, as many as it takes."""
    assert search.budget is not None
    random = torch.Generator(device=search.rate.device).manual_seed(seed)
    state = look(search, symbols)
    sensitivity = flat(sensitivities(search, state.symbols, random))
    for _ in range(ROUNDS):
        excess = (state.bits - search.budget) * MARGIN
        if not (excess > 0).any():
            return state.symbols
        values, towards = flat(state.symbols), -flat(state.symbols).sign()
        tables = search.lengths.tables(state.symbols)
        with torch.no_grad():
            up, down = (
                flat([search.lengths.change(i, s, tables[i], step) for i, s in enumerate(state.symbols)])
                for step in (1, -1)
            )
            saved = -torch.where(towards > 0, up, down)
            damage = towards * flat(state.gradients) + curvature_scale(search, state)[:, None] * sensitivity / 2
            price = torch.where((values != 0) & (saved > 0), damage.clamp(min=0) / saved, torch.inf)
            order = price.argsort(dim=1)
            before = (saved.gather(1, order).clamp(min=0)).cumsum(dim=1) - saved.gather(1, order).clamp(min=0)
            taken = (before < excess[:, None]).gather(1, order.argsort(dim=1)) & price.isfinite()
            step = like(torch.where(taken, towards, 0.0), state.symbols)
        state = look(search, [s + d for s, d in zip(state.symbols, step, strict=True)])
    within = (state.bits <= search.budget).view(-1, 1, 1, 1)
    return [torch.where(within, s, 0.0) for s in state.symbols]
