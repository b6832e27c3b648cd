"""Files of every version and prior that was shipped stay readable: the symbols exactly, the pixels within 1 of 255.

What is in `tests/golden/`, and why none of it ever changes, says its README.
"""

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invcomp import container
from invcomp.codec import Codec
from tests.golden_files import (
    GOLDEN,
    ROOT,
    UnavailableError,
    digest,
    fields,
    golden_priors,
    known,
    prior_folder,
    read,
    shipped,
)

PRIORS = golden_priors()
FIRST = "2b18d502c0a3f24fea98d66ea65a44e775f5fb75"  # the last change of the container before files were shipped


def key(path: Path) -> str:
    """Which prior a golden file has: VERSION-PRIOR-CASE."""
    return path.stem.split("-")[1]


FILES = sorted(GOLDEN.glob("*.inv"))
EACH = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * PRIORS[key(path)].imported)  # those take seconds each
    for path in FILES
]


@pytest.fixture(scope="module")
def codec_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Codec]:
    """The codec of a golden file's prior; the test is skipped with the reason where that cannot be had."""

    @cache
    def load(name: str) -> Codec | str:
        try:
            return Codec(prior_folder(PRIORS[name], tmp_path_factory.mktemp(name)), "cpu")
        except UnavailableError as error:
            return str(error)

    def codec(path: Path) -> Codec:
        found = load(key(path))
        if isinstance(found, str):
            pytest.skip(found)
        return found

    return codec


@pytest.mark.parametrize("path", EACH)
def test_golden_files_decode_as_when_they_were_written(path: Path, codec_of: Callable[[Path], Codec]) -> None:
    codec, data = codec_of(path), path.read_bytes()
    assert codec.prior.info.id == PRIORS[key(path)].id
    content, symbols = read(codec, data)
    assert digest(symbols) == known("symbols.json")[path.stem]
    assert fields(content) == known("fields.json")[path.stem]
    decoded = np.asarray(codec.decompress(data), dtype=int)
    assert np.abs(decoded - np.asarray(Image.open(path.with_suffix(".png")), dtype=int)).max() <= 1


@pytest.mark.parametrize("path", [p for p in EACH if "progressive" in str(p.id) or "every-field" in str(p.id)])
def test_golden_files_that_are_cut_say_what_the_whole_ones_say(path: Path, codec_of: Callable[[Path], Codec]) -> None:
    codec, data = codec_of(path), path.read_bytes()
    _, whole = codec.read(data)
    ends = container.cut_points(codec.prior.info.id_bytes, data)
    assert len(ends) > 1
    for count, end in enumerate(ends, start=1):
        content, found = codec.read(data[:end], partial=True)
        assert content.parts is not None
        assert len(content.parts) == count
        coded = [level for level in range(len(whole)) if content.levels is None or content.levels >> level & 1]
        for level in coded[:count]:
            assert np.array_equal(found[level], whole[level])


@pytest.mark.parametrize("name", [shipped("faces-64"), shipped("faces")])
def test_the_installed_prior_of_a_golden_file_is_found(name: str) -> None:
    path = next(path for path in FILES if key(path) == name)
    assert Codec.for_file(path.read_bytes(), "cpu").prior.info.id == PRIORS[name].id


def test_every_file_has_its_picture_its_symbols_and_its_fields() -> None:
    stems = {path.stem for path in FILES}
    assert stems == {path.stem for path in GOLDEN.glob("*.png")}
    assert stems == set(known("symbols.json")) == set(known("fields.json"))
    assert {key(path) for path in FILES} == set(PRIORS)


def test_both_checksums_and_both_foreign_codecs_are_there() -> None:
    entries = known("fields.json").values()
    assert {entry.get("checksum", 2) for entry in entries} == {1, 2}
    assert any(entry.get("checksum") == 1 and entry["parts"] for entry in entries)
    assert {entry.get("foreign") for entry in entries} == {None, *container.CODECS}


@pytest.mark.parametrize("name", sorted(set(PRIORS) - {"faces"}))
def test_every_field_of_the_container_is_in_the_files_of_every_prior(name: str) -> None:
    """Of `faces`, the oldest, some files were written before there were such fields; the others are of 067fd180."""
    found = [entry for stem, entry in known("fields.json").items() if stem.split("-")[1] == name]
    for field in ("size", "levels", "placement", "parts"):
        assert any(entry[field] is not None for entry in found), field
        assert any(entry[field] is None for entry in found) or field == "size", field
    sizes = [entry["size"] for entry in found if entry["size"]]
    assert any(width != height for width, height in sizes)
    assert len({entry["rate"] for entry in found}) >= 3
    assert any(entry["tail"] for entry in found)


def test_golden_files_never_changed() -> None:
    """One that is written anew proves nothing of the files that people keep."""
    names = ["tests/golden/*.inv", "tests/golden/*.png"]
    command = ["git", "-C", ROOT, "log", "--format=%h", "--diff-filter=MDT", f"{FIRST}..HEAD", "--", *names]
    try:
        found = subprocess.run(command, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the repository's history")
    assert found.stdout == ""
