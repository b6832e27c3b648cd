"""Priors that nobody trained: real files of a real layout, made in a moment, for tests of what reads them."""

from pathlib import Path

import numpy as np
import torch

from invcomp.entropy.contexts import PLACES, Context
from invcomp.entropy.tables import LevelTables, integer_frequencies
from invcomp.priors.architecture import Architecture
from invcomp.priors.critic import Critic
from invcomp.priors.encoder import Encoder
from invcomp.priors.files import CRITIC, ENCODER, write_networks
from invcomp.priors.generator import Generator
from invcomp.priors.info import CARD, PriorInfo
from invcomp.priors.reading import GENERATOR
from invcomp.writing import write_whole

RATES, BOUND, CLASSES = 4, 9, 3
FIXED = Architecture(32, (16, 8, 8), (4, 3, 2), 8, (8, 8, 8), (8, 8, 8), RATES)
FREE = Architecture(None, (8, 8), (3, 2), 8, (8, 8), (8, 8), RATES)


def untrained(folder: Path, arch: Architecture, contexts: bool = True) -> Path:
    """A prior in a folder that is made; its tables are random, but tell 0 from large symbols."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    tables, above = [], 0
    for channels, height, width in arch.table_shapes():
        context = context_of(rng, channels, above) if contexts else None
        count = CLASSES * (context.bins[0] * context.bins[1] if context else 1)
        weights = np.exp(-np.abs(np.arange(-BOUND, BOUND + 1)) * rng.uniform(0.5, 2, size=(count, 1)))
        index = rng.integers(0, CLASSES, size=(RATES, channels, height, width), dtype=np.uint8)
        tables.append(LevelTables(integer_frequencies(weights), index, context))
        above = channels
    generator = Generator(arch)
    hashes = write_networks(folder, generator, tuple(tables), {ENCODER: Encoder(arch), CRITIC: Critic(arch)}, {})
    steps = [0.1 * 2.0**-rate for rate in range(RATES)]
    rising = [40.0 * 2**rate for rate in range(RATES)]
    info = PriorInfo(
        folder.name, hashes[GENERATOR], "noise", "none", tuple(steps), "mse", {"mse": steps}, rising, hashes
    )
    write_whole(folder / CARD, info.to_json().encode())
    return folder


def context_of(rng: np.random.Generator, channels: int, above: int) -> Context:
    """A random rule that looks only at what is decoded already."""
    activity = rng.integers(0, 5, size=(channels, PLACES, channels)).astype(np.int16)
    lean = rng.integers(-3, 4, size=(channels, PLACES, channels)).astype(np.int16)
    for weights in (activity[:, 0], lean[:, 0]):
        weights[:] = np.tril(weights, -1)
    return Context(
        rng.integers(-20, 40, size=(CLASSES, 2 * BOUND + 1)).astype(np.int8),
        rng.integers(1, 9, size=CLASSES).astype(np.uint8),
        activity,
        rng.integers(0, 5, size=(channels, above)).astype(np.int16),
        lean,
        np.array([-40, 40, 160], dtype=np.int32),
        np.array([-30, 30], dtype=np.int32),
    )
