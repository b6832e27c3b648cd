"""Skin tone: the colour space as another implementation has it, the angle's classes, cheeks where cheeks are."""

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from invcomp.errors import MissingPackageError
from invcomp.lab.identity import FaceRecognition
from invcomp.lab.skin import SkinMeter, lab, skin_colour, tone, typology_angle
from tests.conftest import FACES


def test_lab_agrees_with_scikit_image() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (500, 3), dtype=np.uint8)
    colours[:2] = [[0], [255]]
    assert np.abs(lab(colours) - rgb2lab(colours[None])[0]).max() < 0.02


@pytest.mark.parametrize(
    ("lightness", "yellowness", "angle", "name"),
    [
        (75, 15, 59.0, "very light"),
        (70, 20, 45.0, "light"),
        (50, 20, 0.0, "brown"),
        (30, 10, -63.4, "dark"),
        (70, -9, 90, "very light"),
    ],
)
def test_the_angle_and_its_classes(lightness: float, yellowness: float, angle: float, name: str) -> None:
    found = typology_angle(lightness, yellowness)
    assert found == pytest.approx(angle, abs=0.1)
    assert tone(found) == name


def test_cheeks_lie_beside_the_nose_and_darker_pictures_measure_darker() -> None:
    try:
        recognition, meter = FaceRecognition(), SkinMeter()
    except MissingPackageError as error:
        pytest.skip(str(error))
    image = Image.open(FACES[0]).convert("RGB")
    box = recognition.find(image)
    cheeks = meter.cheeks(image, box)
    rows, columns = np.nonzero(cheeks)
    assert cheeks.shape == (64, 64)
    assert 0.01 < cheeks.mean() < 0.15
    assert 0.45 * 64 < rows.mean() < 0.75 * 64
    assert columns.min() < 32 < columns.max()  # both of them
    darker = Image.fromarray(np.uint8(np.asarray(image) * 0.6))
    light, dark = (skin_colour(picture, cheeks) for picture in (image, darker))
    assert dark[0] < light[0] - 10
    assert typology_angle(dark[0], dark[2]) < typology_angle(light[0], light[2])
