"""What is known of a prior without loading its networks: `prior.json`."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from invcomp.errors import PriorError
from invcomp.priors.calibration import Calibration, read_calibration
from invcomp.priors.tensors import parse_json

CARD = "prior.json"
MAX_CARD = 1 << 20  # bytes
MAX_VALUE = 1e300  # of a calibration, so that sums of it are finite
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
    """Rate weight at every rate index, distortion per bit in units of `distortion`."""
    distortion: str
    """The loss that searches lower: that of training, unless `scripts/calibrate_prior.py` gave another."""
    term_means: dict[str, list[float]]
    """Mean value of every loss term at every rate index, on held-out pictures, at the start of a search."""
    rate_bytes: list[float]
    """Mean file size in bytes at every rate index, on held-out pictures, encoder only."""
    files: dict[str, str]
    """SHA-256 of every network file, hexadecimal."""
    training: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    """How held-out pictures are distributed (`invcomp.priors.calibration`); empty if that is not known."""
    format: int = FORMAT

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    def problem(self) -> str | None:
        """What is wrong with values read from a file, if anything."""
        tables = (self.term_means, self.files, self.training, self.results)
        texts = (self.name, self.id, self.domain, self.licence, self.distortion)
        if not all(isinstance(x, dict) for x in tables) or not all(isinstance(x, str) for x in texts):
            return "tables or texts are of another kind"
        if any(not isinstance(x, str) for x in self.files.values()):
            return "the files' hashes are no text"
        series = [self.lambdas, self.rate_bytes, *self.term_means.values()]
        if "mse" not in self.term_means or any(
            not isinstance(s, (list, tuple)) or len(s) != len(self.lambdas) for s in series
        ):
            return "the calibration is incomplete"
        if any(type(x) not in (int, float) or not 0 <= x < MAX_VALUE for s in series for x in s) or not all(
            self.lambdas
        ):
            return "the calibration has impossible values"
        if len(bytes.fromhex(self.id)) != 32:
            return "the id is not a SHA-256"
        read_calibration(self.calibration, len(self.lambdas))
        return None

    @property
    def usual(self) -> Calibration | None:
        """How held-out pictures are distributed."""
        return read_calibration(self.calibration, len(self.lambdas))

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
        if path.stat().st_size > MAX_CARD:
            raise ValueError("it is too large")
        data = parse_json(path.read_bytes())
        if data.get("format", FORMAT) != FORMAT:
            raise PriorError(f"{path} has format {data['format']}; this program reads format {FORMAT}")
        info = PriorInfo(**{**data, "lambdas": tuple(data["lambdas"])})
        problem = info.problem()
        if problem:
            raise ValueError(problem)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PriorError(f"{path} is damaged: {error}; get the prior again") from None
    return info
