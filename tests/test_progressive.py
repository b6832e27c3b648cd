"""Progressive files: every cut after a level can be shown, nothing else is, and damage is noticed."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from invcomp import container, describe
from invcomp.codec import Codec
from invcomp.errors import FormatError
from invcomp.placement import Placement
from tests.golden_files import GOLDEN, shipped
from tests.test_cli import call

LOSS = "100*mse"
PLACE = Placement((4000, 3000), (-1200, 900), (800, 30))


@pytest.fixture(scope="module")
def files(tiny: Codec, held_out: list[Image.Image]) -> list[bytes]:
    """Of the prior's own size, of another, and of one that says where it was cut out; and one with few levels."""
    pictures = [held_out[0], held_out[1].resize((50, 70)), held_out[2]]
    results = tiny.compress_batch(pictures, steps=5, loss=LOSS, progressive=True, placements=[None, None, PLACE])
    few = tiny.compress_batch(held_out[:1], steps=0, loss=LOSS, progressive=True, levels=1, quality=100)
    return [result.data for result in (*results, *few)]


def points(codec: Codec, data: bytes) -> list[int]:
    return container.cut_points(codec.prior.info.id_bytes, data)


def test_the_whole_file_says_the_same_as_a_plain_one(tiny: Codec, held_out: list[Image.Image]) -> None:
    (apart,) = tiny.compress_batch(held_out[:1], steps=5, loss=LOSS, progressive=True)
    (plain,) = tiny.compress_batch(held_out[:1], steps=5, loss=LOSS)
    for one, other in zip(tiny.read(apart.data)[1], tiny.read(plain.data)[1], strict=True):
        assert np.array_equal(one, other)
    assert plain.bytes < apart.bytes <= plain.bytes + 1 + (container.PART_BYTES + 2) * tiny.prior.arch.levels


def test_every_cut_is_shown_as_far_as_it_goes(tiny: Codec, files: list[bytes]) -> None:
    for data in files:
        _, whole = tiny.read(data)
        coded = [level for level, symbols in enumerate(whole) if symbols.any()]
        ends = points(tiny, data)
        assert len(ends) >= len(coded)
        assert ends[-1] == len(data)
        for number, end in enumerate(ends, start=1):
            content, found = tiny.read(data[:end], partial=True)
            assert content.parts is not None
            assert len(content.parts) == number
            assert tiny.levels_there(data[:end]) == (number, len(ends))
            for level in range(number):
                assert np.array_equal(found[level], whole[level])
            assert not any(symbols.any() for symbols in found[number:])
            picture = tiny.decompress(data[:end], partial=True)
            assert picture.size == tiny.decompress(data).size
            assert np.array_equal(np.asarray(picture), np.asarray(tiny.decompress(data, levels=number)))


def test_truncations_are_refused_unless_asked_for(tiny: Codec, files: list[bytes]) -> None:
    for data in files:
        ends = points(tiny, data)
        for length in range(len(data)):
            with pytest.raises(FormatError):
                tiny.read(data[:length])
            there = sum(end <= length for end in ends)
            if there:
                assert tiny.levels_there(data[:length]) == (there, len(ends))
            else:
                with pytest.raises(FormatError):
                    tiny.read(data[:length], partial=True)


@given(at=st.floats(0, 0.999), change=st.integers(1, 255), partial=st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_is_never_shown(tiny: Codec, files: list[bytes], at: float, change: int, partial: bool) -> None:
    """Asked for parts, levels before the change are shown, and no other."""
    data = files[0]
    place = int(at * len(data))
    damaged = data[:place] + bytes([data[place] ^ change]) + data[place + 1 :]
    intact = sum(end <= place for end in points(tiny, data))
    try:
        content, symbols = tiny.read(damaged, partial=partial)
    except FormatError:
        return
    assert partial
    assert content.parts is not None
    assert len(content.parts) <= intact
    _, whole = tiny.read(data)
    for level in range(intact):
        assert np.array_equal(symbols[level], whole[level])


def test_a_limit_on_the_size_holds(tiny: Codec, held_out: list[Image.Image]) -> None:
    for max_bytes in (60, 120):
        for result in tiny.compress_batch(held_out, steps=30, loss=LOSS, progressive=True, max_bytes=max_bytes):
            assert 0.85 * max_bytes < result.bytes <= max_bytes


def test_facts_name_the_cuts(tiny: Codec, files: list[bytes]) -> None:
    content = container.read(files[0], tiny.prior.info.id_bytes)
    assert content.parts is not None
    assert points(tiny, files[0])[0] == 5 + 1 + len(content.parts[0]) + 2


def test_the_commands(tiny_folder: Path, held_out: list[Image.Image], tmp_path: Path) -> None:
    picture, file, cut = tmp_path / "a.png", tmp_path / "a.inv", tmp_path / "cut.inv"
    held_out[0].save(picture)
    prior = ["--prior", str(tiny_folder), "--device", "cpu"]
    assert call("compress", picture, "--progressive", "--steps", 2, "--loss", LOSS, *prior).exit_code == 0
    end = container.cut_points(describe_id(tiny_folder), file.read_bytes())[1]
    for length, hinted in ((6, False), (end, True), (end + 1, True)):
        cut.write_bytes(file.read_bytes()[:length])
        refused = call("decompress", cut, *prior)
        assert refused.exit_code == 1
        assert "truncated" in refused.stderr
        assert ("or show the levels that are whole with --partial" in refused.stderr) == hinted
    shown = call("decompress", cut, "--partial", *prior)
    assert shown.exit_code == 0, shown.stderr
    assert "cut.inv is truncated: 2 of its" in shown.stderr
    assert "the prior fills in the rest" in shown.stderr
    for asked, used in ((1, 1), (3, 2)):
        told = call("decompress", cut, "--partial", "--levels", asked, "--json", "--force", *prior)
        assert json.loads(told.stdout)["files"][0]["levels"] == used, told.output
    assert call("decompress", file, "--levels", 2, "-o", tmp_path / "two.png", *prior).exit_code == 0
    assert Image.open(tmp_path / "two.png").tobytes() == Image.open(tmp_path / "cut.png").tobytes()
    assert call("decompress", file, "--levels", 9, "-o", tmp_path / "x.png", *prior).exit_code == 1


@pytest.mark.parametrize(
    ("stem", "bytes_lost", "hinted"), [("progressive", 1, True), ("progressive", 900, False), ("q36-1", 1, False)]
)
def test_a_refusal_names_partial_where_it_helps(tmp_path: Path, stem: str, bytes_lost: int, hinted: bool) -> None:
    whole = (GOLDEN / f"v1-{shipped('faces-64')}-{stem}.inv").read_bytes()
    cut = tmp_path / "cut.inv"
    cut.write_bytes(whole[: max(6, len(whole) - bytes_lost)])
    refused = call("decompress", cut)
    assert refused.exit_code == 1
    assert "truncated" in refused.stderr
    assert ("or show the levels that are whole with --partial" in refused.stderr) == hinted


def describe_id(folder: Path) -> bytes:
    return bytes.fromhex(describe.prior(folder)["id"])
