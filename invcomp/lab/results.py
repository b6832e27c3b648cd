"""What the lab measures, in one shape for every codec."""

from dataclasses import dataclass, field
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Metric:
    """A figure of merit: its key in results, and how to show it."""

    key: str
    label: str
    """With the unit, if there is one."""
    higher_is_better: bool
    decimals: int = 3
    note: str = ""
    """What must be known to read it: sizes, networks, pictures left out."""


@dataclass(frozen=True)
class FileResult:
    """One picture through one codec at one setting."""

    name: str
    data: bytes
    """The file itself."""
    figures: dict[str, float]
    """By metric key; a metric that cannot be had of this picture is missing."""

    @property
    def bytes(self) -> int:
        return len(self.data)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "bytes": self.bytes, **self.figures}


@dataclass(frozen=True)
class Result:
    """One codec at one setting on all pictures."""

    codec: str
    setting: str
    files: list[FileResult]
    mean: dict[str, float]
    """`bytes`, every metric, `encode_seconds` and `decode_seconds` a picture; means over the files that have them."""
    factors: dict[str, str] = field(default_factory=dict)
    """Of an ablation: the value of every factor."""

    def to_json(self) -> dict[str, Any]:
        return {
            "codec": self.codec,
            "setting": self.setting,
            **({"factors": self.factors} if self.factors else {}),
            "files": [file.to_json() for file in self.files],
            "mean": self.mean,
        }


@dataclass(frozen=True)
class BjontegaardRate:
    """Bytes of `codec` against those of `anchor` at equal quality in a metric."""

    codec: str
    anchor: str
    metric: str
    percent: float | None
    """-30 means 30 % fewer bytes; None is undefined."""
    remark: str
    """Over which part of the curves, or why it is undefined."""

    def to_json(self) -> dict[str, Any]:
        return {
            "codec": self.codec,
            "anchor": self.anchor,
            "metric": self.metric,
            "percent": self.percent,
            "remark": self.remark,
        }


@dataclass(frozen=True)
class Panel:
    """A decoded picture beside others of the same original."""

    codec: str
    setting: str
    bytes: int
    figures: dict[str, float]
    image: Image.Image
    fits: bool = True
    """Whether it has at most the bytes of the file that it is matched to."""


@dataclass(frozen=True)
class Comparison:
    """One original, and what codecs made of it at matched bytes."""

    name: str
    original: Image.Image
    budgets: dict[str, list[Panel]]
    """By the label of the byte budget ("about 120 bytes"); the first panel is what the others are matched to."""


@dataclass(frozen=True)
class Effect:
    """What one value of a factor does to a metric, the other factors averaged."""

    factor: str
    value: str
    metric: str
    reference: str
    """The value of the factor that it is compared with."""
    difference: float
    """Mean over pictures and over all combinations of the other factors that were measured with both values."""
    low: float
    high: float
    """Ends of the 95 % bootstrap interval over pictures."""
    combinations: int
    """Over how many combinations of the other factors it is averaged."""
    pictures: int
    """How many pictures have bytes in common."""

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


@dataclass(frozen=True)
class Report:
    """Everything that a page shows."""

    title: str
    facts: dict[str, str]
    """What was measured, on what, how: label → text."""
    notes: list[str]
    """What was skipped or left out, and why: one sentence each."""
    metrics: list[Metric]
    results: list[Result]
    rates: list[BjontegaardRate] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    first_codec: str = "invcomp"
    """The codec that is drawn in front."""
    drawn: tuple[str, ...] = ()
    """The codecs in the plots; all if empty."""

    def to_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "facts": self.facts,
            "notes": self.notes,
            "metrics": [metric.__dict__ for metric in self.metrics],
            "results": [result.to_json() for result in self.results],
            "bjontegaard_rates": [rate.to_json() for rate in self.rates],
            "effects": [effect.to_json() for effect in self.effects],
        }
