"""What the lab measures: anything that turns pictures into files and files into pictures, at several settings."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

import invcomp
from invcomp.codec import Codec
from invcomp.lab.metrics import Judge, means
from invcomp.lab.results import FileResult, Result

QUALITIES = (0.0, 12.0, 24.0, 48.0, 62.0, 100.0)

Progress = Callable[[float], None]
"""Is given the number of pictures done, with fractions."""


Setting = Any
"""What a codec is told, its own kind of object: `str` names it in results, `repr` has all that a file depends on."""


class PictureCodec(Protocol):
    """A codec with its settings."""

    @property
    def name(self) -> str: ...

    @property
    def note(self) -> str:
        """What must be known to read its figures; empty if nothing."""

    @property
    def ladders(self) -> Sequence[Sequence[Setting]]:
        """Series of settings, each from the smallest files to the largest."""

    def encode(self, images: Sequence[Image.Image], setting: Setting, report: Progress) -> list[bytes]:
        """RGB images → files."""

    def decode(self, file: bytes, setting: Setting, size: tuple[int, int]) -> Image.Image:
        """A file → an RGB image of `size` (width, height)."""

    def identity(self) -> str:
        """A text that changes when the codec would make other files of the same pictures."""


def measure(
    codec: PictureCodec, setting: Setting, names: Sequence[str], judge: Judge, report: Progress = lambda _: None
) -> Result:
    """Encode, decode and judge all of the judge's originals, by all metrics but identity."""
    originals = judge.originals
    began = time.perf_counter()
    files = codec.encode(originals, setting, report)
    encoded = time.perf_counter()
    decoded = decode(codec, setting, files, originals)
    done = time.perf_counter()
    figures, together = judge.measure(decoded)
    seconds = {"encode_seconds": (encoded - began) / len(files), "decode_seconds": (done - encoded) / len(files)}
    return Result(
        codec.name,
        str(setting),
        [FileResult(name, data, f) for name, data, f in zip(names, files, figures, strict=True)],
        {"bytes": float(np.mean([len(file) for file in files])), **means(figures), **together, **seconds},
    )


def with_identity(result: Result, codec: PictureCodec, setting: Setting, judge: Judge) -> Result:
    """The result with identity figures."""
    decoded = decode(codec, setting, [file.data for file in result.files], judge.originals)
    found = judge.measure_identity(decoded)
    files = [replace(file, figures=file.figures | more) for file, more in zip(result.files, found, strict=True)]
    return replace(result, files=files, mean=result.mean | means(found))


def decode(
    codec: PictureCodec, setting: Setting, files: Sequence[bytes], originals: Sequence[Image.Image]
) -> list[Image.Image]:
    return [codec.decode(file, setting, image.size) for file, image in zip(files, originals, strict=True)]


@cache
def source_hash(*more: str) -> str:
    """A hash of the modules that decide what a file holds, so that kept results do not outlive a change of them."""
    root = Path(invcomp.__file__).parent
    paths = [root / name for name in ("batch.py", "checksums.py", "codec.py", "container.py", *more)]
    paths += [path for part in ("entropy", "inversion", "priors") for path in sorted((root / part).rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


@dataclass(frozen=True)
class InvcompSetting:
    """Arguments of `Codec.compress_batch`."""

    quality: float
    steps: int
    loss: str | None = None
    relaxation: str | None = None
    start: str | None = None
    levels: int | None = None
    seed: int = 0

    def __str__(self) -> str:
        return f"quality {self.quality:g}, {self.steps} steps"


class InvcompCodec:
    """This project's codec at several qualities."""

    note = "encoded in batches: seconds a picture are those of a batch divided by its pictures"

    def __init__(
        self, codec: Codec, name: str = "invcomp", qualities: Sequence[float] = QUALITIES, steps: int = 500
    ) -> None:
        self.codec, self.name = codec, name
        self.qualities, self.steps = tuple(sorted(qualities)), steps

    @property
    def ladders(self) -> list[list[InvcompSetting]]:
        return [[InvcompSetting(quality, self.steps) for quality in self.qualities]]

    def encode(self, images: Sequence[Image.Image], setting: InvcompSetting, report: Progress) -> list[bytes]:
        results = self.codec.compress_batch(
            images,
            quality=setting.quality,
            steps=setting.steps,
            loss=setting.loss,
            relaxation=setting.relaxation,
            start=setting.start,
            levels=setting.levels,
            seed=setting.seed,
            report=report,
        )
        return [result.data for result in results]

    def decode(self, file: bytes, setting: InvcompSetting, size: tuple[int, int]) -> Image.Image:
        return self.codec.decompress(file)

    def identity(self) -> str:
        info = asdict(self.codec.prior.info)
        about = ("name", "domain", "licence", "training", "results", "calibration")  # decides no file
        machine = f"{torch.__version__} {self.codec.prior.device.type}"
        return f"{[value for key, value in info.items() if key not in about]} {machine} {source_hash()}"
