"""A prior on disk: safetensors and JSON, never pickle.

generator.safetensors   weights (fp16 stored, fp32 computed), integer tables, architecture: all that decoding needs
encoder.safetensors     for compression; an imported prior has none
critic.safetensors      for compression with the `critic` term; an imported prior has none
mapping.safetensors     for samples of an imported prior
domain.safetensors      for compression: what tells the domain's pictures from others, if it was fitted
lpips-NET.safetensors   for compression with that LPIPS term, if the prior was trained with it
prior.json              name, domain, licence, lambdas, calibration, provenance, hashes of the files
README.md, samples.png  the model card
"""

import hashlib
import json
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
from invcomp.priors.domain import DOMAIN, Domain, domain_features, restored_domain
from invcomp.priors.encoder import Encoder
from invcomp.priors.generator import Generator
from invcomp.priors.info import CARD, PriorInfo, read_info
from invcomp.priors.lpips import BACKBONE_FILES, LpipsNetwork, restored, stored
from invcomp.priors.portraits.generator import PortraitArchitecture, PortraitGenerator
from invcomp.priors.portraits.mobile_stylegan import MappingNetwork
from invcomp.priors.tensors import parse, parse_json
from invcomp.writing import write_whole

GENERATOR, ENCODER, CRITIC = "generator.safetensors", "encoder.safetensors", "critic.safetensors"
MAPPING = "mapping.safetensors"
AnyArchitecture = Architecture | PortraitArchitecture
AnyGenerator = Generator | PortraitGenerator
CONTEXT = [field.name for field in fields(Context)]
MAX_FILE = 1 << 30  # bytes
MAX_FREQUENCIES = 1 << 22  # in the tables of a level
Network = TypeVar("Network", bound=nn.Module)


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
        arch = self.arch
        return self._network(ENCODER, lambda: Encoder(arch)) if isinstance(arch, Architecture) else None

    @cached_property
    def critic(self) -> Critic | None:
        arch = self.arch
        return self._network(CRITIC, lambda: Critic(arch)) if isinstance(arch, Architecture) else None

    @cached_property
    def mapping(self) -> MappingNetwork | None:
        """z → W, for samples of an imported prior."""
        arch = self.arch
        if not isinstance(arch, PortraitArchitecture):
            return None
        return self._network(MAPPING, lambda: MappingNetwork(arch.style_size))

    @cached_property
    def domain(self) -> Domain | None:
        """What tells the domain's pictures from others; None if it does not say."""
        if DOMAIN not in self.info.files:
            return None
        path = self.folder / DOMAIN
        _, tensors = read_tensors(path, self.info.files[DOMAIN])
        try:
            return restored_domain(tensors).to(self.device)
        except ValueError as error:
            raise PriorError(f"{path} is damaged: {error}; get the prior again") from None

    @cached_property
    def domain_network(self) -> LpipsNetwork | None:
        """The LPIPS network whose features `domain` knows."""
        carried = [net for net in sorted(BACKBONE_FILES) if lpips_file(net) in self.info.files]
        network = self.lpips(carried[0]) if carried else None
        return network and network.to(self.device)

    def domain_shares(self, pictures: Tensor) -> list[float | None]:
        """The share of held-out pictures, in [0, 1], that look more like the domain than each of pictures
        (N, 3, H, W); None where the prior cannot tell."""
        usual, network = self.info.usual, self.domain_network
        if self.domain is None or usual is None or network is None:
            return [None] * len(pictures)
        features = domain_features(network, pictures)
        if features.shape[1:] != self.domain.mean.shape:
            raise PriorError(f"{self.folder / DOMAIN} does not fit the prior's LPIPS network; get the prior again")
        return [usual.domain_share(score) for score in self.domain.scores(features).tolist()]

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

    def _network(self, file: str, make: Callable[[], Network]) -> Network:
        _, tensors = read_tensors(self.folder / file, self.info.files.get(file))
        with exact():
            return fill(make, tensors, self.folder / file).to(self.device)


def load_prior(folder: Path, device: torch.device | None = None) -> Prior:
    """Read and check a prior; its networks are in evaluation mode, fp32, frozen. Raises `PriorError`."""
    device = device or torch.device("cpu")
    info = read_info(folder)
    path = folder / GENERATOR
    metadata, tensors = read_tensors(path, info.id)
    try:
        arch = read_architecture(parse_json(metadata["architecture"]))
    except (KeyError, ValueError, TypeError) as error:
        raise PriorError(f"{path} is damaged: its architecture cannot be read ({error}); get the prior again") from None
    tables = read_tables(tensors, arch, path)
    if len(info.lambdas) != arch.rates or len(info.rate_bytes) != arch.rates:
        raise PriorError(f"{folder / CARD} is damaged: it does not have {arch.rates} rates; get the prior again")
    weights = {name: value for name, value in tensors.items() if not name.startswith("tables.")}
    with exact():
        generator = fill(lambda: outlined(arch), weights, path)
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
            cumulative = tensors[start + "cumulative"]
            if cumulative.size > MAX_FREQUENCIES:
                raise PriorError(
                    f"{path}: level {level} has more than {MAX_FREQUENCIES:,} frequencies; get another prior"
                )
            tables = LevelTables(cumulative, tensors[start + "index"], Context(**rule) if rule else None)
            problem = tables.problem(coarser)
        except (KeyError, TypeError, ValueError, IndexError):
            raise PriorError(f"{path} is damaged: tables of level {level} are missing; get the prior again") from None
        if not problem and tables.index.shape != (arch.rates, *arch.table_shapes()[level]):
            problem = "the index has a wrong shape"
        if not problem and coarser and tables.context and isinstance(arch, PortraitArchitecture):
            problem = "contexts look at a level that is not half as large"
        if problem:
            raise PriorError(f"{path} is damaged: level {level}: {problem}; get the prior again")
        coarser = tables.index.shape[1] if tables.context else 0
        found.append(tables)
    return tuple(found)


def read_tensors(path: Path, sha256: str | None) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Metadata and tensors of a safetensors file whose hash is known. Raises `PriorError`."""
    try:
        if not path.is_file():
            raise PriorError(f"{path.parent} is incomplete: {path.name} is missing; get the prior again")
        if path.stat().st_size > MAX_FILE:
            raise PriorError(f"{path} is larger than the {MAX_FILE >> 20} MB that are read")
        data = path.read_bytes()
    except OSError as error:
        raise PriorError(f"{path} cannot be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PriorError(f"{path} is damaged: its hash is not the one in {CARD}; get the prior again")
    try:
        return parse(data)
    except ValueError as error:
        raise PriorError(f"{path} is damaged: {error}; get the prior again") from None


def write_domain(folder: Path, domain: Domain) -> str:
    """Write what tells the domain's pictures; gives the file's SHA-256."""
    data = safetensors.numpy.save(domain.stored())
    write_whole(folder / DOMAIN, data)
    return hashlib.sha256(data).hexdigest()


def check_shapes(network: nn.Module, tensors: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Raises `PriorError` unless the tensors are those of the network."""
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in tensors.items()} != expected:
        raise PriorError(f"{path} does not fit the architecture of its prior; get the prior again")


def fill(make: Callable[[], Network], tensors: Mapping[str, NDArray[Any]], path: Path) -> Network:
    """A network with stored weights, computing in fp32; none is made if they are not its own. Raises `PriorError`."""
    with torch.device("meta"):
        check_shapes(make(), tensors, path)
    if not all(np.isfinite(value).all() for value in tensors.values()):
        raise PriorError(f"{path} has weights that are no finite numbers; get the prior again")
    network = make()
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
