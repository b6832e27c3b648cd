"""Compress the example faces, decompress them, and lay originals and results side by side in `demo/`.

make demo        (or: python scripts/demo.py)
"""

import argparse
import time
from pathlib import Path

import piq
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from invcomp import Codec
from invcomp.pictures import encode_image, grid, read_picture
from invcomp.pixels import to_tensor
from invcomp.writing import write_whole

ROOT = Path(__file__).resolve().parent.parent
SHOWN = 192  # pixels a side on the contact sheet


def captioned(image: Image.Image, caption: str) -> Image.Image:
    """An image enlarged for the contact sheet, with a line of text below."""
    tile = Image.new("RGB", (SHOWN, SHOWN + 22), "white")
    tile.paste(image.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS))
    ImageDraw.Draw(tile).text((4, SHOWN + 4), caption, fill="black", font_size=14)
    return tile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=ROOT / "examples" / "faces")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "demo")
    parser.add_argument("--steps", type=int, default=500)
    args = parser.parse_args()

    console = Console()
    codec = Codec("faces")
    paths = sorted(args.faces.glob("*.png"))
    originals = [read_picture(path).image for path in paths]
    console.print(f"{len(paths)} faces, {args.steps} steps of search each, on {codec.prior.device}")
    args.output.mkdir(parents=True, exist_ok=True)

    began = time.perf_counter()
    with console.status("compressing") as status:
        results = codec.compress_batch(
            originals, steps=args.steps, report=lambda n: status.update(f"compressing: {n:.1f} of {len(paths)}")
        )
    seconds = (time.perf_counter() - began) / len(paths)

    table = Table("file", "bytes", "PSNR, dB", "SSIM", "seconds")
    tiles = []
    for path, original, result in zip(paths, originals, results, strict=True):
        file = args.output / f"{path.stem}.inv"
        write_whole(file, result.data)
        decoded = codec.decompress(file.read_bytes())
        write_whole(args.output / f"{path.stem}.png", encode_image(decoded))
        x, y = to_tensor(decoded)[None], to_tensor(original)[None]
        psnr, ssim = float(piq.psnr(x, y)), float(piq.ssim(x, y, downsample=False))
        table.add_row(path.name, str(file.stat().st_size), f"{psnr:.2f}", f"{ssim:.3f}", f"{seconds:.2f}")
        tiles += [captioned(original, path.name), captioned(decoded, f"{file.stat().st_size} bytes")]
    columns = len(paths)
    sheet = grid([*tiles[0::2], *tiles[1::2]], columns, gap=6)
    write_whole(args.output / "contact-sheet.png", encode_image(sheet))
    console.print(table)
    console.print(f"files, decoded pictures and contact-sheet.png are in {args.output}")


if __name__ == "__main__":
    main()
