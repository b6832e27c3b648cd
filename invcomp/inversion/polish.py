"""The discrete end of the search: whole moves of single symbols, chosen by what they promise, kept if they pay.

Moving symbol i by d = -1 or +1 changes the objective by about

    g_i d + k h_i / 2 + lambda (L(r_i + d) - L(r_i)),

g the gradient of the distortion, h the squared sensitivity of the picture, L the code length. Each round moves the most
promising symbols of every picture at once. If a picture's objective falls, the moves stay and the next round is
bolder; if not, they are taken back and the next one is more cautious. `k` is learned from how far predictions are off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Search
    from invcomp.inversion.steps import Candidate

PROBES = 4
MOVES, FEWEST_MOVES = 48.0, 3.0  # symbols of a picture moved in the first round, and in the most cautious one
BOLDER, MORE_CAUTIOUS = 1.3, 0.6
BLAME, FORGIVE = 0.4, 1.02  # weight of a symbol whose move did not pay, and its recovery every round
PATIENCE = 20  # rounds without a gain after which a picture has converged


@dataclass
class State:
    """Where a batch stands; everything is by picture, (N, ...)."""

    symbols: list[Tensor]
    gradients: list[Tensor]
    distortion: Tensor
    bits: Tensor
    objective: Tensor

    def take(self, better: Tensor, other: State) -> None:
        """Take over the pictures where `better` (N,) is true."""
        wide = better.view(-1, 1, 1, 1)
        for mine, theirs in ((self.symbols, other.symbols), (self.gradients, other.gradients)):
            mine[:] = [torch.where(wide, b, a) for a, b in zip(mine, theirs, strict=True)]
        self.distortion = torch.where(better, other.distortion, self.distortion)
        self.bits = torch.where(better, other.bits, self.bits)
        self.objective = torch.where(better, other.objective, self.objective)

    def subset(self, rows: Tensor) -> State:
        return State(
            [s[rows] for s in self.symbols],
            [g[rows] for g in self.gradients],
            self.distortion[rows],
            self.bits[rows],
            self.objective[rows],
        )


def polish(search: Search, best: Candidate, rounds: int, seed: int, report: Callable[[int], None]) -> None:
    """Improve the candidates `best` of all pictures of a search in place, for at most `rounds` rounds."""
    random = torch.Generator(device=search.rate.device).manual_seed(seed)
    state = look(search, [s.clone() for s in best.symbols])
    sensitivity = flat(sensitivities(search, state.symbols, random))
    curvature = curvature_scale(search, state)  # k above, (N,)
    moves = torch.full_like(state.objective, MOVES)
    weights = torch.ones_like(sensitivity)
    since_gain = torch.zeros_like(state.objective)
    active = torch.arange(len(state.objective), device=random.device)
    for number in range(rounds):
        promise, direction = predict(search, state, curvature[:, None] * sensitivity / 2)
        draw = torch.rand(promise.shape, generator=random, device=promise.device)
        score = torch.where(promise < 0, promise * weights * (0.3 + draw), torch.inf)
        rank = score.argsort(dim=1).argsort(dim=1)
        taken = (rank < moves.round()[:, None]) & (promise < 0)
        step = like(torch.where(taken, direction, 0.0), state.symbols)
        tried = look(search, [s + d for s, d in zip(state.symbols, step, strict=True)])

        linear = (flat(step) * flat(state.gradients)).sum(dim=1)
        bend = (taken * sensitivity).sum(dim=1) / 2
        observed = (tried.distortion - state.distortion - linear) / bend.clamp(min=1e-12)
        learned = 0.9 * curvature + 0.1 * observed.clamp(curvature / 5, curvature * 5)
        curvature = torch.where(taken.any(dim=1), learned, 0.8 * curvature)

        better = tried.objective < state.objective
        state.take(better, tried)
        weights = torch.where(taken & ~better[:, None], weights * BLAME, (weights * FORGIVE).clamp(max=1))
        moves = (moves * torch.where(better, BOLDER, MORE_CAUTIOUS)).clamp(min=FEWEST_MOVES)
        since_gain = torch.where(better, 0.0, since_gain + 1)
        report(number + 1)

        done = since_gain >= PATIENCE
        if number + 1 == rounds:
            done = torch.ones_like(done)
        if done.any():
            store(best, state.subset(done.nonzero().flatten()), active[done])
            going = (~done).nonzero().flatten()
            if not len(going):
                break
            search, state, active = search.subset(going), state.subset(going), active[going]
            sensitivity, weights = sensitivity[going], weights[going]
            curvature, moves, since_gain = curvature[going], moves[going], since_gain[going]


def look(search: Search, symbols: list[Tensor]) -> State:
    """Distortion with its gradient, bits and objective of whole symbols."""
    leaves = [s.detach().requires_grad_() for s in symbols]
    distortion = search.distortion(leaves)
    gradients = list(torch.autograd.grad(distortion.sum(), leaves))
    with torch.no_grad():
        bits = search.bits(symbols)
    distortion = distortion.detach()
    return State(symbols, gradients, distortion, bits, search.rate_weight * bits + distortion)


@torch.no_grad()
def predict(search: Search, state: State, bend: Tensor) -> tuple[Tensor, Tensor]:
    """The predicted change of the objective by the better move of every symbol, and its direction; (N, symbols)."""
    weight = search.rate_weight.view(-1, 1, 1, 1)
    tables = search.lengths.tables(state.symbols)
    promises, directions = [], []
    for level, (symbols, gradient) in enumerate(zip(state.symbols, state.gradients, strict=True)):
        up = gradient + weight * search.lengths.change(level, symbols, tables[level], 1)
        down = weight * search.lengths.change(level, symbols, tables[level], -1) - gradient
        promises.append(torch.minimum(up, down))
        directions.append(torch.where(up < down, 1.0, -1.0))
    return flat(promises) + bend, flat(directions)


def sensitivities(search: Search, symbols: list[Tensor], random: torch.Generator) -> list[Tensor]:
    """Squared sensitivity of the picture to every symbol, the diagonal of J^T J; [(N, C, H, W)].

    Estimated with random probes (Hutchinson), half of it averaged over the channel, half over 3 x 3 neighbours.
    """
    leaves = [s.detach().requires_grad_() for s in symbols]
    picture = search.generator(leaves, search.rate)
    squares = [torch.zeros_like(s) for s in symbols]
    for probe in range(PROBES):
        noise = torch.randn(picture.shape, generator=random, device=picture.device)
        gradients = torch.autograd.grad((picture * noise).sum(), leaves, retain_graph=probe < PROBES - 1)
        for total, gradient in zip(squares, gradients, strict=True):
            total += gradient.square() / PROBES
    near = [F.avg_pool2d(s, 3, stride=1, padding=1, count_include_pad=False) for s in squares]
    return [(n + s.mean(dim=(2, 3), keepdim=True)) / 2 for n, s in zip(near, squares, strict=True)]


@torch.no_grad()
def curvature_scale(search: Search, state: State) -> Tensor:
    """A first guess of k, (N,): the distortion taken as a multiple of the mean squared error."""
    picture = search.generator(state.symbols, search.rate)
    error = (picture - search.pictures).square().mean(dim=(1, 2, 3)).clamp(min=1e-9)
    scale: Tensor = 2 * state.distortion / error / picture[0].numel()
    return scale


def store(best: Candidate, state: State, rows: Tensor) -> None:
    """Write finished pictures back where they are better than what was there."""
    better = state.objective < best.objective[rows]
    rows, state = rows[better], state.subset(better.nonzero().flatten())
    for level, symbols in enumerate(state.symbols):
        best.symbols[level][rows] = symbols
    best.bits[rows], best.distortion[rows], best.objective[rows] = state.bits, state.distortion, state.objective


def flat(levels: list[Tensor]) -> Tensor:
    """[(N, C, H, W)] → (N, symbols of all levels)."""
    return torch.cat([level.flatten(1) for level in levels], dim=1)


def like(values: Tensor, levels: list[Tensor]) -> list[Tensor]:
    """(N, symbols of all levels) → [(N, C, H, W)]."""
    parts = torch.split(values, [level[0].numel() for level in levels], dim=1)
    return [part.view_as(level) for part, level in zip(parts, levels, strict=True)]
