"""What `info` and `priors` say: facts about files and priors, without decoding."""

import cmath
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invcomp import container
from invcomp.checksums import intact
from invcomp.errors import FormatError
from invcomp.placement import Placement
from invcomp.priors.info import PriorInfo, read_info
from invcomp.priors.reading import GRAPH, TABLES
from invcomp.priors.registry import mend_for, priors_of


def file(data: bytes, name: str) -> dict[str, Any]:
    """Facts about a file. Raises `FormatError` if it is not ours or damaged."""
    header = container.read_header(data, name)
    facts: dict[str, Any] = {
        "bytes": len(data),
        "version": container.VERSION,
        "checksum_bits": 8 * header.checksum,
        "rate": header.rate,
    }
    for folder in priors_of(header.short_id):
        info = read_info(folder)
        if intact(info.id_bytes, data):
            content = container.read(data, info.id_bytes, name)
            if content.foreign is not None:
                del facts["rate"]  # what stands there is the codec
                facts["codec"] = content.foreign
            levels = {"coded_levels": "all" if content.levels is None else bin(content.levels)}
            return (
                facts
                | ({} if content.foreign else levels)
                | {
                    "prior": info.name,
                    "prior_id": info.id,
                    "original_size": list(content.size) if content.size else "the prior's own",
                    "payload_bytes": len(content.payload) + sum(map(len, content.parts or ())),
                }
                | ({"cut_points": container.cut_points(info.id_bytes, data)} if content.parts is not None else {})
                | (placed(content.placement) if content.placement else {})
            )
    if priors_of(header.short_id):
        raise FormatError(f"{name} is truncated or damaged: its checksum does not agree; get it again")
    missing = f"not installed (its id begins with the 11 bits {header.short_id:#05x}); {mend_for(header.short_id)}"
    return facts | {"prior": missing}


def placed(placement: Placement) -> dict[str, Any]:
    """Facts about where a picture lies in the one that it was cut from, in pixels and degrees (clockwise)."""
    square = placement.square
    return {
        "placed_in": list(placement.size),
        "centre": [square.centre.real, square.centre.imag],
        "side": round(square.side, 2),
        "turned": round(math.degrees(cmath.phase(square.half)), 2),
    }


def prior(folder: Path) -> dict[str, Any]:
    """Facts about a prior. Raises `PriorError`."""
    info = read_info(folder)
    return {
        "name": info.name,
        "id": info.id,
        "folder": str(folder),
        "domain": info.domain,
        "licence": info.licence,
        "bytes_on_disk": size_on_disk(folder),
        "distortion": info.distortion,
        "usual_of": f"{info.usual.pictures} pictures looked at, {info.usual.decoded} decoded"
        if info.usual
        else "unknown",
        "mean_file_bytes_by_rate": [round(b, 1) for b in info.rate_bytes],
        **{f"training.{key}": value for key, value in info.training.items()},
    }


def summary(folder: Path, info: PriorInfo) -> dict[str, Any]:
    """One line of `invcomp priors`."""
    return {
        "name": info.name,
        "id": info.id[:12],
        "domain": info.domain,
        "megabytes": round(size_on_disk(folder) / 1e6, 1),
        "licence": info.licence,
        "folder": str(folder),
    }


def size_on_disk(folder: Path) -> int:
    """Bytes of a prior's networks and tables."""
    return sum(path.stat().st_size for kind in ("*.safetensors", GRAPH, TABLES) for path in folder.glob(kind))


def text(value: object) -> str:
    """A value as a table shows it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={text(v)}" for key, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(text, value))
    return str(value)
