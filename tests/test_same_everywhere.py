"""The same symbols and, up to 1 of 255, the same pixels: threads x batches x memory formats x oneDNN x determinism.

`scripts/measure_sameness.py` prints what differs in every cell; `docs/same-everywhere.md` has its figures.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from invcomp.codec import Codec
from invcomp.decoder import Decoder
from invcomp.exporting import export
from tests.golden_files import UnavailableError, golden_priors, plain_files, prior_folder, shipped
from tests.sameness import CELLS, FIRST, TOGETHER, Cell, Decoded, decode, decode_without_torch

PORTRAITS = "b6402a70"  # made by the importer, so no folder of the repository says its id
MOST_SHARE = 3e-4  # of values that differ; measured 7e-5 at most, and few values are compared here


def golden(prior: str) -> list[bytes]:
    """Seven golden files of a prior: low and high rates, few levels, levels apart, other sizes."""
    found = [path.read_bytes() for path in plain_files(prior)]
    return found[:TOGETHER]


@pytest.fixture(
    scope="module",
    params=[shipped("faces-64"), *(pytest.param(p, marks=pytest.mark.slow) for p in (shipped("faces"), PORTRAITS))],
)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Codec, list[bytes], Decoded]:
    """A prior (faces-64, faces, portraits), files of it, and what they decode to in the first cell."""
    try:
        codec = Codec(prior_folder(golden_priors()[request.param], tmp_path_factory.mktemp("prior")), "cpu")
    except UnavailableError as error:
        pytest.skip(str(error))
    files = golden(request.param)
    return codec, files, decode(codec, files, FIRST)


def test_the_matrix_is_whole() -> None:
    assert len(CELLS) == len(set(CELLS)) == 32
    assert len(golden(shipped("faces-64"))) == TOGETHER


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_symbols_are_equal_and_pixels_within_one(case: tuple[Codec, list[bytes], Decoded], cell: Cell) -> None:
    codec, files, expected = case
    found = decode(codec, files, cell)
    most, share = found.difference(expected)
    print(f"{cell}: at most {most}, {share:.2e} of the values differ")
    assert found.same_symbols(expected)
    assert most <= 1
    assert share < MOST_SHARE


def test_onnx_runtime_decodes_the_same(case: tuple[Codec, list[bytes], Decoded], tmp_path: Path) -> None:
    codec, files, expected = case
    export(codec.prior.folder, tmp_path)
    found = decode_without_torch(Decoder(tmp_path), files)
    assert found.same_symbols(expected)
    most, share = found.difference(expected)
    assert most <= 1
    assert share < MOST_SHARE


def test_the_comparison_sees_a_difference(case: tuple[Codec, list[bytes], Decoded]) -> None:
    _, _, expected = case
    changed = expected.pixels.copy()
    changed[0, 0, 0, 0] += 2
    assert Decoded(expected.symbols, changed).difference(expected) == (2, 1 / changed.size)
    symbols = [[level + 1 for level in picture] for picture in expected.symbols]
    assert not Decoded(symbols, changed).same_symbols(expected)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(dtype)
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    try:
        torch.set_float32_matmul_precision(name)
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


SURROUNDINGS = {
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "matmul-medium": lambda: matmul_precision("medium"),
    "matmul-high": lambda: matmul_precision("high"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference": torch.inference_mode,
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_what_surrounds_the_call_changes_no_pixel(case: tuple[Codec, list[bytes], Decoded], name: str) -> None:
    """Also when the prior is loaded there."""
    codec, files, expected = case
    precision = torch.get_float32_matmul_precision()
    with SURROUNDINGS[name]():
        before = torch.get_default_dtype()
        here = decode(codec, files, FIRST)
        loaded = decode(Codec(codec.prior.folder, "cpu"), files, FIRST)
        assert torch.get_default_dtype() == before  # it is as it was
    assert torch.get_float32_matmul_precision() == precision
    for found in (here, loaded):
        assert found.difference(expected) == (0, 0.0)
        assert found.same_symbols(expected)


@pytest.mark.parametrize("name", ["float64", "bfloat16"])
def test_what_surrounds_the_call_does_not_stop_it_from_compressing(name: str) -> None:
    image = Codec("faces-64", "cpu").decompress(golden(shipped("faces-64"))[0])
    with SURROUNDINGS[name]():
        data = Codec("faces-64", "cpu").compress(image, steps=1, loss="100*mse")
    assert data == Codec("faces-64", "cpu").compress(image, steps=1, loss="100*mse")


def test_a_file_written_with_one_thread_decodes_with_two(faces: Codec) -> None:
    image = faces.decompress(golden(shipped("faces-64"))[0])
    try:
        torch.set_num_threads(1)
        data = faces.compress(image, steps=3)
        one = np.asarray(faces.decompress(data), dtype=int)
        torch.set_num_threads(2)
        two = np.asarray(faces.decompress(data), dtype=int)
    finally:
        torch.set_num_threads(1)
    assert np.abs(one - two).max() <= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_decodes_the_same(case: tuple[Codec, list[bytes], Decoded]) -> None:
    codec, files, expected = case
    gpu = Codec(codec.prior.folder, "cuda")
    for batch in (1, TOGETHER):
        found = decode(gpu, files, Cell(batch=batch))
        most, share = found.difference(expected)
        print(f"GPU, batch {batch}: at most {most}, {share:.2e} of the values differ")
        assert found.same_symbols(expected)
        assert most <= 1
