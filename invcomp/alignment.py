"""The FFHQ frame: which square of a picture belongs to a face, how it is cut out, and how it is put back.

Square and crop follow the script that made the data set FFHQ (`recreate_aligned_images` of `download_ffhq.py` in
NVlabs/ffhq-dataset; Karras, Laine and Aila, "A Style-Based Generator Architecture for GANs", appendix A), in which the
faces of the priors and of nearly all face generators are framed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from invcomp.errors import ImageError
from invcomp.placement import Placement, Square

OVERSAMPLING = 4  # of the crop, before it is shrunk to its size
FEATHER = 0.08  # of the side: how wide the blend is at the border of what is put back
BAND = 128  # rows that are put back at once: bounds memory
MAX_FITTED = 4096  # pixels a side to which a face is enlarged before it is put back: bounds memory


@dataclass(frozen=True)
class Landmarks:
    """The five points that fix the frame, left and right as in the picture."""

    left_eye: complex
    """Mean of the six points around the eye."""
    right_eye: complex
    nose: complex
    """Its tip. The published formula does without it."""
    left_mouth: complex
    """Outer corner."""
    right_mouth: complex


def ffhq_square(face: Landmarks) -> Square:
    """The square of the FFHQ frame: upright for the face, its side 4 eye distances or 3.6 eye-to-mouth distances."""
    eyes = (face.left_eye + face.right_eye) / 2
    eye_to_eye = face.right_eye - face.left_eye
    eye_to_mouth = (face.left_mouth + face.right_mouth) / 2 - eyes
    direction = eye_to_eye - 1j * eye_to_mouth
    half = direction / max(abs(direction), 1e-9) * max(2.0 * abs(eye_to_eye), 1.8 * abs(eye_to_mouth))
    return Square(eyes + 0.1 * eye_to_mouth, half)


def crop(image: Image.Image, square: Square, side: int) -> Image.Image:
    """The square of an RGB image at `side` x `side` pixels, antialiased.

    What lies outside of the image is its reflection, blurred and faded to the median colour, as in FFHQ.
    """
    border = max(round(0.1 * square.side), 3)
    left, top, right, bottom = bounds(square, border)
    box = (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
    if box[0] >= box[2] or box[1] >= box[3]:  # all outside: there is only the nearest edge to reflect
        box = (0, 0, image.width, image.height)
    image, square = image.crop(box), square.moved(-box[0], -box[1])

    shrink = math.floor(square.side / side / 2)
    if shrink > 1:
        size = (max(1, round(image.width / shrink)), max(1, round(image.height / shrink)))
        square = square.scaled(size[0] / image.width, size[1] / image.height)
        image = image.resize(size, Image.Resampling.LANCZOS)
    image, square = padded(image, square)

    large = side * OVERSAMPLING
    corners = [part for corner in square.corners for part in (corner.real + 0.5, corner.imag + 0.5)]
    image = image.transform((large, large), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def bounds(square: Square, border: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the pixels that a square covers, and `border` pixels around."""
    xs, ys = [c.real for c in square.corners], [c.imag for c in square.corners]
    return (
        math.floor(min(xs)) - border,
        math.floor(min(ys)) - border,
        math.ceil(max(xs)) + border,
        math.ceil(max(ys)) + border,
    )


def padded(image: Image.Image, square: Square) -> tuple[Image.Image, Square]:
    """The image continued to all sides if the square reaches out of it, and the square in the result."""
    border = max(round(0.1 * square.side), 3)
    left, top, right, bottom = bounds(square, border)
    missing = [max(extent, 0) for extent in (-left, -top, right - image.width, bottom - image.height)]
    if max(missing) <= border - 4:
        return image, square
    left, top, right, bottom = (max(extent, round(0.3 * square.side), 1) for extent in missing)
    pixels = np.pad(np.asarray(image), ((top, bottom), (left, right), (0, 0)), "reflect")
    rows = np.arange(len(pixels), dtype=np.float32)[:, None, None]
    columns = np.arange(pixels.shape[1], dtype=np.float32)[None, :, None]
    outside: NDArray[np.float32] = 1 - np.minimum(  # 1 at the new edge, 0 at the image's, negative inside
        np.minimum(columns / left, columns[:, ::-1] / right), np.minimum(rows / top, rows[::-1] / bottom)
    )
    blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.02 * square.side))
    values = pixels.astype(np.float32)
    values += (np.asarray(blurred) - values) * np.clip(3 * outside + 1, 0, 1)
    values += (np.median(values, axis=(0, 1)) - values) * np.clip(outside, 0, 1)
    return Image.fromarray(np.uint8(np.clip(values.round(), 0, 255))), square.moved(left, top)


def place(placement: Placement | None, size: tuple[int, int], name: str, background: str) -> Square:
    """The square of the file `name` in a background of `size` (width, height). Raises `ImageError` if it has none."""
    if placement is None:
        raise ImageError(f"{name} does not say where its face was: compress the picture with --align paste")
    square = placement.square_in(size)
    if square is None:
        raise ImageError(
            f"{name} was cut from a picture of {placement.size[0]} x {placement.size[1]} pixels, and {background} has "
            f"{size[0]} x {size[1]}: give the picture itself, or one of the same shape"
        )
    return square


def paste(background: Image.Image, faces: Sequence[tuple[Image.Image, Square]]) -> Image.Image:
    """An RGB image with faces (RGB images, and their squares in it) put back, their borders blended in.

    Pixels outside of all squares stay as they are. Where squares overlap, a pixel is mostly of the face in whose
    square it lies nearer to the centre, whatever the order of the faces.
    """
    result = np.array(background)
    fitted = [(fit(face, square), square) for face, square in faces]
    for top in range(0, background.height, BAND):
        bottom = min(top + BAND, background.height)
        near = [(face, square) for face, square in fitted if reaches(square, top, bottom)]
        if near:
            result[top:bottom] = blend(result[top:bottom], near, top)
    return Image.fromarray(result)


def fit(face: Image.Image, square: Square) -> Image.Image:
    """A face at about the size at which it is put back, so that what follows needs no antialiasing."""
    side = max(1, min(MAX_FITTED, round(square.side)))
    return face.resize((side, side), Image.Resampling.LANCZOS)


def reaches(square: Square, top: int, bottom: int) -> bool:
    ys = [corner.imag for corner in square.corners]
    return min(ys) < bottom and max(ys) > top - 1


def blend(band: NDArray[np.uint8], faces: Sequence[tuple[Image.Image, Square]], top: int) -> NDArray[np.uint8]:
    """Rows (H, W, 3) of the background, from row `top` on, with the faces that reach into them."""
    height, width, _ = band.shape
    points = np.arange(width)[None] + 1j * (np.arange(height) + top)[:, None]
    colour = np.zeros(band.shape, np.float32)
    weights = np.zeros((height, width, 1), np.float32)
    cover = np.zeros((height, width, 1), np.float32)
    for face, square in faces:
        inside = (points - square.centre) / square.half  # -1 to 1 in both parts
        mask = feather(inside.real) * feather(inside.imag)
        weight = mask * np.maximum(1 - np.maximum(abs(inside.real), abs(inside.imag)), 1e-3) ** 4
        colour += weight[..., None] * turned(face, square, (width, height), top)
        weights += weight[..., None]
        cover = np.maximum(cover, mask[..., None])
    wanted = colour / np.where(weights > 0, weights, 1)
    return np.where(cover > 0, np.uint8((band + (wanted - band) * cover).round().clip(0, 255)), band)


def feather(position: NDArray[np.float64]) -> NDArray[np.float32]:
    """The share of the face across its square, position -1 to 1: 0 at both ends, 1 inside, smooth between."""
    share = np.clip((1 - abs(position)) / (2 * FEATHER), 0, 1)
    smooth: NDArray[np.float32] = (share * share * (3 - 2 * share)).astype(np.float32)
    return smooth


def turned(face: Image.Image, square: Square, size: tuple[int, int], top: int) -> NDArray[np.uint8]:
    """The face where its square lies in rows of `size` (width, height) from row `top` on; black around."""
    step = face.width / 2 / square.half  # pixels of the face in one of the background, to the right
    start = face.width / 2 * (1 + 1j) - step * (square.centre + complex(0.5, 0.5 - top))
    affine = (step.real, -step.imag, start.real, step.imag, step.real, start.imag)
    return np.asarray(face.transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC))
