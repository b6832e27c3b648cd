"""Skin tone in a picture: the Individual Typology Angle of the cheeks.

The angle is arctan((L* - 50) / b*) in CIE L*a*b* (Chardon, Cretois and Hourseau, "Skin colour typology and suntanning
pathways", International Journal of Cosmetic Science 13, 1991); the lighter the skin, the larger it is. It was made for
colorimeters on skin: in a photograph light, exposure and white balance are part of it.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from invcomp.dlib_models import load_dlib, model_file
from invcomp.faces import LANDMARKS
from invcomp.lab.identity import enlarged

CLASSES = ((55.0, "very light"), (41.0, "light"), (28.0, "intermediate"), (10.0, "tan"), (-30.0, "brown"))
"""Angles above which skin is called so; below the last it is dark (Chardon et al. 1991, Del Bino et al. 2006)."""
CHEEKS = ((41, 40, 31, 48, 3, 1), (46, 47, 35, 54, 13, 15))
"""Landmarks around each cheek, of the 68: lower lid, wing of the nose, corner of the mouth, jaw."""
INSET = 0.7  # of a cheek's outline towards its middle, so that no lid, lip, beard or background is in it
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ.sum(axis=1)  # D65, as sRGB has it


def lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB (..., 3) → CIE L*a*b* (..., 3), white D65 (IEC 61966-2-1, CIE 15)."""
    share = rgb / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    ratio = linear @ TO_XYZ.T / WHITE
    delta = 6 / 29
    x, y, z = np.moveaxis(np.where(ratio > delta**3, np.cbrt(ratio), ratio / (3 * delta**2) + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def typology_angle(lightness: float, yellowness: float) -> float:
    """The Individual Typology Angle in degrees, of L* and b*; a b* below 0, of blue light, counts as 0."""
    return math.degrees(math.atan2(lightness - 50, max(yellowness, 0.0)))


def tone(angle: float) -> str:
    """The class of an angle: very light, light, intermediate, tan, brown or dark."""
    return next((name for least, name in CLASSES if angle > least), "dark")


class SkinMeter:
    """Where the cheeks of a face are, and what colour they have."""

    def __init__(self) -> None:
        """Raises `MissingPackageError` without the extra `faces`."""
        self.predictor: Any = load_dlib("skin tone").shape_predictor(model_file(LANDMARKS, "skin tone"))

    def cheeks(self, image: Image.Image, box: Any) -> NDArray[np.bool_]:
        """The pixels (H, W) of the cheeks of the face in `box`, as `FaceRecognition.find` gives it."""
        pixels = enlarged(image)
        points = np.array([(p.x, p.y) for p in self.predictor(pixels, box).parts()], dtype=float)
        points *= image.width / pixels.shape[1]
        mask = Image.new("1", image.size)
        for outline in CHEEKS:
            corners = points[list(outline)]
            inner = corners.mean(axis=0) + INSET * (corners - corners.mean(axis=0))
            ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in inner], fill=1)
        return np.asarray(mask)


def skin_colour(image: Image.Image, skin: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The median L*, a* and b* (3,) of an RGB image where `skin` (H, W) is."""
    colour: NDArray[np.float64] = np.median(lab(np.asarray(image)[skin]), axis=0)
    return colour
