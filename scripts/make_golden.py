"""Write golden files, `tests/golden/`: each with its picture, its symbols and its fields. Existing ones never change.

python scripts/make_golden.py v1 067fd180 f447c501 5b6c714b    # priors by their name in tests/golden/priors.json
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for tests

from invcomp import Codec, container  # noqa: E402
from invcomp.container import CODECS, Container  # noqa: E402
from invcomp.fallback import encode  # noqa: E402
from invcomp.pictures import encode_image, read_picture  # noqa: E402
from invcomp.placement import Placement  # noqa: E402
from invcomp.writing import write_whole  # noqa: E402
from tests.golden_files import GOLDEN, digest, fields, golden_priors, prior_folder, read, shipped  # noqa: E402

STEPS, PORTRAITS_STEPS = 50, 12
LATEST = shipped("faces")  # has files of what the container learned last: a checksum of one byte, foreign pictures
PLACE = Placement((4000, 3000), (-1201, 900), (800, -30))


def cases(prior: str) -> Iterator[tuple[str, Image.Image, dict[str, Any]]]:
    """Name, picture and arguments of every golden file of a prior: small pictures, and every field of the header."""
    faces = [read_picture(path).image for path in sorted((ROOT / "tests" / "faces").glob("*.png"))]
    wide = faces[2].resize((90, 40), Image.Resampling.LANCZOS)
    for n, quality in enumerate((0, 36, 100)):
        yield f"q{quality}-{n}", faces[n], {"quality": quality}
    yield "wide", wide, {}
    yield "levels", faces[3], {"levels": 2, "quality": 60}
    yield "progressive", faces[4], {"progressive": True, "quality": 60}
    yield "placed", faces[5], {"placement": PLACE, "quality": 20}
    yield "every-field", wide, {"progressive": True, "levels": 2, "placement": PLACE, "quality": 60}
    if prior == LATEST:
        yield "one-byte", faces[0], {"checksum": 1, "quality": 20}
        yield "one-byte-progressive", faces[1], {"checksum": 1, "quality": 20, "progressive": True}
    yield "own-size", read_picture(ROOT / "examples" / "faces" / "face-1.png").image, {"quality": 60}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="of the container, like v1: the names begin with it")
    parser.add_argument("priors", nargs="+", help="names in tests/golden/priors.json")
    args = parser.parse_args()
    for name in args.priors:
        with tempfile.TemporaryDirectory() as place:
            write(args.version, name, Codec(prior_folder(golden_priors()[name], Path(place)), "cpu"))


def write(version: str, prior: str, codec: Codec) -> None:
    """The golden files of a prior that are not there yet."""
    digests, headers = (Index(GOLDEN / name) for name in ("symbols.json", "fields.json"))
    steps = STEPS if codec.prior.encoder else PORTRAITS_STEPS
    for case, image, arguments in cases(prior):
        path = GOLDEN / f"{version}-{prior}-{case}.inv"
        if path.exists() or (case == "own-size" and image.size != (codec.prior.arch.image_size,) * 2):
            continue
        data = codec.compress(image, steps=steps, **arguments)
        keep(path, codec, data, digests, headers)
    if prior == LATEST:
        for kind in CODECS:
            path = GOLDEN / f"{version}-{prior}-foreign-{kind}.inv"
            if not path.exists():
                keep(path, codec, foreign(codec, kind), digests, headers)


def foreign(codec: Codec, kind: str) -> bytes:
    """A small photograph as another codec's file."""
    image = read_picture(ROOT / "tests" / "faces" / "face-3.png").image.resize((48, 32), Image.Resampling.LANCZOS)
    payload = encode(kind, image, 40)
    return container.write(Container(codec.prior.info.id_bytes, 0, payload, size=(96, 64), foreign=kind))


def keep(path: Path, codec: Codec, data: bytes, digests: "Index", headers: "Index") -> None:
    """Write a file, its picture, and what is known of it."""
    content, symbols = read(codec, data)
    write_whole(path.with_suffix(".png"), encode_image(codec.decompress(data)))
    write_whole(path, data)
    digests.add(path.stem, digest(symbols))
    headers.add(path.stem, fields(content))
    print(f"{path.name}: {len(data)} bytes")


class Index:
    """A JSON file by golden file; what it says once it says for good."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def add(self, stem: str, entry: Any) -> None:
        self.entries = {stem: entry} | self.entries  # what is there wins
        lines = [f" {json.dumps(key)}: {json.dumps(self.entries[key])}" for key in sorted(self.entries)]
        write_whole(self.path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


if __name__ == "__main__":
    main()
