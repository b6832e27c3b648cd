"""What photographs have and drawn pictures lack: things in front, blur, noise, grey, JPEG.

Pictures are (N, 3, H, W) in [0, 1].
"""

import math
import string

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F
from torchvision.io import ImageReadMode, decode_jpeg, encode_jpeg
from torchvision.transforms.v2 import functional as transforms

THINGS, THING_SIDE = 256, 64  # how many are drawn, and on how many pixels
THING_SIZES = (0.12, 0.5)  # their sides as shares of the picture's
BLUR = (0.004, 0.012)  # standard deviation as a share of the side
NOISE = (0.01, 0.06)  # standard deviation, of pixels in [0, 1]
JPEG = (25, 85)  # quality


def degrade(pictures: Tensor, share: float, things: Tensor) -> Tensor:
    """Each of the five befalls about `share` of the pictures, by itself; `things` (K, 4, S, S) as of `draw_things`."""
    found = pictures.clone()
    for change in (lambda x: cover(x, things), blur, noise, grey, jpeg):
        rows = (torch.rand(len(pictures)) < share).nonzero().flatten().to(pictures.device)
        if len(rows):
            found[rows] = change(found[rows])
    return found.clamp(0, 1)


def between(ends: tuple[float, float], shape: tuple[int, ...] = ()) -> Tensor:
    """Uniform between the logarithms of two positive ends."""
    low, high = (math.log(end) for end in ends)
    return (low + (high - low) * torch.rand(shape)).exp()


def cover(pictures: Tensor, things: Tensor) -> Tensor:
    """One thing in front of every picture, turned, anywhere."""
    n, device = len(pictures), pictures.device
    chosen = things[torch.randint(0, len(things), (n,)).to(things.device)].to(device)
    angle, scale = torch.rand(n) * 2 * math.pi, between(THING_SIZES, (n,))
    place = torch.rand(n, 2, 1) * 2 - 1
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)], 1)
    matrix = turn / scale.view(-1, 1, 1)
    theta = torch.cat([matrix, -matrix @ place], dim=2).to(device)
    grid = F.affine_grid(theta, [n, 4, *pictures.shape[2:]], align_corners=False)
    alpha = chosen[:, 3:]
    laid = F.grid_sample(torch.cat([chosen[:, :3] * alpha, alpha], dim=1), grid, align_corners=False)
    return pictures * (1 - laid[:, 3:]) + laid[:, :3]


def blur(pictures: Tensor) -> Tensor:
    """A Gaussian, the same for all."""
    sigma = float(between(BLUR)) * pictures.shape[-1]
    found: Tensor = transforms.gaussian_blur(pictures, [2 * math.ceil(2 * sigma) + 1] * 2, [sigma, sigma])
    return found


def noise(pictures: Tensor) -> Tensor:
    return pictures + between(NOISE, (len(pictures), 1, 1, 1)).to(pictures.device) * torch.randn_like(pictures)


def grey(pictures: Tensor) -> Tensor:
    found: Tensor = transforms.rgb_to_grayscale(pictures, num_output_channels=3)
    return found


def jpeg(pictures: Tensor) -> Tensor:
    """Through JPEG at one quality, on the CPU."""
    quality = int(torch.randint(JPEG[0], JPEG[1] + 1, ()))
    pixels = (pictures.clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    decoded = [decode_jpeg(encode_jpeg(x, quality=quality), ImageReadMode.RGB) for x in pixels]
    return torch.stack(decoded).to(pictures.device).to(pictures.dtype) / 255


def draw_things(seed: int, textures: np.ndarray | None = None) -> Tensor:
    """Things to lay in front, (256, 4, 64, 64) in [0, 1], the last channel opacity.

    Shapes, sticks with a ball and letters, filled with a colour, a gradient, or one of the `textures` uint8
    (N, 3, S, S).
    """
    rng = np.random.default_rng([seed, 3])
    drawers = (draw_ellipse, draw_polygon, draw_stick, draw_text)
    found = []
    for number in range(THINGS):
        mask = Image.new("L", (4 * THING_SIDE, 4 * THING_SIDE))
        drawers[number % len(drawers)](ImageDraw.Draw(mask), 4 * THING_SIDE, rng)
        alpha = np.asarray(mask.resize((THING_SIDE, THING_SIDE), Image.Resampling.BOX), np.float32) / 255
        found.append(np.concatenate([fill(rng, textures), alpha[None]]))
    return torch.from_numpy(np.stack(found))


def fill(rng: np.random.Generator, textures: np.ndarray | None) -> np.ndarray:
    """Colours (3, 64, 64) in [0, 1]."""
    if textures is not None and rng.random() < 0.5:
        chosen = Image.fromarray(textures[rng.integers(len(textures))].transpose(1, 2, 0))
        return np.asarray(chosen.resize((THING_SIDE, THING_SIDE)), np.float32).transpose(2, 0, 1) / 255
    ends = rng.random((2, 3)).astype(np.float32) if rng.random() < 0.5 else rng.random((1, 3)).astype(np.float32)
    ramp = np.linspace(0, 1, THING_SIDE, dtype=np.float32)
    colours = ends[0, :, None] * (1 - ramp) + ends[-1, :, None] * ramp
    return np.broadcast_to(colours[:, :, None], (3, THING_SIDE, THING_SIDE))


def draw_ellipse(draw: ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    half = side * rng.uniform(0.15, 0.5)
    draw.ellipse((0, side / 2 - half, side - 1, side / 2 + half - 1), fill=255)


def draw_polygon(draw: ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    angles = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(3, 8)))
    radii = side / 2 * rng.uniform(0.5, 1, len(angles))
    points = side / 2 + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    draw.polygon([(float(x), float(y)) for x, y in points], fill=255)


def draw_stick(draw: ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    """A stick with a ball at its end: a microphone, a finger, a spoon."""
    ball, thick = side * rng.uniform(0.08, 0.25), side * rng.uniform(0.05, 0.2)
    draw.rectangle((side / 2 - thick / 2, ball, side / 2 + thick / 2, side), fill=255)
    draw.ellipse((side / 2 - ball, 0, side / 2 + ball, 2 * ball), fill=255)


def draw_text(draw: ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    letters = list(string.ascii_letters + string.digits)
    words = "".join(rng.choice(letters, rng.integers(1, 6)))
    font = ImageFont.load_default(side / max(1, 0.7 * len(words)))
    draw.text((side / 2, side / 2), words, fill=255, font=font, anchor="mm")
