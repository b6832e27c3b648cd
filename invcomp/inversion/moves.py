"""Whole moves of single symbols: what they promise, and where a batch stands.

Moving symbol i by d, which is -1, +1, or what brings it to zero, changes the objective by about

    g_i d + k h_i d^2 / 2 + lambda (L(r_i + d) - L(r_i)),

g the gradient of the distortion, h the squared sensitivity of the picture, L the code length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from invcomp.inversion.optimise import Search

PROBES = 4


@dataclass
class State:
    """Where a batch stands; everything is by picture, (N, ...)."""

    symbols: list[Tensor]
    gradients: list[Tensor]
    distortion: Tensor
    bits: Tensor

    def take(self, better: Tensor, other: State) -> None:
        """Take over the pictures where `better` (N,) is true."""
        wide = better.view(-1, 1, 1, 1)
        for mine, theirs in ((self.symbols, other.symbols), (self.gradients, other.gradients)):
            mine[:] = [torch.where(wide, b, a) for a, b in zip(mine, theirs, strict=True)]
        self.distortion = torch.where(better, other.distortion, self.distortion)
        self.bits = torch.where(better, other.bits, self.bits)

    def subset(self, rows: Tensor) -> State:
        return State(
            [s[rows] for s in self.symbols],
            [g[rows] for g in self.gradients],
            self.distortion[rows],
            self.bits[rows],
        )


def look(search: Search, symbols: list[Tensor]) -> State:
    """Distortion with its gradient, and bits, of whole symbols."""
    leaves = [s.detach().requires_grad_() for s in symbols]
    distortion = search.distortion(leaves)
    gradients = list(torch.autograd.grad(distortion.sum(), leaves))
    with torch.no_grad():
        bits = search.lengths.total(symbols)
    return State(symbols, gradients, distortion.detach(), bits)


@torch.no_grad()
def predict(search: Search, state: State, bend: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The predicted change of the objective by the best move of every symbol, the move, and its bits; (N, symbols).

    `bend` is k h / 2.
    """
    weight = search.rate_weight.view(-1, 1, 1, 1)
    tables = search.lengths.tables(state.symbols)
    promises: list[Tensor] = []
    moves: list[Tensor] = []
    bits: list[Tensor] = []
    pairs = zip(state.symbols, state.gradients, like(bend, state.symbols), strict=True)
    for level, (symbols, gradient, bent) in enumerate(pairs):
        found = []
        for move in (torch.ones_like(symbols), -torch.ones_like(symbols), -symbols):
            change = search.lengths.change(level, symbols, tables[level], move)
            promise = gradient * move + bent * move.square() + weight * change
            found.append((torch.where(move == 0, torch.inf, promise), move, change))
        columns = [torch.stack(column) for column in zip(*found, strict=True)]
        best = columns[0].argmin(0, keepdim=True)
        for column, kept in zip(columns, (promises, moves, bits), strict=True):
            kept.append(column.gather(0, best)[0])
    return flat(promises), flat(moves), flat(bits)


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


def flat(levels: list[Tensor]) -> Tensor:
    """[(N, C, H, W)] → (N, symbols of all levels)."""
    return torch.cat([level.flatten(1) for level in levels], dim=1)


def like(values: Tensor, levels: list[Tensor]) -> list[Tensor]:
    """(N, symbols of all levels) → [(N, C, H, W)]."""
    parts = torch.split(values, [level[0].numel() for level in levels], dim=1)
    return [part.view_as(level) for part, level in zip(parts, levels, strict=True)]
