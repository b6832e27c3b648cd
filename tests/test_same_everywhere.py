"""The same symbols and, up to 1 of 255, the same pixels: threads, batches, memory formats, oneDNN, determinism."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from invcomp.codec import Codec
from invcomp.pictures import read_picture
from tests.conftest import FACES

VARIANTS = ["one-thread", "two-threads", "batch", "channels-first", "no-onednn", "deterministic"]


@pytest.fixture(scope="module")
def files(faces: Codec) -> list[bytes]:
    """The example faces at a low and a high quality."""
    images = [read_picture(path).image for path in FACES]
    return [r.data for quality in (20, 80) for r in faces.compress_batch(images, quality=quality, steps=0)]


def pixels(codec: Codec, files: list[bytes], together: bool) -> np.ndarray:
    """(N, 3, H, W) in 0 to 255."""
    read = [codec.read(data) for data in files]
    if together:
        painted = codec.paint([symbols for _, symbols in read], [content.rate for content, _ in read])
    else:
        painted = torch.cat([codec.paint([symbols], [content.rate]) for content, symbols in read])
    return (painted.clamp(0, 1) * 255).round().numpy()


@contextmanager
def variant(name: str, codec: Codec) -> Iterator[None]:
    threads = torch.get_num_threads()
    try:
        if name in ("one-thread", "two-threads"):
            torch.set_num_threads(1 if name == "one-thread" else 2)
        if name == "channels-first":  # the default is channels-last
            codec.prior.generator.to(memory_format=torch.contiguous_format)
        torch.use_deterministic_algorithms(name == "deterministic")
        with torch.backends.mkldnn.flags(enabled=name != "no-onednn"):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", VARIANTS)
def test_pixels_differ_by_at_most_one(files: list[bytes], faces: Codec, name: str) -> None:
    expected = pixels(faces, files, together=False)
    codec = Codec("faces-64", "cpu")
    with variant(name, codec):
        difference = np.abs(pixels(codec, files, together=name == "batch") - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-4


@pytest.mark.parametrize("name", VARIANTS)
def test_symbols_are_equal(files: list[bytes], faces: Codec, name: str) -> None:
    expected = [faces.read(data)[1] for data in files]
    codec = Codec("faces-64", "cpu")
    with variant(name, codec):
        found = [codec.read(data)[1] for data in files]
    assert all(
        np.array_equal(a, b) for one, two in zip(expected, found, strict=True) for a, b in zip(one, two, strict=True)
    )


def test_a_file_written_with_one_thread_decodes_with_two(faces: Codec) -> None:
    image = read_picture(FACES[0]).image
    try:
        torch.set_num_threads(1)
        data = faces.compress(image, steps=3)
        one = np.asarray(faces.decompress(data), dtype=int)
        torch.set_num_threads(2)
        two = np.asarray(faces.decompress(data), dtype=int)
    finally:
        torch.set_num_threads(2)
    assert np.abs(one - two).max() <= 1
