"""The discrete end of the search: whole moves of single symbols, chosen by what they promise, kept if they pay.

Each round moves the most promising symbols of every picture at once (`moves.py`). If a picture's objective falls, the
moves stay and the next round is bolder; if not, they are taken back and the next one is more cautious. How far
predictions are off is learned.

Under a promise no round may break what is kept, and lambda follows from what is reached (`promises.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invcomp.inversion.moves import curvature_scale, flat, like, look, predict, sensitivities
from invcomp.inversion.promises import FIRMLY
from invcomp.inversion.steps import Candidate, keep

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Search

MOVES, FEWEST_MOVES = 48.0, 3.0  # symbols of a picture moved in the first round, and in the most cautious one
SETTLING_MOVES, SETTLING_PATIENCE = 1.0, 60  # of the most cautious round, and rounds without a gain, till none improves
BOLDER, MORE_CAUTIOUS = 1.3, 0.6
BLAME, FORGIVE = 0.4, 1.02  # weight of a symbol whose move did not pay, and its recovery every round
PATIENCE = 20  # rounds without a gain after which a picture has converged


def polish(
    search: Search, best: Candidate, rounds: int, seed: int, report: Callable[[int], None], settle: bool = False
) -> None:
    """Improve the candidates `best` of all pictures of a search in place, for at most `rounds` rounds.

    `settle`: pictures are given up later, when single moves too have failed for long.
    """
    if not rounds:
        return
    random = torch.Generator(device=search.rate.device).manual_seed(seed)
    state = look(search, [s.clone() for s in best.symbols])
    sensitivity = flat(sensitivities(search, state.symbols, random))
    curvature = curvature_scale(search, state)  # k of `moves.py`, (N,)
    moves = torch.full_like(state.bits, MOVES)
    weights = torch.ones_like(sensitivity)
    since_gain = torch.zeros_like(state.bits)
    active = torch.arange(len(state.bits), device=random.device)
    fewest, patience = (SETTLING_MOVES, SETTLING_PATIENCE) if settle else (FEWEST_MOVES, PATIENCE)
    for number in range(rounds):
        promise, move, change = predict(search, state, curvature[:, None] * sensitivity / 2)
        draw = torch.rand(promise.shape, generator=random, device=promise.device)
        score = torch.where(promise < 0, promise * weights * (0.3 + draw), torch.inf)
        order = score.argsort(dim=1)
        rank = order.argsort(dim=1)
        taken = (rank < moves.round()[:, None]) & (promise < 0)
        if search.promise is not None:
            taken &= affordable(torch.where(taken, change, 0.0), order, rank, search.promise.room(state.bits))
        moved = torch.where(taken, move, 0.0)
        step = like(moved, state.symbols)
        tried = look(search, [s + d for s, d in zip(state.symbols, step, strict=True)])

        linear = (moved * flat(state.gradients)).sum(dim=1)
        bend = (moved.square() * sensitivity).sum(dim=1) / 2
        observed = (tried.distortion - state.distortion - linear) / bend.clamp(min=1e-12)
        learned = 0.9 * curvature + 0.1 * observed.clamp(curvature / 5, curvature * 5)
        curvature = torch.where(taken.any(dim=1), learned, 0.8 * curvature)

        better = search.rate_weight * (tried.bits - state.bits) + tried.distortion < state.distortion
        if search.promise is not None:
            kept, was = (search.promise.kept(s.bits, s.distortion) for s in (tried, state))
            better &= kept | ~was
        state.take(better, tried)
        keep(best, search.candidate(state.symbols, state.bits, state.distortion), active)
        search.steer(state.bits, state.distortion, FIRMLY)
        weights = torch.where(taken & ~better[:, None], weights * BLAME, (weights * FORGIVE).clamp(max=1))
        moves = (moves * torch.where(better, BOLDER, MORE_CAUTIOUS)).clamp(min=fewest)
        since_gain = torch.where(better, 0.0, since_gain + 1)
        report(number + 1)

        going = (since_gain < patience).nonzero().flatten()
        if not len(going):
            return
        if len(going) < len(active):
            search, state, active = search.subset(going), state.subset(going), active[going]
            sensitivity, weights = sensitivity[going], weights[going]
            curvature, moves, since_gain = curvature[going], moves[going], since_gain[going]


def affordable(change: Tensor, order: Tensor, rank: Tensor, room: Tensor) -> Tensor:
    """Of moves that change the bits by `change` (N, symbols), those that the bits left, `room` (N,), allow: such that
    save bits, and others while the sum in `order` stays within."""
    total = change.gather(1, order).cumsum(dim=1).gather(1, rank)
    return (change <= 0) | (total <= room[:, None])
