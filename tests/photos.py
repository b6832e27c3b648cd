"""Photographs of printed codes, as a camera takes them: turned, tilted, unevenly lit, out of focus and noisy."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

DRAWN = 8  # pixels a module before the camera sees them
ROOM = 1.6  # side of the table, in sides of the code


@dataclass(frozen=True)
class Shot:
    """How a code is photographed."""

    module: float = 6.0
    """Pixels a module."""
    degrees: float = 10.0
    """Against the clock."""
    tilt: float = 0.06
    """By which share one side is nearer than the middle, and the other further."""
    blur: float = 0.2
    """Standard deviation, in modules."""
    noise: float = 12.0
    """Standard deviation of every pixel, in levels of 255."""
    light: float = 0.6
    """Of the darkest corner, beside 1 in the brightest."""


def photographed(code: Image.Image, modules: int, shot: Shot, seed: int) -> Image.Image:
    """A drawn code (`modules` a side with its border) on a grey table."""
    rng = np.random.default_rng(seed)
    side, drawn_side = round(DRAWN * modules * ROOM), DRAWN * modules
    turn, half = math.radians(-shot.degrees), drawn_side / 2
    middle = side / 2 + rng.uniform(-0.03, 0.03, 2) * side
    corners = []
    for x, y in ((-half, -half), (half, -half), (half, half), (-half, half)):
        x *= 1 + shot.tilt * y / half
        across, down = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
        corners.append((middle[0] + across, middle[1] + down))
    drawn = code.convert("L").resize((drawn_side, drawn_side), Image.Resampling.NEAREST)
    placed = ((side, side), Image.Transform.PERSPECTIVE, projection(corners, drawn_side), Image.Resampling.BICUBIC)
    table = Image.new("L", (side, side), 120)
    table.paste(drawn.transform(*placed), mask=Image.new("L", drawn.size, 255).transform(*placed))
    side = round(side * shot.module / DRAWN)
    seen = table.resize((side, side), Image.Resampling.LANCZOS).filter(
        ImageFilter.GaussianBlur(shot.blur * shot.module)
    )
    shade = np.linspace(0, (1 - shot.light) / 2, side)
    pixels = (30 + 0.8 * np.asarray(seen, dtype=np.float64)) * (1 - shade - shade[:, None])
    return Image.fromarray(np.uint8(np.clip(pixels + rng.normal(0, shot.noise, pixels.shape), 0, 255)))


def projection(corners: list[tuple[float, float]], side: int) -> list[float]:
    """Pillow's eight numbers that put a square picture of `side` pixels onto four corners, clockwise from top left."""
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, ((0, 0), (side, 0), (side, side), (0, side)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(number) for number in np.linalg.solve(np.array(rows, dtype=float), np.array(values, dtype=float))]
