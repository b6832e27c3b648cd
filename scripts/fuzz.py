"""Damaged and crafted inputs: every one gives a picture or one `InvcompError`, in bounded time and memory.

python scripts/fuzz.py --minutes 20 -o found/     # the targets take turns
python scripts/fuzz.py --minutes 5 container

Inputs are mutated files: bytes changed, cut, doubled and spliced. In most containers the checksum is then made right
for the prior that reads them, and in priors the hashes are: neither protects from somebody who computes them too.
Inputs that raise anything else, or take longer than the limit, are kept in the output folder; once mended they belong
into `tests/fuzz/TARGET`, which the tests replay.
"""

import argparse
import hashlib
import io
import json
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for tests

from invcomp import checksums, container, describe  # noqa: E402
from invcomp.codec import Codec  # noqa: E402
from invcomp.errors import InvcompError  # noqa: E402
from invcomp.pictures import formats, read_picture  # noqa: E402
from invcomp.priors.files import load_prior  # noqa: E402
from invcomp.priors.info import CARD  # noqa: E402
from invcomp.priors.reading import GENERATOR  # noqa: E402
from tests.untrained import FIXED, FREE, untrained  # noqa: E402

LIMIT = 60  # seconds for one input
OPTIONS: list[dict[str, Any]] = [{}, {"native": True, "partial": True}, {"size": 64, "levels": 1}]
NUMBERS = [b"\x00", b"\x7f", b"\x80", b"\xff", b"\xff\xff\xff\xff", b"\x80\x80\x80", b"NaN", b"-1", b"1e999", b"9" * 30]


def mutated(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """The bytes with one to eight changes."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 8])):
        at, length = rng.randrange(len(changed) + 1), rng.choice([1, 1, 2, 4, 16, 64])
        other = rng.choice(others)
        where = rng.randrange(len(other) + 1)
        match rng.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(changed):
                changed[at] = rng.randrange(256)
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = rng.choice([rng.randbytes(length), rng.choice(NUMBERS)])
            case 4:
                changed[at : at + length] = other[where : where + length]
            case _:
                changed[at : at + length] = rng.choice(NUMBERS)
    return bytes(changed)


def crafted(data: bytes, prior_id: bytes, rng: random.Random) -> bytes:
    """A container with the header of a readable file of a prior, and checksums that agree."""
    head = bytearray(data[:3].ljust(3, b"\0"))
    head[0] = 0b1010 << 4 | head[0] & 7
    head[1:3] = ((head[1] & 0xF8) << 8 | container.short_id(prior_id)).to_bytes(2, "big")
    body = bytes(head) + data[3:]
    if rng.random() < 0.2:  # a progressive one
        body = bytes([head[0], head[1] | 0x80, head[2], 16 | 4, rng.choice([1, 3, 7, 15, 255])])
        for _ in range(rng.randrange(6)):
            part = data[3 : 3 + rng.randrange(40)]
            body = checksums.sealed(prior_id, body + container.varint(len(part)) + part)
        return body
    return checksums.sealed(prior_id, body)


class Containers:
    """Files of priors of every kind, read as `invcomp decompress` and `invcomp info` read them."""

    def __init__(self, folder: Path, seeds: list[bytes]) -> None:
        self.codecs = [Codec(name, "cpu") for name in ("faces-64", "faces")]
        self.codecs += [
            Codec(untrained(folder / name, arch), "cpu") for name, arch in (("fixed", FIXED), ("free", FREE))
        ]
        golden = sorted((ROOT / "tests" / "golden").glob("*.inv"))
        self.corpus = [path.read_bytes() for path in golden] + seeds
        image = Image.effect_noise((40, 24), 60).convert("RGB")
        for codec in self.codecs[2:]:
            for progressive in (False, True):
                self.corpus.append(codec.compress(image, steps=0, progressive=progressive, loss="mse"))

    def make(self, rng: random.Random) -> bytes:
        data = mutated(rng.choice(self.corpus), rng, self.corpus)
        if rng.random() < 0.2:
            return data
        return crafted(data, rng.choice(self.codecs).prior.info.id_bytes, rng)

    def run(self, data: bytes) -> None:
        with suppress(InvcompError):
            describe.file(data, "file")
        options = OPTIONS[sum(data) % len(OPTIONS)]
        for codec in self.codecs:
            with suppress(InvcompError):
                codec.decompress(data, **options)


class Priors:
    """Folders of priors, loaded, and used to decode and to encode. An input is a card, a zero byte, and a generator."""

    def __init__(self, folder: Path, seeds: list[bytes]) -> None:
        self.folder = untrained(folder / "hostile", FIXED)
        self.image = Image.effect_noise((32, 32), 60).convert("RGB")
        free = untrained(folder / "other", FREE, contexts=False)
        self.corpus = [self.joined(self.folder), self.joined(free), *seeds]
        self.run(self.corpus[0])  # what torch imports when it is first used is no input's fault

    @staticmethod
    def joined(folder: Path) -> bytes:
        return (folder / CARD).read_bytes() + b"\0" + (folder / GENERATOR).read_bytes()

    def make(self, rng: random.Random) -> bytes:
        card, _, generator = rng.choice(self.corpus).partition(b"\0")
        others = [data[:4000] for data in self.corpus]
        if rng.random() < 0.5:
            return mutated(card, rng, others).replace(b"\0", b"") + b"\0" + generator
        length = int.from_bytes(generator[:8], "little")
        header = generator[8 : 8 + length]
        if rng.random() < 0.7:  # the header alone, with its right length
            header = mutated(header, rng, others)
            return card + b"\0" + len(header).to_bytes(8, "little") + header + generator[8 + length :]
        return card + b"\0" + mutated(generator, rng, others)

    def run(self, data: bytes) -> None:
        card, _, generator = data.partition(b"\0")
        with suppress(ValueError, TypeError, KeyError, RecursionError):  # the hashes are made right, if it is JSON
            values = json.loads(card)
            digest = hashlib.sha256(generator).hexdigest()
            values |= {"id": digest, "files": {**values["files"], GENERATOR: digest}}
            card = json.dumps(values).encode()
        (self.folder / CARD).write_bytes(card)
        (self.folder / GENERATOR).write_bytes(generator)
        with suppress(InvcompError):
            describe.prior(self.folder)
        with suppress(InvcompError):
            load_prior(self.folder)
            codec = Codec(self.folder, "cpu")
            codec.decompress(codec.compress(self.image, steps=0, loss="mse"))


class Pictures:
    """Picture files of every kind that is read."""

    def __init__(self, folder: Path, seeds: list[bytes]) -> None:
        self.corpus = [*seeds, *pictures()]

    def make(self, rng: random.Random) -> bytes:
        return mutated(rng.choice(self.corpus), rng, self.corpus)

    def run(self, data: bytes) -> None:
        with suppress(InvcompError):
            read_picture(data, "picture")


def pictures() -> Iterator[bytes]:
    """A small picture in every format and mode that Pillow writes, and animations."""
    image = Image.effect_noise((24, 17), 60)
    for kind in formats():
        for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F"):
            for options in ({}, {"save_all": True, "append_images": [image.convert("RGB")] * 3}):
                buffer = io.BytesIO()
                with suppress(Exception):  # not every kind has every mode
                    image.convert(mode).save(buffer, kind, **options)
                    yield buffer.getvalue()


TARGETS: dict[str, Callable[[Path, list[bytes]], Containers | Priors | Pictures]] = {
    "container": Containers,
    "prior": Priors,
    "picture": Pictures,
}


def too_slow(*_: object) -> None:
    raise TimeoutError(f"longer than {LIMIT} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=1.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("fuzz-found"), help="folder for what went wrong")
    args = parser.parse_args()
    signal.signal(signal.SIGALRM, too_slow)
    for name in args.targets:
        seeds = [path.read_bytes() for path in sorted((ROOT / "tests" / "fuzz" / name).glob("*")) if path.is_file()]
        with tempfile.TemporaryDirectory() as folder:
            target = TARGETS[name](Path(folder), seeds)
            rng = random.Random(args.seed)
            tried, crashes, slowest = 0, 0, (0.0, b"")
            end = time.monotonic() + 60 * args.minutes / len(args.targets)
            while time.monotonic() < end:
                data = target.make(rng)
                began = time.monotonic()
                signal.alarm(LIMIT)
                try:
                    target.run(data)
                except Exception as error:
                    crashes += 1
                    args.output.mkdir(parents=True, exist_ok=True)
                    (args.output / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
                    print(f"{name}: {type(error).__name__}: {error}", flush=True)
                signal.alarm(0)
                tried += 1
                slowest = max(slowest, (time.monotonic() - began, data))
        args.output.mkdir(parents=True, exist_ok=True)
        (args.output / f"{name}-slowest").write_bytes(slowest[1])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name}: {tried:,} inputs, {crashes} crashes, slowest {slowest[0]:.2f} s ({len(slowest[1]):,} bytes), "
            f"peak memory of the process so far {peak:,.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
