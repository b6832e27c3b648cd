"""Whether promises on size and quality are kept, and what they cost, as Markdown tables.

    python scripts/measure_promises.py FOLDER… --schedule fast -o promises.json

Every picture, shrunk to `--size`, with `--max-bytes` at every limit: how many files are larger, and how much of the
limit they use. Then with `--min-psnr 30 --min-ssim 0.95`: for how many the prior reaches both, in how many bytes, as a
share of a PNG's, beside the smallest WebP that reaches them at any quality, at native size and shrunk. Files are
decoded and judged anew. What is measured is kept in the output and not measured again.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from invcomp.codec import Codec
from invcomp.fallback import smallest_of
from invcomp.inversion.fidelity import Fidelity
from invcomp.pictures import central_square, extensions, png_bytes, read_picture
from invcomp.writing import write_whole

LIMITS = (40, 64, 100, 144, 200, 237, 340, 504, 888)
ASKED = Fidelity(30.0, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--schedule", default="fast")
    parser.add_argument("--most", type=int, default=1000, help="pictures of every folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file")
    args = parser.parse_args()
    images = [
        central_square(read_picture(path).image, args.size)
        for folder in args.folders
        for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in extensions())[: args.most]
    ]
    kept: dict[str, Any] = json.loads(args.output.read_text()) if args.output.exists() else {}
    codec = Codec(args.prior, "cpu")
    pictures = hashlib.sha256(b"".join(image.tobytes() for image in images)).hexdigest()
    begin = f"{codec.prior.info.id[:12]} {args.size} {pictures[:12]} {args.schedule}"

    print(f"{len(images)} pictures, prior {codec.prior.info.name}, schedule {args.schedule}\n")
    print("| limit, bytes | larger | mean share used | least share | files below 95 % |\n|---|---|---|---|---|")
    for limit in LIMITS:
        key = f"{begin} limit {limit}"
        if key not in kept:
            kept[key] = [r.bytes for r in codec.compress_batch(images, max_bytes=limit, schedule=args.schedule)]
            write_whole(args.output, json.dumps(kept).encode())
        sizes = np.array(kept[key])
        used = sizes / limit
        print(
            f"| {limit} | {(sizes > limit).sum()} | {100 * used.mean():.1f} % | {100 * used.min():.1f} % | "
            f"{(used < 0.95).sum()} |",
            flush=True,
        )

    key = f"{begin} {ASKED}"
    if key not in kept:
        kept[key] = [
            reached(codec, image, args.schedule)
            for image in track(images, description="least quality", transient=True, console=Console(stderr=True))
        ]
        write_whole(args.output, json.dumps(kept).encode())
    found = kept[key]
    print(f"\nAsked for {ASKED}, {len(found)} pictures:\n")
    print("| | reached | mean bytes of those | share of the PNG's bytes |\n|---|---|---|---|")
    for name in ("invcomp", "webp"):
        print(row(name, [entry for entry in found if entry[name]], len(found)))
    both = [entry for entry in found if entry["invcomp"] and entry["webp"]]
    if both:
        print("\nWhere both reach it:\n\n| | | mean bytes | share of the PNG's bytes |\n|---|---|---|---|")
        for name in ("invcomp", "webp"):
            print(row(name, both, len(found)))


def row(name: str, entries: list[dict[str, int]], n: int) -> str:
    if not entries:
        return f"| {name} | 0 of {n} | – | – |"
    sizes, pngs = (np.array([entry[key] for entry in entries], dtype=float) for key in (name, "png"))
    return f"| {name} | {len(entries)} of {n} | {sizes.mean():.0f} | {100 * (sizes / pngs).mean():.1f} % |"


def reached(codec: Codec, image: Image.Image, schedule: str) -> dict[str, int]:
    """Bytes of files of a picture that reach what is asked for; 0 where there is none."""

    def enough(decoded: Image.Image) -> bool:
        return ASKED.excess(ASKED.of(decoded, image)) <= 1

    (result,) = codec.compress_batch([image], min_psnr=ASKED.psnr, min_ssim=ASKED.ssim, schedule=schedule)
    ours = result.bytes if result.kept and enough(codec.decompress(result.data)) else 0
    webp = smallest_of(image, enough, codecs=("webp",))
    return {"invcomp": ours, "webp": len(webp.payload) + 20 if webp else 0, "png": len(png_bytes(image))}


if __name__ == "__main__":
    main()
