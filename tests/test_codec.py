"""Image → bytes → image, with a prior trained in the suite, of fixed and of free size."""

import numpy as np
import pytest
import torch
from PIL import Image

from invcomp import container
from invcomp.codec import Codec
from invcomp.errors import FormatError, ImageError, UsageError
from tests.conftest import photographs


def psnr(image: Image.Image, other: Image.Image) -> float:
    error = np.asarray(image, dtype=float) - np.asarray(other, dtype=float)
    return float(10 * np.log10(255**2 / np.square(error).mean()))


def test_a_prior_trained_here_compresses_and_decompresses(tiny: Codec, held_out: list[Image.Image]) -> None:
    results = tiny.compress_batch(held_out, quality=60, steps=40)
    decoded = [tiny.decompress(result.data) for result in results]
    assert np.mean([result.bytes for result in results]) < 800
    assert np.mean([psnr(a, b) for a, b in zip(held_out, decoded, strict=True)]) > 17


@pytest.mark.parametrize("quality", [0, 30, 70, 100])
def test_files_are_at_most_six_bytes_over_the_ideal(tiny: Codec, held_out: list[Image.Image], quality: float) -> None:
    for result in tiny.compress_batch(held_out, quality=quality, steps=3):
        assert result.bytes - result.ideal_bits / 8 <= 6


def test_another_size_is_restored_and_native_leaves_the_priors(tiny: Codec) -> None:
    for size in ((50, 31), (1, 1), (3000, 3), (128, 128)):
        data = tiny.compress(photographs()[0].resize(size), steps=0)
        assert tiny.decompress(data).size == size
        assert tiny.decompress(data, native=True).size == (32, 32)


def test_every_mode_is_accepted(tiny: Codec, held_out: list[Image.Image]) -> None:
    for mode in ("L", "P", "RGBA", "CMYK", "1", "I;16", "F"):
        image = held_out[0].convert("L").convert("I;16") if mode == "I;16" else held_out[0].convert(mode)
        assert tiny.decompress(tiny.compress(image, steps=0)).mode == "RGB"


def test_a_batch_gives_what_single_pictures_give(tiny: Codec, held_out: list[Image.Image]) -> None:
    """Up to floating-point noise in the search: the encoder alone is compared."""
    together = tiny.compress_batch(held_out, steps=0)
    alone = [tiny.compress(image, steps=0) for image in held_out]
    same = sum(result.data == data for result, data in zip(together, alone, strict=True))
    assert same >= len(held_out) - 1


def test_results_keep_the_order_of_the_inputs(free_folder: object) -> None:
    codec = Codec(str(free_folder), "cpu")
    images = [photographs()[i % 3].resize((32 + 16 * (i % 2), 32)) for i in range(4)]
    results = codec.compress_batch(images, steps=0, batch_size=1)
    assert [codec.decompress(result.data).size for result in results] == [image.size for image in images]


@pytest.mark.parametrize("size", [(64, 48), (33, 17), (1, 1), (100, 20)])
def test_a_prior_of_free_size_keeps_every_size(free_folder: object, size: tuple[int, int]) -> None:
    codec = Codec(str(free_folder), "cpu")
    image = photographs()[1].resize(size)
    data = codec.compress(image, quality=80, steps=5)
    assert codec.decompress(data).size == size


def test_truncated_and_damaged_files_are_refused(tiny: Codec, held_out: list[Image.Image]) -> None:
    data = tiny.compress(held_out[0], steps=0)
    for length in range(len(data)):
        with pytest.raises(FormatError):
            tiny.decompress(data[:length])
    for at in range(len(data)):
        with pytest.raises(FormatError):
            tiny.decompress(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])


def test_a_short_checksum_saves_a_byte_and_notices_as_much(tiny: Codec, held_out: list[Image.Image]) -> None:
    long, short = (tiny.compress_batch(held_out, quality=0, steps=0, checksum=size) for size in (2, 1))
    assert sum(a.bytes - b.bytes for a, b in zip(long, short, strict=True)) >= 4  # of 6
    for result, other in zip(short, long, strict=True):
        assert np.array_equal(np.asarray(tiny.decompress(result.data)), np.asarray(tiny.decompress(other.data)))
        for length in range(len(result.data)):
            with pytest.raises(FormatError):
                tiny.read(result.data[:length])
    for size in (0, 3):
        with pytest.raises(UsageError, match="1 or 2 bytes"):
            tiny.compress(held_out[0], steps=0, checksum=size)


def test_limits_hold_with_a_short_checksum(tiny: Codec, held_out: list[Image.Image]) -> None:
    for limit in (40, 150):
        results = tiny.compress_batch(held_out[:3], steps=10, loss="100*mse", max_bytes=limit, checksum=1)
        assert all(0.8 * limit < result.bytes <= limit for result in results)
    with pytest.raises(ImageError, match=r"smallest of such a picture has [5-7]"):
        tiny.compress(held_out[0], steps=0, max_bytes=4, checksum=1)


def test_what_is_no_picture_of_another_codec_is_refused_with_a_sentence(tiny: Codec) -> None:
    data = container.write(container.Container(tiny.prior.info.id_bytes, 0, b"RIFF", foreign="webp"))
    with pytest.raises(FormatError, match="what it holds is no webp picture"):
        tiny.decompress(data)


def test_a_file_of_another_prior_is_refused(tiny: Codec, free_folder: object, held_out: list[Image.Image]) -> None:
    with pytest.raises(FormatError):
        tiny.decompress(Codec(str(free_folder), "cpu").compress(held_out[0], steps=0))


def test_pictures_that_are_too_large_are_refused(tiny: Codec, free_folder: object) -> None:
    with pytest.raises(ImageError, match="side of 70000"):
        tiny.compress(Image.new("RGB", (70_000, 1)), steps=0)
    with pytest.raises(ImageError, match="pixels"):
        Codec(str(free_folder), "cpu").compress(Image.new("RGB", (9000, 9000)), steps=0)


def test_unknown_devices_are_refused(tiny_folder: object) -> None:
    for device in ("tpu", "cuda:x", "" if torch.cuda.is_available() else "cuda"):
        with pytest.raises(UsageError, match="device"):
            Codec(str(tiny_folder), device)


def test_samples_are_pictures_and_depend_on_the_seed(tiny: Codec) -> None:
    first, second, other = tiny.sample(2, seed=1), tiny.sample(2, seed=1), tiny.sample(2, seed=5)
    assert [np.asarray(a).tobytes() for a in first] == [np.asarray(b).tobytes() for b in second]
    assert np.asarray(first[0]).tobytes() != np.asarray(other[0]).tobytes()
    with pytest.raises(UsageError, match="rate index"):
        tiny.sample(1, rate=8)
