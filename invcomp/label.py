"""The mark on a decoded picture: `generated likeness` in light letters on a dark strip, in the lower right corner.

In the FFHQ frame that corner shows shoulder, hair or background, so the mark covers as little of a face as it can.
"""

from functools import cache
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

from invcomp.alignment import FEATHER
from invcomp.placement import Square

WORDINGS = ("generated likeness", "generated", "gen.")
"""From the wish to what the smallest pictures hold."""
SMALLEST = 9  # pixels of the letters, below which Pillow's font cannot be read
SHARE = 1 / 24  # of the shorter side, from where that is more
TOO_SMALL = "the picture is too small for a mark; its metadata says that it is generated, where the format holds any"
MOST_HEIGHT = 0.4  # of a picture's height that the strip may have
DARKNESS = 0.7  # of the strip: white letters on a white picture have a contrast of 8.6 : 1


class Box(NamedTuple):
    """Pixels of a picture, right and bottom not included."""

    left: int
    top: int
    right: int
    bottom: int


def mark(image: Image.Image, box: Box | None = None) -> bool:
    """Draw the mark into an RGB image, or into a box of it; False if there is no room for the shortest."""
    box = Box(0, 0, *image.size) if box is None else box
    strip = strip_for(box.right - box.left, box.bottom - box.top)
    if strip is None:
        return False
    place = (box.right - strip.width, box.bottom - strip.height, box.right, box.bottom)
    behind = image.crop(place)
    dark = Image.blend(behind, Image.new("RGB", strip.size), DARKNESS)
    image.paste(ImageChops.lighter(dark, Image.merge("RGB", (strip,) * 3)), place[:2])
    return True


def mark_face(image: Image.Image, square: Square) -> bool:
    """Draw the mark at a face that was put into a square of an RGB image, inside of its blended border."""
    half = (1 - FEATHER) * abs(square.half)
    low, high = square.centre - complex(half, half), square.centre + complex(half, half)
    left, top = max(0, round(low.real)), max(0, round(low.imag))
    return mark(image, Box(left, top, min(image.width, round(high.real)), min(image.height, round(high.imag))))


def strip_for(width: int, height: int) -> Image.Image | None:
    """The letters, white on black, for a box of this size: the longest wording that fits; None if none does."""
    size = max(SMALLEST, round(min(width, height) * SHARE))
    for wording in WORDINGS:
        letters = lettering(wording, size)
        if letters.width <= width and letters.height <= MOST_HEIGHT * height:
            return letters
    return None


@cache
def lettering(text: str, size: int) -> Image.Image:
    """A line of letters of so many pixels, white on black with a margin (mode L)."""
    try:
        font: ImageFont.FreeTypeFont | ImageFont.ImageFont = ImageFont.load_default(size)
    except ImportError:  # a Pillow without FreeType has one font, of one size
        font = ImageFont.load_default_imagefont()
    left, top, right, bottom = font.getbbox(text)
    margin = max(2, size // 4)
    image = Image.new("L", (round(right - left) + 2 * margin, round(bottom - top) + 2 * margin - 1))
    ImageDraw.Draw(image).text((margin - left, margin - top), text, fill=255, font=font)
    if isinstance(font, ImageFont.ImageFont):
        image = ImageOps.scale(image, max(1, size // SMALLEST), Image.Resampling.NEAREST)
    return image
