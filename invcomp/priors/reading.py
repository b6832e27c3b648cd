"""What decoding reads of a prior besides its networks: description, architecture and tables, all checked.

The tables lie in `generator.safetensors`, or by themselves in the `tables.json` of an exported decoder.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invcomp.entropy.contexts import Context
from invcomp.entropy.tables import LevelTables
from invcomp.errors import PriorError
from invcomp.priors.architecture import Architecture
from invcomp.priors.factors import FACTORS, Factors, restored_factors
from invcomp.priors.info import CARD, PriorInfo, read_info
from invcomp.priors.portraits.architecture import PortraitArchitecture
from invcomp.priors.tensors import parse, parse_json

GENERATOR, GRAPH, TABLES = "generator.safetensors", "generator.onnx", "tables.json"
AnyArchitecture = Architecture | PortraitArchitecture
CONTEXT = [field.name for field in fields(Context)]
MAX_FILE = 1 << 30  # bytes
MAX_FREQUENCIES = 1 << 22  # in the tables of a level
FORMAT = 1  # of `tables.json`
PREFIX = "tables."  # of the tables' names among the tensors
KINDS = {"u8": "|u1", "i8": "|i1", "u16": "<u2", "i16": "<i2", "i32": "<i4"}
NAMES = {kind: name for name, kind in KINDS.items()}

Stored = tuple[Path, Any, dict[str, NDArray[Any]]]
"""The file that tables lie in, its architecture, its tensors."""


@dataclass(frozen=True)
class DecodingSide:
    """A prior in a folder without its networks."""

    folder: Path
    info: PriorInfo
    arch: AnyArchitecture
    tables: tuple[LevelTables, ...]

    @cached_property
    def factors(self) -> Factors | None:
        """How the coarse levels hang together, read when it is first needed; None if the prior does not say. Raises
        `PriorError`."""
        if FACTORS not in self.info.files:
            return None
        path = self.folder / FACTORS
        _, tensors = read_tensors(path, self.info.files[FACTORS])
        try:
            if self.arch.coded_size is None:
                raise ValueError("a prior of free size has none")
            return restored_factors(tensors, self.arch.table_shapes(), self.arch.rates)
        except ValueError as error:
            raise PriorError(f"{path} is damaged: {error}; get the prior again") from None


def read_decoding_side(folder: Path) -> DecodingSide:
    """Description, architecture and tables of a prior, or of an exported decoder. Raises `PriorError`."""
    info = read_info(folder)
    return decoding_side(
        folder, info, read_tables_json(folder, info) if TABLES in info.files else read_generator(folder, info)
    )


def decoding_side(folder: Path, info: PriorInfo, stored: Stored) -> DecodingSide:
    """The same of what is read already."""
    path, description, tensors = stored
    try:
        arch = read_architecture(description)
    except (KeyError, ValueError, TypeError) as error:
        raise PriorError(f"{path} is damaged: its architecture cannot be read ({error}); get the prior again") from None
    tables = read_tables(tensors, arch, path)
    if len(info.lambdas) != arch.rates or len(info.rate_bytes) != arch.rates:
        raise PriorError(f"{folder / CARD} is damaged: it does not have {arch.rates} rates; get the prior again")
    return DecodingSide(folder, info, arch, tables)


def read_generator(folder: Path, info: PriorInfo) -> Stored:
    """What `generator.safetensors` holds, whose hash is the prior's id. Raises `PriorError`."""
    path = folder / GENERATOR
    metadata, tensors = read_tensors(path, info.id)
    try:
        return path, parse_json(metadata["architecture"]), tensors
    except (KeyError, ValueError, TypeError) as error:
        raise PriorError(f"{path} is damaged: its architecture cannot be read ({error}); get the prior again") from None


def tables_json(arch: AnyArchitecture, tensors: Mapping[str, NDArray[Any]]) -> str:
    """The text of `tables.json` for the tables among the tensors of a generator file."""
    stored = {
        name: {"type": NAMES[value.dtype.str], "shape": list(value.shape), "data": value.ravel().tolist()}
        for name, value in sorted(tensors.items())
        if name.startswith(PREFIX)
    }
    return json.dumps({"format": FORMAT, "architecture": arch.to_json(), "tensors": stored}, separators=(",", ":"))


def read_tables_json(folder: Path, info: PriorInfo) -> Stored:
    """What `tables.json` holds. Raises `PriorError`."""
    path = folder / TABLES
    data = read_checked(path, info.files[TABLES])
    try:
        content = parse_json(data)
        if content["format"] != FORMAT:
            raise PriorError(f"{path} has format {content['format']}; this program reads format {FORMAT}")
        architecture, stored = content["architecture"], content["tensors"]
        if not isinstance(architecture, dict) or not isinstance(stored, dict):
            raise ValueError("its architecture or its tensors are none")
        return path, architecture, {name: read_array(entry) for name, entry in stored.items()}
    except KeyError as error:
        raise PriorError(f"{path} is damaged: it has no {error}; export it again") from None
    except (ValueError, TypeError) as error:
        raise PriorError(f"{path} is damaged: {error}; export it again") from None


def read_array(entry: Any) -> NDArray[Any]:
    """An array of a `tables.json`. Raises `ValueError` and its like for what is none."""
    kind, shape, data = np.dtype(KINDS[entry["type"]]), entry["shape"], entry["data"]
    if any(type(n) is not int or n < 0 for n in shape) or any(type(n) is not int for n in data):
        raise ValueError("an array of it has a wrong shape, or what is no whole number")
    if len(data) != math.prod(shape) or len(shape) > 8:
        raise ValueError("an array of it does not fill its shape")
    if data and not np.iinfo(kind).min <= min(data) <= max(data) <= np.iinfo(kind).max:
        raise ValueError(f"an array of it has numbers that are none of {entry['type']}")
    return np.array(data, dtype=kind).reshape(shape)


def read_architecture(data: dict[str, Any]) -> AnyArchitecture:
    """The architecture of a trained prior, or of an imported one."""
    return PortraitArchitecture.from_json(data) if "heads" in data else Architecture.from_json(data)


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
    data = read_checked(path, sha256)
    try:
        return parse(data)
    except ValueError as error:
        raise PriorError(f"{path} is damaged: {error}; get the prior again") from None


def read_checked(path: Path, sha256: str | None, mend: str = "get the prior again") -> bytes:
    """The bytes of a prior's file whose hash is known. Raises `PriorError`, which names the `mend`."""
    try:
        if not path.is_file():
            raise PriorError(f"{path.parent} is incomplete: {path.name} is missing; {mend}")
        if path.stat().st_size > MAX_FILE:
            raise PriorError(f"{path} is larger than the {MAX_FILE >> 20} MB that are read")
        data = path.read_bytes()
    except OSError as error:
        raise PriorError(f"{path} cannot be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PriorError(f"{path} is damaged, or of another prior: its hash is not the one in {CARD}; {mend}")
    return data
