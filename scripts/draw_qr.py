"""The picture of docs/qr.md: a face by way of a photographed QR code, and identity codes with either photo.

python scripts/draw_qr.py -o docs/qr.png
"""

import argparse
import io
import sys
from pathlib import Path

import segno
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for tests

from measure_claim169 import WEBP, from_webp, payload, version_of, webp  # noqa: E402

from invcomp.carriers.qr import LARGEST, read_code, write_code  # noqa: E402
from invcomp.codec import Codec  # noqa: E402
from invcomp.pictures import png_bytes, read_picture  # noqa: E402
from invcomp.writing import write_whole  # noqa: E402
from tests.photos import Shot, photographed  # noqa: E402

SIDE, GAP, CAPTION = 300, 20, 50  # pixels
BORDER, MODULE = 4, 5  # modules, pixels a module of the identity codes
BYTES = 200


def code_of(text: str) -> Image.Image:
    buffer = io.BytesIO()
    segno.make_qr(text, error="M").save(buffer, kind="png", scale=MODULE, border=BORDER)
    return Image.open(buffer).convert("RGB")


def panel(image: Image.Image, caption: str) -> Image.Image:
    """A picture above its caption of one line or two."""
    sheet = Image.new("RGB", (max(SIDE, image.width), image.height + CAPTION), "white")
    sheet.paste(image, (0, 0))
    ImageDraw.Draw(sheet).multiline_text((0, image.height + 6), caption, "black", ImageFont.load_default(15))
    return sheet


def row(panels: list[Image.Image]) -> Image.Image:
    width = sum(one.width for one in panels) + GAP * (len(panels) - 1)
    sheet = Image.new("RGB", (width, max(one.height for one in panels)), "white")
    left = 0
    for one in panels:
        sheet.paste(one, (left, 0))
        left += one.width + GAP
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", type=Path, default=ROOT / "examples" / "faces" / "face-3.png")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    original, codec = read_picture(args.face).image, Codec("faces", "cpu")
    data = codec.compress(original, max_bytes=BYTES)
    code = write_code(data, "the face", "png", "M", False, LARGEST, 8, BORDER)
    photo = photographed(Image.open(io.BytesIO(code.image)), code.modules + 2 * BORDER, Shot(), 0)
    read = read_code(png_bytes(photo), "the photograph")
    other = webp(original)
    faces = [
        (photo, f"QR code of version {code.version}-{code.level},\n{len(data)} bytes, photographed"),
        (original, "original, 128 x 128"),
        (codec.decompress(read), f"read from that photograph:\ninvcomp, {len(read)} bytes"),
        (from_webp(other), f"{WEBP}:\n{len(other)} bytes"),
    ]
    size = (SIDE, SIDE)
    above = row([panel(image.convert("RGB").resize(size, Image.Resampling.LANCZOS), said) for image, said in faces])
    texts = [(payload(read), "invcomp"), (payload(other), "WebP")]
    below = row(
        [
            panel(code_of(text), f"identity code with the face as {name}:\nversion {version_of(text, 'M')}-M")
            for text, name in texts
        ]
    )
    sheet = Image.new("RGB", (max(above.width, below.width), above.height + GAP + below.height), "white")
    sheet.paste(above, (0, 0))
    sheet.paste(below, (0, above.height + GAP))
    write_whole(args.output, png_bytes(sheet))


if __name__ == "__main__":
    main()
