"""Where the faces of a picture are: dlib's detector and landmarks, as squares of the FFHQ frame.

Needs the extra `faces`. dlib's landmarks jitter with the box that the detector gives and are whole pixels, so they are
found again, twice, in the upright and enlarged crop that the first ones give: turned, shifted and resized copies of a
face then give nearly the same square.
"""

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from invcomp.alignment import Landmarks, crop, ffhq_square
from invcomp.dlib_models import load_dlib, model_file
from invcomp.errors import ImageError
from invcomp.placement import Placement, Square, middle

LANDMARKS = "shape_predictor_68_face_landmarks.dat"
LEFT_EYE, RIGHT_EYE, NOSE_TIP, LEFT_MOUTH, RIGHT_MOUTH = slice(36, 42), slice(42, 48), 30, 48, 54  # of the 68 points
LARGEST = 16_000_000  # pixels that are searched: bounds memory and time (dlib takes 0.15 s for a million)
LARGEST_TURNED = 1_000_000  # the same when the picture is turned
SMALL = 200  # pixels of the shorter side: smaller pictures are enlarged twice
TURNS = (20, -20, 90, -90, 180)  # degrees; tried if nothing is found upright
SURE = 0.5  # score of the detector from which a face is one; below, it has to be found again in its own crop,
AGAIN, AGAIN_BESIDE = 0.0, 0.5  # with these scores: where no other face is sure, and where one is
REFINED, REFINEMENTS = 512, 2  # pixels a side of the crop in which landmarks are found again; how often
BOX = (0.186, 0.295, 0.783, 0.891)  # left, top, right, bottom of dlib's box in the FFHQ frame: median of 48 faces
MIDDLE = complex(BOX[0] + BOX[2], BOX[1] + BOX[3]) / 2
CHECKED = 256  # pixels a side of the crop in which an uncertain face has to be found again


@dataclass(frozen=True)
class Face:
    """A face cut out of a picture, and where it was."""

    image: Image.Image
    placement: Placement


class FaceFinder:
    """dlib's frontal face detector and its 68 landmarks."""

    def __init__(self) -> None:
        """Raises `MissingPackageError` without the extra `faces`."""
        self.dlib: Any = load_dlib("finding faces")
        self.detector: Any = self.dlib.get_frontal_face_detector()
        self.predictor: Any = self.dlib.shape_predictor(model_file(LANDMARKS, "finding faces"))

    def find(self, image: Image.Image) -> list[Placement]:
        """The squares of all faces in an RGB image, from left to right.

        A face is found from about 40 pixels on (20 in pictures of less than 200, 80 in those of more than 4 million),
        turned by up to about 40 degrees. Where no face is upright, the picture is turned, by quarters too.
        """
        found = self.checked(image, self.detect(image, 0))
        if not found:
            turned = [self.detect(image, degrees) for degrees in TURNS]
            found = self.checked(image, max(turned, key=lambda faces: max((score for score, _ in faces), default=-1.0)))
        return sorted(found, key=lambda placement: placement.centre)

    def detect(self, image: Image.Image, degrees: int) -> list[tuple[float, Square]]:
        """Scores and first squares of what looks like a face once the image is turned against the clock."""
        factor = min(1.0, math.sqrt((LARGEST_TURNED if degrees else LARGEST) / (image.width * image.height)))
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        searched = image.resize(size, Image.Resampling.LANCZOS) if factor < 1 else image
        if degrees:
            searched = searched.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        enlargements = 2 if min(size) < SMALL else 1
        while enlargements and searched.width * searched.height * 4**enlargements > LARGEST:
            enlargements -= 1
        pixels = np.asarray(searched)
        boxes, scores, _ = self.detector.run(pixels, enlargements, 0.0)
        back = cmath.rect(1, math.radians(degrees))
        faces = []
        for box, score in zip(boxes, scores, strict=True):
            square = ffhq_square(self.landmarks(pixels, box))
            square = Square(middle(size) + (square.centre - middle(searched.size)) * back, square.half * back)
            faces.append((float(score), square.scaled(image.width / size[0], image.height / size[1])))
        return faces

    def checked(self, image: Image.Image, faces: list[tuple[float, Square]]) -> list[Placement]:
        """The refined squares of what is a face: of a high score, or found again in its own crop."""
        placements: list[Placement] = []
        sure = False
        for score, square in sorted(faces, key=lambda face: -face[0]):
            for _ in range(REFINEMENTS):
                square = self.refined(image, square)
            try:
                placement = Placement.of(square, image.size)
            except ImageError:
                continue  # no face has landmarks like that
            if any(same(placement.square, other.square) for other in placements):
                continue
            sure = sure or score >= SURE
            if score >= SURE or self.found_again(
                crop(image, placement.square, CHECKED), AGAIN_BESIDE if sure else AGAIN
            ):
                placements.append(placement)
        return placements

    def found_again(self, face: Image.Image, least: float) -> bool:
        """Whether the detector sees a face in the middle of a crop, with a score from `least` on."""
        boxes, _, _ = self.detector.run(np.asarray(face), 0, least)
        return any(abs(complex(box.center().x, box.center().y) / CHECKED - MIDDLE) < 0.2 for box in boxes)

    def refined(self, image: Image.Image, square: Square) -> Square:
        """The square of the landmarks that are found in the crop of a first square."""
        box = self.dlib.rectangle(*(round(edge * REFINED) for edge in BOX))
        found = ffhq_square(self.landmarks(np.asarray(crop(image, square, REFINED)), box))
        scale = square.half / (REFINED / 2)  # from the crop to the image, turned along
        return Square(square.centre + (found.centre - middle((REFINED, REFINED))) * scale, found.half * scale)

    def landmarks(self, pixels: NDArray[np.uint8], box: Any) -> Landmarks:
        """The five points of the face in a box of an RGB image (H, W, 3)."""
        points = np.array([complex(point.x, point.y) for point in self.predictor(pixels, box).parts()])
        return Landmarks(
            left_eye=complex(points[LEFT_EYE].mean()),
            right_eye=complex(points[RIGHT_EYE].mean()),
            nose=complex(points[NOSE_TIP]),
            left_mouth=complex(points[LEFT_MOUTH]),
            right_mouth=complex(points[RIGHT_MOUTH]),
        )


def cut(image: Image.Image, finder: FaceFinder, side: Callable[[Square], int]) -> list[Face]:
    """The faces of an RGB image from left to right, cut to squares of `side` pixels, a function of the square."""
    placements = finder.find(image)
    return [Face(crop(image, p.square, side(p.square)), p) for p in placements]


def same(square: Square, other: Square) -> bool:
    """Whether two squares are of one face: they are of like size, and their centres lie closer than eyes do."""
    return abs(square.centre - other.centre) < min(square.side, other.side) / 4
