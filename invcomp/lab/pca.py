"""PCA as a peer: eigen-images of a training folder, coefficients quantised uniformly and coded with our range coder.

A linear codec of the domain with the same kind of side information as a prior: mean and components are known to both
sides. A generative prior that does not beat it has no story.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save as save_tensors

from invcomp import container
from invcomp.container import Container
from invcomp.entropy import coder, fitting
from invcomp.entropy.coder import Payload
from invcomp.entropy.tables import LevelTables
from invcomp.errors import DataError, PriorError
from invcomp.lab.codecs import Progress, source_hash
from invcomp.priors.reading import MAX_FILE
from invcomp.priors.tensors import parse

FILE = "pca.safetensors"
COMPONENTS = 768
STEPS = tuple(float(2**x) for x in np.arange(11.5, 4.9, -0.5))  # in pixel values, 0 to 255, of unit-length components
DEAD_ZONE = 0.6
"""Share of a step by which a magnitude must exceed a whole number to be rounded up: rate before distortion."""
BOUND = 511
BANK = 256  # tables, at most


@dataclass(frozen=True)
class PcaSetting:
    """A quantisation step."""

    index: int

    def __str__(self) -> str:
        return f"step {STEPS[self.index]:g}"


def quantise(coefficients: NDArray[np.float64], step: float) -> NDArray[np.int32]:
    """Coefficients → symbols, with a dead zone around zero."""
    scaled = coefficients / step
    symbols = np.sign(scaled) * np.floor(np.abs(scaled) + 1 - DEAD_ZONE)
    bounded: NDArray[np.int32] = np.clip(symbols, -BOUND, BOUND).astype(np.int32)
    return bounded


@dataclass(frozen=True)
class PcaCodec:
    """Eigen-images, and integer tables for their coefficients at every step."""

    mean: NDArray[np.float32]
    """(3, S, S), 0 to 255."""
    components: NDArray[np.int8]
    """(K, 3, S, S)"""
    scales: NDArray[np.float32]
    """(K,): a unit-length component is `components * scale`."""
    symbol_tables: LevelTables
    """Rate index = index of the step; (R, K, 1, 1)."""
    pictures: int
    """How many it was fitted to."""

    name = "pca"

    @property
    def note(self) -> str:
        size = len(self.to_bytes()) / 1e6
        return (
            f"{len(self.scales)} eigen-images of {self.pictures} training pictures, {size:.1f} MB on both sides; "
            "files have the header and checksum of invcomp"
        )

    @property
    def side(self) -> int:
        return int(self.mean.shape[-1])

    @property
    def ladders(self) -> list[list[PcaSetting]]:
        return [[PcaSetting(index) for index in range(len(STEPS))]]

    @cached_property
    def _basis(self) -> NDArray[np.float32]:
        flat = self.components.reshape(len(self.components), -1).astype(np.float32)
        basis: NDArray[np.float32] = flat * self.scales[:, None]
        return basis

    @cached_property
    def _id(self) -> bytes:
        return hashlib.sha256(self.to_bytes()).digest()

    def encode(self, images: Sequence[Image.Image], setting: PcaSetting, report: Progress) -> list[bytes]:
        files = []
        for number, image in enumerate(images):
            pixels = np.asarray(image.resize((self.side, self.side), Image.Resampling.LANCZOS), dtype=np.float32)
            centred = pixels.transpose(2, 0, 1) - self.mean
            symbols = quantise(self._basis.astype(np.float64) @ centred.ravel(), STEPS[setting.index])
            payloads = coder.encode([self.symbol_tables], [symbols[:, None, None]], setting.index, [True])
            files.append(
                container.write(*(Container(self._id, setting.index, p.data, p.tail, None, None) for p in payloads))
            )
            report(number + 1)
        return files

    def decode(self, file: bytes, setting: PcaSetting, size: tuple[int, int]) -> Image.Image:
        content = container.read(file, self._id)
        shape = (len(self.scales), 1, 1)
        payload = Payload(content.payload, content.tail)
        (symbols,) = coder.decode([self.symbol_tables], payload, [shape], content.rate, [True])
        values = symbols.ravel() * np.float32(STEPS[content.rate])
        pixels = (values @ self._basis).reshape(self.mean.shape) + self.mean
        image = Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0))
        return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)

    def identity(self) -> str:
        return f"{self._id.hex()} {source_hash('lab/pca.py')}"

    def to_bytes(self) -> bytes:
        """The file of the peer, safetensors."""
        data: bytes = save_tensors(
            {
                "mean": self.mean,
                "components": self.components,
                "scales": self.scales,
                "cumulative": self.symbol_tables.cumulative,
                "index": self.symbol_tables.index,
                "pictures": np.array([self.pictures], dtype=np.int64),
            }
        )
        return data


def fit(pictures: NDArray[np.uint8], components: int = COMPONENTS) -> PcaCodec:
    """Pictures (N, 3, S, S) and their mirror images → the codec; tables are fitted to the same pictures' coefficients.

    At most N / 4 components, since the tables of components that the training set hardly determines would be wrong.
    """
    count, *shape = pictures.shape
    if count < 8:
        raise DataError(f"PCA needs at least 8 pictures, not {count}")
    both = np.concatenate([pictures, pictures[..., ::-1]])
    flat = torch.from_numpy(both.reshape(2 * count, -1)).float()
    mean = flat.mean(dim=0)
    flat -= mean
    torch.manual_seed(0)
    _, _, found = torch.pca_lowrank(flat, q=min(components, max(1, count // 4)), center=False, niter=4)
    basis = found.T.contiguous().numpy()  # (K, D), unit length
    scales = np.abs(basis).max(axis=1) / 127
    stored = np.round(basis / scales[:, None]).astype(np.int8)
    coefficients = (flat @ torch.from_numpy((stored * scales[:, None]).astype(np.float32)).T).numpy().astype(np.float64)
    symbols = (quantise(coefficients, step)[..., None, None] for step in STEPS)
    return PcaCodec(
        mean.numpy().reshape(shape).astype(np.float32),
        stored.reshape(len(stored), *shape),
        scales.astype(np.float32),
        fitting.fit(np.stack([fitting.histogram(s, BOUND, aligned=True) for s in symbols]), bank=BANK),
        count,
    )


def key(pictures: NDArray[np.uint8]) -> str:
    """What stands for a fit to these pictures (N, 3, S, S), in a file's name."""
    settings = repr((pictures.shape, COMPONENTS, STEPS, DEAD_ZONE, BOUND, BANK))
    digest = hashlib.sha256(settings.encode())
    digest.update(np.ascontiguousarray(pictures).data)
    return digest.hexdigest()[:24]


def read(path: Path) -> PcaCodec:
    """The peer's file. Raises `PriorError`."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise ValueError("it is too large")
        _, tensors = parse(path.read_bytes())
        codec = PcaCodec(
            tensors["mean"],
            tensors["components"],
            tensors["scales"],
            LevelTables(tensors["cumulative"], tensors["index"]),
            int(tensors["pictures"][0]),
        )
        if codec.symbol_tables.problem() or codec.symbol_tables.bound != BOUND:
            raise ValueError("its tables are of another kind")
        if codec.components.shape[1:] != codec.mean.shape or len(codec.components) != len(codec.scales):
            raise ValueError("mean, components and scales do not fit each other")
        if len(codec.symbol_tables.index) != len(STEPS):
            raise ValueError("it was fitted to other steps")
    except Exception as error:  # of the file system or the format
        raise PriorError(f"{path} is no PCA file, or damaged: {error}; fit it again") from None
    return codec
