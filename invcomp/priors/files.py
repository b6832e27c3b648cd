"""A prior on disk: safetensors and JSON, never pickle.

generator.safetensors   weights (fp16 stored, fp32 computed), integer tables, architecture: all that decoding needs
encoder.safetensors     for compression; an imported prior has none
critic.safetensors      for compression with the `critic` term; an imported prior has none
mapping.safetensors     for samples of an imported prior
lpips-NET.safetensors   for compression with that LPIPS term, if the prior was trained with it
prior.json              name, domain, licence, lambdas, calibration, provenance, hashes of the files
README.md, samples.png  the model card
"""

import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from invcomp.entropy.contexts import Context
from invcomp.entropy.tables import LevelTables
from invcomp.errors import PriorError
from invcomp.exact import exact
from invcomp.priors.architecture import Architecture
from invcomp.priors.critic import Critic
from invcomp.priors.encoder import Encoder
from invcomp.priors.generator import Generator
from invcomp.priors.info import CARD, MAX_HEADER, PriorInfo, read_info
from invcomp.priors.lpips import LpipsNetwork, restored, stored
from invcomp.priors.portraits.generator import PortraitArchitecture, PortraitGenerator
from invcomp.priors.portraits.mobile_stylegan import MappingNetwork
from invcomp.writing import write_whole

GENERATOR, ENCODER, CRITIC = "generator.safetensors", "encoder.safetensors", "critic.safetensors"
MAPPING = "mapping.safetensors"
AnyArchitecture = Architecture | PortraitArchitecture
AnyGenerator = Generator | PortraitGenerator
CONTEXT = [field.name for field in fields(Context)]
MAX_FILE = 1 << 30
Network = TypeVar("Network", bound=nn.Module)
Outline = TypeVar("Outline")


@dataclass(frozen=True)
class Prior:
    """A prior in a folder; encoder, critic and mapping are read when they are first needed, None if it has none."""

    folder: Path
    info: PriorInfo
    arch: AnyArchitecture
    tables: tuple[LevelTables, ...]
    generator: AnyGenerator
    device: torch.device

    @cached_property
    def encoder(self) -> Encoder | None:
        return self._network(ENCODER, Encoder, self.arch) if isinstance(self.arch, Architecture) else None

    @cached_property
    def critic(self) -> Critic | None:
        return self._network(CRITIC, Critic, self.arch) if isinstance(self.arch, Architecture) else None

    @cached_property
    def mapping(self) -> MappingNetwork | None:
        """z → W, for samples of an imported prior."""
        if not isinstance(self.arch, PortraitArchitecture):
            return None
        return self._network(MAPPING, MappingNetwork, self.arch.style_size)

    def lpips(self, net: str) -> LpipsNetwork | None:
        """The LPIPS network that the prior carries for a backbone, if it does."""
        path = self.folder / lpips_file(net)
        if path.name not in self.info.files:
            return None
        _, tensors = read_tensors(path, self.info.files[path.name])
        try:
            with exact():
                return restored(net, tensors)
        except (KeyError, RuntimeError):
            raise PriorError(f"{path} does not hold the weights of lpips-{net}; get the prior again") from None

    def _network(self, file: str, kind: Callable[[Outline], Network], outline: Outline) -> Network:
        _, tensors = read_tensors(self.folder / file, self.info.files.get(file))
        with exact():
            return fill(kind(outline), tensors, self.folder / file).to(self.device)


def load_prior(folder: Path, device: torch.device | None = None) -> Prior:
    """Read and check a prior; its networks are in evaluation mode, fp32, frozen. Raises `PriorError`."""
    device = device or torch.device("cpu")
    info = read_info(folder)
    path = folder / GENERATOR
    metadata, tensors = read_tensors(path, info.id)
    try:
        arch = read_architecture(json.loads(metadata["architecture"]))
    except (KeyError, ValueError, TypeError) as error:
        raise PriorError(f"{path} is damaged: its architecture cannot be read ({error}); get the prior again") from None
    tables = read_tables(tensors, arch, path)
    if len(info.lambdas) != arch.rates or len(info.rate_bytes) != arch.rates:
        raise PriorError(f"{folder / CARD} is damaged: it does not have {arch.rates} rates; get the prior again")
    weights = {name: value for name, value in tensors.items() if not name.startswith("tables.")}
    with torch.device("meta"):
        outline = outlined(arch)
    check_shapes(outline, weights, path)  # before anything large is allocated
    with exact():
        generator = fill(outlined(arch), weights, path)
    return Prior(folder, info, arch, tables, generator.to(device), device)


def read_architecture(data: dict[str, Any]) -> AnyArchitecture:
    """The architecture of a trained prior, or of an imported one."""
    return PortraitArchitecture.from_json(data) if "heads" in data else Architecture.from_json(data)


def outlined(arch: AnyArchitecture) -> AnyGenerator:
    """The generator of an architecture, its weights yet to be filled."""
    return Generator(arch) if isinstance(arch, Architecture) else PortraitGenerator(arch)


def read_tables(tensors: Mapping[str, NDArray[Any]], arch: AnyArchitecture, path: Path) -> tuple[LevelTables, ...]:
    """The tables of every level, coarse to fine, checked."""
    found: list[LevelTables] = []
    coarser = 0  # channels of the level above that contexts look at
    for level in range(arch.levels):
        start = f"tables.{level}."
        rule = {name: tensors[key] for name in CONTEXT if (key := f"{start}context.{name}") in tensors}
        try:
            tables = LevelTables(
                tensors[start + "cumulative"],
                tensors[start + "index"],
                Context(**rule) if rule else None,
            )
        except (KeyError, TypeError):
            raise PriorError(f"{path} is damaged: tables of level {level} are missing; get the prior again") from None
        problem = tables.problem(coarser)
        if not problem and tables.index.shape != (arch.rates, *arch.table_shapes()[level]):
            problem = "the index has a wrong shape"
        if problem:
            raise PriorError(f"{path} is damaged: level {level}: {problem}; get the prior again")
        coarser = tables.index.shape[1] if tables.context else 0
        found.append(tables)
    return tuple(found)


def read_tensors(path: Path, sha256: str | None) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Metadata and tensors of a safetensors file whose hash is known. Raises `PriorError`."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise PriorError(f"{path} is larger than the {MAX_FILE >> 20} MB that are read")
        data = path.read_bytes()
    except FileNotFoundError:
        raise PriorError(f"{path.parent} is incomplete: {path.name} is missing; get the prior again") from None
    except OSError as error:
        raise PriorError(f"{path} cannot be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PriorError(f"{path} is damaged: its hash is not the one in {CARD}; get the prior again")
    try:
        (length,) = struct.unpack("<Q", data[:8])
        if length > MAX_HEADER:
            raise ValueError("the header is too large")
        header = json.loads(data[8 : 8 + length])
        return header.get("__metadata__", {}), safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, struct.error) as error:
        raise PriorError(f"{path} is damaged: {error}; get the prior again") from None


def check_shapes(network: nn.Module, tensors: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Raises `PriorError` unless the tensors are those of the network."""
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in tensors.items()} != expected:
        raise PriorError(f"{path} does not fit the architecture of its prior; get the prior again")


def fill(network: Network, tensors: Mapping[str, NDArray[Any]], path: Path) -> Network:
    """Put stored weights into a network, computing in fp32 from then on."""
    check_shapes(network, tensors, path)
    network.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in tensors.items()})
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # the faster format on CPUs


def half(network: nn.Module) -> dict[str, NDArray[Any]]:
    """The weights of a network as stored: fp16."""
    return {name: to_half(value).numpy() for name, value in network.state_dict().items()}


def to_half(value: Tensor) -> Tensor:
    return value.detach().cpu().to(torch.float16).contiguous()


def lpips_file(net: str) -> str:
    return f"lpips-{net}.safetensors"


def write_networks(
    folder: Path,
    generator: AnyGenerator,
    tables: tuple[LevelTables, ...],
    others: Mapping[str, nn.Module],
    lpips: Mapping[str, LpipsNetwork],
) -> dict[str, str]:
    """Write the generator, other networks by file name, and LPIPS networks by backbone; gives the files' SHA-256."""
    tensors = half(generator)
    for level, table in enumerate(tables):
        tensors[f"tables.{level}.cumulative"] = np.ascontiguousarray(table.cumulative)
        tensors[f"tables.{level}.index"] = np.ascontiguousarray(table.index)
        if table.context is not None:
            for name in CONTEXT:
                tensors[f"tables.{level}.context.{name}"] = np.ascontiguousarray(getattr(table.context, name))
    metadata = {"architecture": json.dumps(generator.arch.to_json())}
    contents = {GENERATOR: safetensors.numpy.save(tensors, metadata=metadata)}
    contents |= {name: safetensors.numpy.save(half(network)) for name, network in others.items()}
    contents |= {lpips_file(net): safetensors.numpy.save(stored(network)) for net, network in lpips.items()}
    for name, data in contents.items():
        write_whole(folder / name, data)
    return {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
