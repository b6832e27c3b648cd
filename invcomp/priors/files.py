"""A prior on disk: safetensors and JSON, never pickle.

generator.safetensors   weights (fp16 stored, fp32 computed), integer tables, architecture: all that decoding needs
generator.onnx          for decoding without torch: the graph, whose weights lie in generator.safetensors
encoder.safetensors     for compression; an imported prior has none
critic.safetensors      for compression with the `critic` term; an imported prior has none
mapping.safetensors     for samples of an imported prior
factors.safetensors     for samples, and for levels that are missing: how the coarse levels hang together, if fitted
domain.safetensors      for compression: what tells the domain's pictures from others, if it was fitted
lpips-NET.safetensors   for compression with that LPIPS term, if the prior was trained with it
prior.json              name, domain, licence, lambdas, calibration, provenance, hashes of the files
README.md, samples.png  the model card
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from invcomp.entropy.tables import LevelTables
from invcomp.errors import PriorError
from invcomp.exact import exact
from invcomp.priors.architecture import Architecture
from invcomp.priors.critic import Critic
from invcomp.priors.domain import DOMAIN, Domain, domain_features, restored_domain
from invcomp.priors.encoder import Encoder
from invcomp.priors.factors import FACTORS, Factors
from invcomp.priors.generator import Generator
from invcomp.priors.info import read_info
from invcomp.priors.lpips import BACKBONE_FILES, LpipsNetwork, restored, stored
from invcomp.priors.portraits.architecture import PortraitArchitecture
from invcomp.priors.portraits.generator import PortraitGenerator
from invcomp.priors.portraits.mobile_stylegan import MappingNetwork
from invcomp.priors.reading import (
    CONTEXT,
    GENERATOR,
    PREFIX,
    TABLES,
    AnyArchitecture,
    DecodingSide,
    decoding_side,
    read_generator,
    read_tensors,
)
from invcomp.writing import write_whole

ENCODER, CRITIC, MAPPING = "encoder.safetensors", "critic.safetensors", "mapping.safetensors"
AnyGenerator = Generator | PortraitGenerator
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Prior(DecodingSide):
    """A prior in a folder; encoder, critic and mapping are read when they are first needed, None if it has none."""

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
    if TABLES in info.files:
        raise PriorError(f"{folder} is an exported decoder, which ONNX Runtime runs; for torch give the prior it is of")
    stored = path, _, tensors = read_generator(folder, info)
    side = decoding_side(folder, info, stored)
    weights = {name: value for name, value in tensors.items() if not name.startswith(PREFIX)}
    with exact():
        generator = fill(lambda: outlined(side.arch), weights, path)
    return Prior(folder, info, side.arch, side.tables, generator.to(device), device)


def outlined(arch: AnyArchitecture) -> AnyGenerator:
    """The generator of an architecture, its weights yet to be filled."""
    return Generator(arch) if isinstance(arch, Architecture) else PortraitGenerator(arch)


def write_domain(folder: Path, domain: Domain) -> str:
    """Write what tells the domain's pictures; gives the file's SHA-256."""
    data = safetensors.numpy.save(domain.stored())
    write_whole(folder / DOMAIN, data)
    return hashlib.sha256(data).hexdigest()


def write_factors(folder: Path, factors: Factors) -> str:
    """Write how the coarse levels hang together; gives the file's SHA-256."""
    data = safetensors.numpy.save(factors.stored())
    write_whole(folder / FACTORS, data)
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
