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
    """Mean value of every loss term at every rate index, on held-out pictures, at the start of a search."""
    rate_bytes: list[float]
    """Mean file size in bytes at every rate index, on held-out pictures, encoder only."""
    files: dict[str, str]
    """SHA-256 of every network file, hexadecimal."""
    training: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    def problem(self) -> str | None:
        """What is wrong with values read from a file, if anything."""
        rates = len(self.lambdas)
        series = [*self.term_means.values(), self.rate_bytes] if isinstance(self.term_means, dict) else []
        if "mse" not in self.term_means or any(len(s) != rates for s in series):
            return "the calibration is incomplete"
        if not all(0 < float(x) < float("inf") for x in self.lambdas) or any(float(x) < 0 for s in series for x in s):
            return "the calibration has impossible values"
        if not all(isinstance(x, dict) for x in (self.files, self.training, self.results)):
            return "files, training or results are not tables"
        if not all(isinstance(x, str) for x in (self.name, self.domain, self.licence, self.distortion)):
            return "name, domain, licence or distortion is not text"
        return None

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
        if len(info.id_bytes) != 32:
            raise ValueError("the id is not a SHA-256")
        problem = info.problem()
        if problem:
            raise ValueError(problem)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise PriorError(f"{path} is damaged: {error}; get the prior again") from None
    return info
