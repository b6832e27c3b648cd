"""What the most demanding headers cost to decode: seconds and memory of files of a few bytes that claim much.

python scripts/measure_bounds.py

Every case runs in a process of its own. Priors of free size are not shipped: an untrained one of the preset `base`
stands in for them, whose tables have contexts.
"""

import resource
import sys
import tempfile
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for tests

from invcomp import container  # noqa: E402
from invcomp.codec import Codec  # noqa: E402
from invcomp.fallback import encode  # noqa: E402
from invcomp.priors.architecture import MAX_FREE_PIXELS, from_preset  # noqa: E402
from tests.untrained import RATES, untrained  # noqa: E402

CASES = [
    ("faces-64", (64, 64)),
    ("faces-64", (65_535, 1_525)),
    ("faces", (128, 128)),
    ("faces", (65_535, 1_525)),
    ("faces", (10_000, 10_000)),
    ("free", (64, 64)),
    ("free", (2_048, MAX_FREE_PIXELS // 2_048)),
    ("free", (65_535, 1)),
    ("free", (1, 65_535)),
]


FOREIGN = (10_000, 10_000)


def decode(prior: str, size: tuple[int, int]) -> tuple[float, float, float]:
    """Seconds, and the largest memory of the process in MB before and after decoding.

    An empty payload is continued by zeros, which stand for symbols however many are read.
    """
    with tempfile.TemporaryDirectory() as folder:
        if prior == "free":
            prior = str(untrained(Path(folder) / "free", replace(from_preset("base", None), rates=RATES)))
        codec = Codec(prior, "cpu")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        data = container.serialise(container.Container(codec.prior.info.id_bytes, 3, b"", size=size))
        began = time.perf_counter()
        codec.decompress(data)
        return time.perf_counter() - began, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def foreign(kind: str) -> bytes:
    """A file of `faces` that holds a plain picture of another codec, as large as there may be."""
    payload = encode(kind, Image.new("RGB", FOREIGN, (90, 120, 60)), 1)
    prior_id = Codec("faces", "cpu").prior.info.id_bytes
    return container.write(container.Container(prior_id, 0, payload, size=FOREIGN, foreign=kind))


def decode_foreign(data: bytes) -> tuple[float, float]:
    """Seconds, and the largest memory of the process in MB."""
    codec = Codec("faces", "cpu")
    began = time.perf_counter()
    codec.decompress(data)
    return time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    for kind in container.CODECS:
        with get_context("spawn").Pool(1) as pool:
            data = pool.apply(foreign, (kind,))
        with get_context("spawn").Pool(1) as pool:
            seconds, memory = pool.apply(decode_foreign, (data,))
        print(f"{kind} of {len(data)} bytes, {FOREIGN[0]} x {FOREIGN[1]}: {seconds:.1f} s, {memory:.0f} MB", flush=True)
    for prior, size in CASES:
        with get_context("spawn").Pool(1) as pool:
            seconds, before, after = pool.apply(decode, (prior, size))
        print(f"{prior} {size[0]} x {size[1]}: {seconds:.1f} s, {before:.0f} MB before, {after:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
