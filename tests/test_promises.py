"""Promises on size and quality: no file breaks them, what they allow is used, and what cannot be kept is said."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from invcomp.codec import Codec
from invcomp.errors import ImageError, QualityError, UsageError
from invcomp.inversion.promises import MostBits, MostDistortion
from invcomp.lab.metrics import psnr, ssim
from invcomp.pictures import read_picture
from invcomp.pixels import to_tensor
from invcomp.placement import Placement
from tests.conftest import FACES
from tests.test_cli import call

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


@pytest.mark.slow
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


def judged(codec: Codec, data: bytes, image: Image.Image) -> tuple[float, float]:
    """PSNR and SSIM of a file, by the metrics of the lab."""
    decoded, original = (to_tensor(picture)[None] for picture in (codec.decompress(data), image))
    return float(psnr(decoded, original)), float(ssim(decoded, original))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(32, 32), (40, 27)])
def test_a_least_quality_is_kept_or_said_to_be_missed(
    tiny: Codec, held_out: list[Image.Image], size: tuple[int, int]
) -> None:
    images = [image.resize(size) for image in held_out]
    plain = [judged(tiny, r.data, i) for r, i in zip(tiny.compress_batch(images, steps=20), images, strict=True)]
    asked_psnr, asked_ssim = (float(np.median(values)) for values in zip(*plain, strict=True))
    for least in ({"min_psnr": asked_psnr}, {"min_ssim": asked_ssim}, {"min_psnr": asked_psnr, "min_ssim": asked_ssim}):
        results = tiny.compress_batch(images, steps=40, **least)
        assert np.mean([result.kept for result in results]) >= 0.5
        for image, result in zip(images, results, strict=True):
            found = judged(tiny, result.data, image)
            met = found[0] >= least.get("min_psnr", 0) - 1e-4 and found[1] >= least.get("min_ssim", 0) - 1e-6
            assert met == result.kept
            assert result.reached is not None
            if result.reached.psnr is not None:
                assert result.reached.psnr == pytest.approx(found[0], abs=1e-3)
            if result.reached.ssim is not None:
                assert result.reached.ssim == pytest.approx(found[1], abs=1e-4)


@pytest.mark.slow
def test_files_of_a_least_quality_are_small(faces: Codec) -> None:
    """They are no larger than those of a plain search for PSNR that reach as much."""
    images = [Image.open(path).convert("RGB") for path in FACES[:3]]
    for image, plain in zip(images, faces.compress_batch(images, quality=45, steps=80, loss="100*mse"), strict=True):
        least, _ = judged(faces, plain.data, image)
        assert len(faces.compress(image, min_psnr=least - 0.01, steps=80)) <= 1.06 * plain.bytes


def test_what_no_prior_reaches_is_an_error_and_best_effort_is_the_best(
    tiny: Codec, held_out: list[Image.Image]
) -> None:
    with pytest.raises(QualityError, match=r"reaches \d+\.\d+ dB in \d+ bytes, not 60.00 dB"):
        tiny.compress(held_out[0], min_psnr=60, steps=20)
    (result,) = tiny.compress_batch(held_out[:1], min_psnr=60, steps=60)
    assert not result.kept
    (plain,) = tiny.compress_batch(held_out[:1], quality=100, steps=60, loss="100*mse")
    assert result.reached is not None
    assert result.reached.psnr is not None
    assert result.reached.psnr > judged(tiny, plain.data, held_out[0])[0] - 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_psnr": 30, "quality": 50},
        {"min_psnr": 30, "max_bytes": 50},
        {"min_psnr": 30, "loss": LOSS},
        {"min_psnr": -1},
        {"min_psnr": 90},
        {"min_ssim": 1},
        {"min_ssim": 0},
    ],
)
def test_wrong_least_qualities(tiny: Codec, held_out: list[Image.Image], wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        tiny.compress(held_out[0], **wrong)  # type: ignore[arg-type]


def test_the_command_keeps_its_word(tiny_folder: Path, held_out: list[Image.Image], tmp_path: Path) -> None:
    picture, file = tmp_path / "a.png", tmp_path / "a.inv"
    held_out[0].save(picture)
    command = ["compress", str(picture), "--prior", str(tiny_folder), "--steps", "5", "--device", "cpu"]
    assert call(*command, "--max-bytes", "4").exit_code == 1
    missed = call(*command, "--min-psnr", "70", "--min-ssim", "0.99")
    assert missed.exit_code == 1
    assert "a.png: the prior" in missed.stderr
    assert not file.exists()
    assert call(*command, "--min-psnr", "70", "--best-effort").exit_code == 0
    assert file.exists()
    assert call(*command, "--max-bytes", "50", "--force").exit_code == 0
    assert file.stat().st_size <= 50
    assert call(*command, "--max-bytes", "50", "--quality", "3").exit_code == 2


def test_lambda_follows_what_is_reached() -> None:
    weight, limit = torch.ones(3), torch.full((3,), 100.0)
    reached = torch.tensor([50.0, 99.0, 200.0])
    fewer, same, more = MostBits(limit).steered(weight, reached, torch.zeros(3), 1.0)
    assert fewer < 1
    assert same == pytest.approx(1)
    assert more > 1
    better, same, worse = MostDistortion(limit).steered(weight, torch.zeros(3), reached, 1.0)
    assert better > 1
    assert same == pytest.approx(1)
    assert worse < 1


@pytest.mark.parametrize("progressive", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_bytes_are_used_by_the_levels_that_are_left(faces: Codec, progressive: bool) -> None:
    image = read_picture(FACES[0]).image
    (few,) = faces.compress_batch([image], max_bytes=100, levels=2, steps=30, progressive=progressive)
    (most,) = faces.compress_batch([image], quality=100, levels=2, steps=30, progressive=progressive)
    assert min(100, most.bytes) * 0.8 < few.bytes <= 100
