"""invcomp beside WebP of the same bytes: a table and a picture.

    python scripts/compare_webp.py FOLDER -o sheet.png --quality 40

For every picture, WebP (method 6, no metadata) may use any quality and any of the sizes 1, 3/4, 1/2, 3/8 of the
original, and as many bytes as invcomp used: the best PSNR among its files of at most that size, or its smallest file if
none is that small. LPIPS is taken on pictures enlarged to 128 pixels; the search optimises neither SSIM nor LPIPS-alex.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from invcomp import Codec
from invcomp.inversion.losses import build_loss
from invcomp.pictures import encode_image, extensions, grid, read_picture, to_tensor, write_whole

SCALES = (1.0, 0.75, 0.5, 0.375)
SHOWN = 128


def webp(image: Image.Image, most: int) -> tuple[int, Image.Image]:
    """Bytes and decoded picture of the best WebP of at most `most` bytes, or of the smallest there is."""
    candidates = []
    for scale in SCALES:
        small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
        for quality in range(0, 101, 2):
            buffer = io.BytesIO()
            small.save(buffer, format="WEBP", quality=quality, method=6)
            size = buffer.tell()
            if size > most and candidates:
                break
            decoded = Image.open(buffer).convert("RGB").resize(image.size, Image.Resampling.LANCZOS)
            error = np.square(np.asarray(decoded, dtype=float) - np.asarray(image, dtype=float)).mean()
            candidates.append((size > most, size if size > most else error, size, decoded))
    _, _, size, decoded = min(candidates, key=lambda c: c[:2])
    return size, decoded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("compare-webp.png"))
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--quality", type=float, default=36)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--loss", default=None)
    parser.add_argument("--shown", type=int, default=12)
    args = parser.parse_args()

    codec = Codec(args.prior)
    side = codec.prior.arch.image_size or 64
    paths = [p for p in sorted(args.folder.iterdir()) if p.suffix.lower() in extensions()]
    originals = [read_picture(p).image.resize((side, side), Image.Resampling.LANCZOS) for p in paths]
    results = codec.compress_batch(originals, quality=args.quality, steps=args.steps, loss=args.loss)
    ours = [(result.bytes, codec.decompress(result.data)) for result in results]
    theirs = [webp(image, result.bytes) for image, result in zip(originals, results, strict=True)]

    judges = {
        name: build_loss(name, lambda: codec.prior.critic, torch.device("cpu")) for name in ("ssim", "lpips-alex")
    }
    target = torch.stack([to_tensor(image) for image in originals])
    table = Table(
        "codec", "bytes", "PSNR, dB", "SSIM", "LPIPS-alex", title=f"{args.folder.name}: {len(paths)} pictures"
    )
    for name, decoded in (("invcomp", ours), ("WebP", theirs)):
        pictures = torch.stack([to_tensor(image) for _, image in decoded])
        psnr = -10 * (pictures - target).square().mean(dim=(1, 2, 3)).log10()
        ssim, lpips = (judge.distance(pictures, judge.reference(target)).mean() for judge in judges.values())
        size = np.mean([size for size, _ in decoded])
        table.add_row(name, f"{size:.0f}", f"{psnr.mean():.2f}", f"{1 - ssim:.3f}", f"{lpips:.3f}")
    Console().print(table)
    rows = [originals, [image for _, image in ours], [image for _, image in theirs]]
    shown = [image.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS) for row in rows for image in row[: args.shown]]
    write_whole(args.output, encode_image(grid(shown, min(args.shown, len(paths))), args.output))


if __name__ == "__main__":
    main()
