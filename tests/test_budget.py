"""The promise on the size: no file over it, the bytes used, refused if it cannot be kept."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from invcomp.codec import Codec
from invcomp.errors import ImageError, UsageError
from invcomp.inversion.budget import steered
from invcomp.placement import Placement
from tests.conftest import FACES

LOSS = "100*mse"


@pytest.mark.parametrize("steps", [0, 3, 30])
@pytest.mark.parametrize("max_bytes", [9, 12, 20, 40, 100, 888])
def test_no_file_is_larger(tiny: Codec, held_out: list[Image.Image], steps: int, max_bytes: int) -> None:
    for image, result in zip(
        held_out, tiny.compress_batch(held_out, max_bytes=max_bytes, steps=steps, loss=LOSS), strict=True
    ):
        assert result.bytes <= max_bytes
        assert tiny.decompress(result.data).size == image.size


@pytest.mark.parametrize("max_bytes", [40, 64, 100])
def test_the_bytes_are_used(tiny: Codec, held_out: list[Image.Image], max_bytes: int) -> None:
    results = tiny.compress_batch(held_out, max_bytes=max_bytes, steps=100, loss=LOSS)
    assert np.mean([result.bytes for result in results]) >= 0.95 * max_bytes


def test_the_bytes_are_used_well(faces: Codec) -> None:
    """At the bytes of a plain search the distortion is about that of the plain search."""
    images = [Image.open(path) for path in FACES[:3]]
    ratios = []
    for image, plain in zip(images, faces.compress_batch(images, quality=40, steps=60), strict=True):
        (bound,) = faces.compress_batch([image], max_bytes=plain.bytes, steps=60)
        assert 0.95 * plain.bytes <= bound.bytes <= plain.bytes
        ratios.append(bound.distortion / plain.distortion)
    assert np.exp(np.mean(np.log(ratios))) < 1.08


def test_more_bytes_give_better_pictures(tiny: Codec, held_out: list[Image.Image]) -> None:
    found = [
        np.mean([r.distortion for r in tiny.compress_batch(held_out, max_bytes=n, steps=30, loss=LOSS)])
        for n in (20, 50, 120)
    ]
    assert found[0] > found[1] > found[2]


@pytest.mark.parametrize("start", ["mean", "best-of-3"])
def test_every_start_keeps_it(tiny: Codec, held_out: list[Image.Image], start: str) -> None:
    for result in tiny.compress_batch(held_out[:3], max_bytes=50, steps=40, loss=LOSS, start=start):
        assert 30 < result.bytes <= 50


def test_fields_of_the_header_count(tiny: Codec, held_out: list[Image.Image]) -> None:
    image = held_out[0].resize((300, 170))
    place = Placement((4000, 3000), (-1200, 900), (800, 30))
    for placement in (None, place):
        (result,) = tiny.compress_batch([image], max_bytes=30, steps=10, loss=LOSS, placements=[placement])
        assert result.bytes <= 30


def test_what_cannot_be_kept_is_refused_with_the_smallest_that_can(tiny: Codec, held_out: list[Image.Image]) -> None:
    for image in (held_out[0], held_out[0].resize((300, 170))):
        with pytest.raises(ImageError, match="no file has 4 bytes") as caught:
            tiny.compress(image, max_bytes=4, steps=0)
        smallest = int(re.findall(r"\d+", str(caught.value))[-1])
        assert len(tiny.compress(image, max_bytes=smallest, steps=0)) <= smallest
        with pytest.raises(ImageError):
            tiny.compress(image, max_bytes=smallest - 1, steps=0)


def test_wrong_limits(tiny: Codec, held_out: list[Image.Image]) -> None:
    with pytest.raises(UsageError, match="quality"):
        tiny.compress(held_out[0], quality=50, max_bytes=100)
    with pytest.raises(UsageError, match="1 byte or more"):
        tiny.compress(held_out[0], max_bytes=0)


def test_lambda_follows_the_bits() -> None:
    weight = torch.ones(3)
    found = steered(weight, torch.tensor([50.0, 99.0, 200.0]), torch.tensor([100.0, 100.0, 100.0]))
    assert found[0] < 1
    assert found[1] == pytest.approx(1)
    assert found[2] > 1
