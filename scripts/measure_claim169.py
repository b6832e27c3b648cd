"""The photo in an identity QR code (MOSIP Claim 169): what fits, and what invcomp and WebP make of the bytes.

    pip install claim169
    python scripts/measure_claim169.py FACES --keep kept/ -o claim169.json

`claim169` makes the payload as issuers do: the fields as CBOR, in a CWT, signed (COSE_Sign1, Ed25519), zlib, Base45.
The person is made up. Prints how many bytes remain for the photo in codes of several versions. Then stores every face
of the folder as invcomp at several `--max-bytes` (100 steps) and as WebP of 48 x 48 pixels, quality 60 (enlarged with
Lanczos), puts it into the payload, and prints the version of the code and how near the decoded photo is to the original
at 128 x 128. Files of invcomp are kept and not made again.
"""

import argparse
import io
import json
from collections.abc import Sequence
from pathlib import Path

import claim169
import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from invcomp.carriers.qr import LEVELS, PREFIX, room
from invcomp.codec import Codec
from invcomp.lab.metrics import Judge, means
from invcomp.pictures import central_square, extensions, read_picture
from invcomp.writing import write_whole

SIZES = (100, 150, 200, 300, 400)
VERSIONS = (10, 15, 20, 25, 30)
BUDGET = 1005  # bytes of a whole payload today
SIDE, WEBP_SIDE, WEBP_QUALITY = 128, 48, 60
WEBP = f"WebP {WEBP_SIDE} x {WEBP_SIDE}, quality {WEBP_QUALITY}"
KEY = bytes(range(32))
ISSUED, YEARS = 1_767_225_600, 10  # 1 January 2026
MARK = 4  # of the photo's format: WebP's; invcomp has none yet, and any takes one byte


def payload(photo: bytes | None) -> str:
    """The text of the code of a made-up person."""
    person = claim169.Claim169Input(
        id="3918592438",
        version="1.0.0",
        language="eng",
        full_name="Janardhan Bangalore Srinivas",
        date_of_birth="19840418",
        gender=1,
        address="New House, Near Metro Line, Bengaluru, KA",
        email="janardhan@example.com",
        phone="+919876543210",
        nationality="IN",
        marital_status=2,
    )
    if photo:
        person.photo, person.photo_format = photo, MARK
    facts = claim169.CwtMetaInput(issuer="https://id.example.org")
    facts.issued_at = facts.not_before = ISSUED
    facts.expires_at = ISSUED + YEARS * 365 * 86400
    return str(claim169.encode_with_ed25519(person, facts, KEY))


def size_of(text: str) -> int:
    """Bytes that a Base45 text stands for."""
    return len(text) // 3 * 2 + len(text) % 3 // 2


def version_of(text: str, level: str) -> int:
    """Of the smallest code that holds a payload; 0 if none does."""
    return next((version for version in range(1, 41) if capacity(version, level) >= len(text)), 0)


def capacity(version: int, level: str) -> int:
    """Characters of Base45 in a code."""
    return characters(room(version, level, text=True)) + len(PREFIX)


def characters(size: int) -> int:
    """Of the Base45 text that stands for so many bytes."""
    return size // 2 * 3 + size % 2 * 2


def remaining(most: int) -> int:
    """The largest photo with which a payload has at most so many characters; incompressible, as photos are."""
    noise = np.random.default_rng(0).bytes(4000)
    low, high = 0, 4000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if len(payload(noise[:middle])) <= most else (low, middle)
    return low


def webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    small = image.resize((WEBP_SIDE, WEBP_SIDE), Image.Resampling.LANCZOS)
    small.save(buffer, format="WEBP", quality=WEBP_QUALITY, method=6)
    return buffer.getvalue()


def from_webp(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def files_of(codec: Codec, paths: Sequence[Path], images: Sequence[Image.Image], size: int, keep: Path) -> list[bytes]:
    """Of every face a file of at most `size` bytes."""
    places = [keep / f"{path.stem}-{size}.inv" for path in paths]
    if not all(place.is_file() for place in places):
        results = codec.compress_batch(images, max_bytes=size, schedule="fast", batch_size=24)
        for place, result in zip(places, results, strict=True):
            write_whole(place, result.data)
    return [place.read_bytes() for place in places]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--keep", type=Path, required=True, help="folder for the files")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)

    bare = payload(None)
    print(f"Without a photo: {size_of(bare)} bytes, {len(bare)} characters, version {version_of(bare, 'M')}-M.")
    print(f"Of {BUDGET} bytes remain {remaining(characters(BUDGET))} for the photo.\n")
    print("| version | modules |" + "".join(f" {level} |" for level in LEVELS) + "\n|---|---|---|---|---|---|")
    for version in VERSIONS:
        cells = [remaining(capacity(version, level)) for level in LEVELS]
        print(f"| {version} | {4 * version + 17} | " + " | ".join(str(n) if n else "–" for n in cells) + " |")

    paths = sorted(path for path in args.folder.iterdir() if path.suffix.lower() in extensions())
    images = [central_square(read_picture(path).image, SIDE) for path in paths]
    judge, codec = Judge(images), Codec(args.prior, "cpu")
    kinds = {f"invcomp, --max-bytes {size}": files_of(codec, paths, images, size, args.keep) for size in SIZES}
    kinds[WEBP] = [webp(image) for image in images]
    found = {}
    for name, files in track(kinds.items(), transient=True, console=Console(stderr=True)):
        decoded = [from_webp(data) if name == WEBP else codec.decompress(data) for data in files]
        figures, _ = judge.measure(decoded)
        identity = judge.measure_identity(decoded)
        texts = [payload(data) for data in files]
        found[name] = means(figures) | means(identity) | {
            "bytes": [len(data) for data in files],
            "payload": [size_of(text) for text in texts],
            "version_m": [version_of(text, "M") for text in texts],
        }  # fmt: skip
    write_whole(args.output, json.dumps(found, indent=1).encode())

    print(f"\n{len(paths)} faces:\n")
    print("| photo | bytes | payload, bytes | version at M | modules | PSNR | LPIPS-alex | LPIPS-squeeze | same person "
          "| identity distance |\n|---|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    for name, row in found.items():
        versions = row["version_m"]
        print(
            f"| {name} | {span(row['bytes'])} | {span(row['payload'])} | {span(versions)} | "
            f"{span([4 * version + 17 for version in versions])} | {row['psnr']:.2f} | {row['lpips_alex']:.3f} | "
            f"{row['lpips_squeeze']:.3f} | {row['identity']:.2f} | {row['identity_distance']:.3f} |"
        )


def span(values: Sequence[int]) -> str:
    """From the least to the most, and the mean if they differ."""
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high} ({np.mean(values):.0f})"


if __name__ == "__main__":
    main()
