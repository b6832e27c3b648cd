"""What is known of a prior without loading its networks: `prior.json`."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from invcomp.errors import PriorError

CARD = "prior.json"
MAX_HEADER = 1 << 20
FORMAT = 1


@dataclass(frozen=True)
class PriorInfo:
    """`prior.json`: what is known of a prior without loading its networks."""

    name: str
    id: str
    """SHA-256 of `generator.safetensors`, hexadecimal."""
    domain: str
    licence: str
    lambdas: tuple[float, ...]
    """Rate weight at every rate index, distortion per bit in units of the training distortion."""
    distortion: str
    """The loss expression of training."""
    term_means: dict[str, list[float]]
    """Mean value of every loss term at every rate index, on held-out pictures, encoder only."""
    rate_bytes: list[float]
    """Mean file size in bytes at every rate index, on held-out pictures, encoder only."""
    files: dict[str, str]
    """SHA-256 of every network file, hexadecimal."""
    training: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @property
    def id_bytes(self) -> bytes:
        return bytes.fromhex(self.id)


def read_info(folder: Path) -> PriorInfo:
    """`prior.json` of a prior. Raises `PriorError`."""
    path = folder / CARD
    if not folder.is_dir():
        raise PriorError(f"{folder} is not a prior: there is no such folder")
    if not path.is_file():
        raise PriorError(f"{folder} is not a prior: it has no {CARD}")
    try:
        if path.stat().st_size > MAX_HEADER:
            raise ValueError("it is too large")
        data = json.loads(path.read_text(encoding="utf-8"))
        info = PriorInfo(**{**data, "lambdas": tuple(float(x) for x in data["lambdas"])})
        if info.format != FORMAT:
            raise PriorError(f"{path} has format {info.format}; this program reads format {FORMAT}")
        if len(info.id_bytes) != 32 or not isinstance(info.files, dict):
            raise ValueError("the id is not a SHA-256")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PriorError(f"{path} is damaged: {error}; get the prior again") from None
    return info
