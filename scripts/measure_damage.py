"""Damaged files that are taken for whole: single changed bytes, truncations, and random damage of several bytes.

python scripts/measure_damage.py FOLDER [FOLDER ...] --json damage.json

Writes real files of faces (`tests/faces` and the folders'), the encoder alone, at several qualities, with checksums of
two bytes and of one, plain and progressive: `--files` of each checksum. Then tries, on every file, each of the 255
other values of each byte, and every truncation, and on all together `--random` damages of two to eight bytes anywhere.

A damaged file counts as noticed if `Codec.decompress` raises `FormatError`. That begins with `container.read`, which is
tried first since it is fast: what it refuses, `Codec.decompress` does too. What it accepts is given to that itself.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from invcomp import container
from invcomp.codec import Codec
from invcomp.errors import FormatError
from invcomp.pictures import read_picture
from invcomp.writing import write_whole

ROOT = Path(__file__).resolve().parent.parent
QUALITIES = (0, 20, 36, 60, 90)
PADDED = 32  # zeros at most


def noticed(codec: Codec, data: bytes) -> bool:
    """Whether a damaged file is refused."""
    try:
        container.read(data, codec.prior.info.id_bytes)
        codec.decompress(data)
    except FormatError:
        return True
    return False


def files_of(codec: Codec, paths: list[Path], checksum: int, count: int) -> list[bytes]:
    """So many files with a checksum of so many bytes, every third progressive, of all qualities."""
    images = [read_picture(path).image for path in paths]
    found: list[bytes] = []
    for number, quality in enumerate(QUALITIES):
        for progressive in (False, True, False):
            share = images[number::2][: -(-count // (3 * len(QUALITIES)))]
            results = codec.compress_batch(
                share, quality=quality, steps=0, progressive=progressive, checksum=checksum, batch_size=8
            )
            found += [result.data for result in results]
            images = images[1:] + images[:1]
    return found[:count]


def changes(codec: Codec, data: bytes) -> tuple[int, int]:
    """Single changed bytes tried and unnoticed."""
    missed = sum(
        not noticed(codec, data[:at] + bytes([value]) + data[at + 1 :])
        for at in range(len(data))
        for value in range(256)
        if value != data[at]
    )
    return 255 * len(data), missed


def truncations(codec: Codec, data: bytes) -> tuple[int, int]:
    return len(data), sum(not noticed(codec, data[:length]) for length in range(len(data)))


def paddings(codec: Codec, data: bytes) -> tuple[int, int]:
    """Files with zeros behind them: tried and unnoticed. A CRC alone does not see zeros."""
    return PADDED, sum(not noticed(codec, data + bytes(count)) for count in range(1, PADDED + 1))


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A file of which two to eight bytes, anywhere, have other values."""
    changed = bytearray(data)
    for at in rng.choice(len(data), size=min(len(data), int(rng.integers(2, 9))), replace=False):
        changed[at] ^= int(rng.integers(1, 256))
    return bytes(changed)


def random_damages(codec: Codec, files: list[bytes], count: int, rng: np.random.Generator) -> dict[str, dict[str, int]]:
    """Damages tried and unnoticed, of plain and of progressive files; also of those that leave the first three bytes
    alone, and how many of these the checksums let pass: some of them stand for no symbols."""
    prior_id = codec.prior.info.id_bytes
    totals: dict[str, Counter[str]] = {"plain": Counter(), "progressive": Counter()}
    for number in range(count):
        data = files[number % len(files)]
        other = damaged(data, rng)
        behind, missed = other[:3] == data[:3], not noticed(codec, other)
        try:
            passed = behind and container.read(other, prior_id) is not None
        except FormatError:
            passed = False
        kind = "plain" if container.read(data, prior_id).parts is None else "progressive"
        totals[kind].update(tried=1, unnoticed=missed, behind_header=behind, passed_checksums=passed)
    return {kind: dict(counts) for kind, counts in totals.items()}


def measure(
    codec: Codec, paths: list[Path], checksum: int, count: int, damages: int, exhaustive: bool = True
) -> dict[str, Any]:
    files = files_of(codec, paths, checksum, count)
    sizes = Counter(8 * container.read_header(data).checksum for data in files)
    short = [data for data in files if container.read_header(data).checksum == checksum]
    found: dict[str, Any] = {
        "checksum": checksum,
        "files": len(files),
        "of them with bits of checksum": {str(bits): n for bits, n in sorted(sizes.items())},
        "bytes": [min(map(len, files)), max(map(len, files))],
        "random damages": random_damages(codec, short, damages, np.random.default_rng(0)),
        "theory": 1 / 256**checksum,
    }
    trials = (("zeros appended", paddings), ("changed bytes", changes), ("truncations", truncations))
    for name, trial in trials if exhaustive else trials[:1]:
        tried, unnoticed = (sum(n) for n in zip(*(trial(codec, data) for data in files), strict=True))
        found[name] = {"tried": tried, "unnoticed": unnoticed}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="more pictures")
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--random", type=int, default=10_000)
    parser.add_argument("--random-only", action="store_true", help="without every changed byte and truncation")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    paths = sorted(p for folder in (ROOT / "tests" / "faces", *args.folders) for p in folder.glob("*.png"))
    codec = Codec(args.prior, "cpu")
    results = []
    for checksum in (2, 1):
        results.append(measure(codec, paths, checksum, args.files, args.random, not args.random_only))
        print(json.dumps(results[-1], indent=1), flush=True)
    if args.json:
        write_whole(args.json, json.dumps(results, indent=1).encode())


if __name__ == "__main__":
    main()
