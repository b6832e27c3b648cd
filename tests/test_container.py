"""The container: what is written is read, and nothing else is."""

import math
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invcomp import container
from invcomp.container import Container
from invcomp.errors import FormatError
from invcomp.placement import Placement

PRIOR = bytes(range(32))
sizes = st.none() | st.tuples(st.integers(1, 9000), st.integers(1, 9000))
PLACED = Placement((640, 480), (-83, 120), (301, -44))
placements = st.none() | st.builds(
    lambda size, x, y, side, turn: Placement(
        size,
        (round(x * size[0] * 6), round(y * size[1] * 6)),
        (round(4 * side * math.cos(turn)) or 4, round(4 * side * math.sin(turn)) or 4),
    ),
    st.tuples(st.integers(9, 65_535), st.integers(9, 1500)),
    st.floats(-0.99, 0.99),
    st.floats(-0.99, 0.99),
    st.floats(2, 15),
    st.floats(0, 7),
)
containers = st.builds(
    Container,
    st.just(PRIOR),
    st.integers(0, 15),
    st.binary(max_size=300),
    st.integers(0, 3),
    sizes,
    st.none() | st.integers(0, 255),
    placements,
)


@given(containers)
def test_what_is_written_is_read(content: Container) -> None:
    assert container.read(container.write(content), PRIOR) == content


@given(st.integers(0, 15), st.binary(max_size=300))
def test_a_picture_of_the_priors_own_size_costs_five_bytes(rate: int, payload: bytes) -> None:
    assert len(container.write(Container(PRIOR, rate, payload))) == len(payload) + 5


@given(containers)
def test_every_truncation_is_refused(content: Container) -> None:
    data = container.write(*(replace(content, tail=tail) for tail in range(4)))
    for length in range(len(data)):
        with pytest.raises(FormatError):
            container.read(data[:length], PRIOR)


@given(containers, st.data())
def test_every_changed_byte_is_refused(content: Container, draw: st.DataObject) -> None:
    data = container.write(content)
    at = draw.draw(st.integers(0, len(data) - 1))
    change = draw.draw(st.integers(1, 255))
    damaged = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
    with pytest.raises(FormatError):
        container.read(damaged, PRIOR)


def test_random_damage_is_noticed_as_often_as_sixteen_bits_can() -> None:
    rng = np.random.default_rng(0)
    data = container.write(Container(PRIOR, 3, rng.bytes(200)))
    missed = 0
    for _ in range(20_000):
        damaged = bytearray(data)
        for at in rng.integers(3, len(data), size=4):
            damaged[at] ^= int(rng.integers(1, 256))
        missed += container.intact(PRIOR, bytes(damaged)) and bytes(damaged) != data
    assert missed <= 4  # 0.3 expected


@given(st.binary(max_size=400))
def test_any_bytes_give_a_container_or_a_format_error(data: bytes) -> None:
    with suppress(FormatError):
        container.read(data, PRIOR)


def test_a_file_of_another_prior_is_named_as_such() -> None:
    data = container.write(Container(PRIOR, 3, b"payload"))
    with pytest.raises(FormatError, match="another prior"):
        container.read(data, b"\xff" * 32)


def test_a_prior_with_the_same_short_id_is_told_apart_by_the_checksum() -> None:
    data = container.write(Container(PRIOR, 3, b"payload"))
    with pytest.raises(FormatError, match="checksum"):
        container.read(data, PRIOR[:2] + bytes(30))


def test_sizes_beyond_the_limit_are_refused() -> None:
    for size in ((65_536, 1), (60_000, 60_000)):
        with pytest.raises(FormatError, match="pixels"):
            container.read(container.write(Container(PRIOR, 0, b"", size=size)), PRIOR)


def test_later_versions_are_refused_with_a_sentence() -> None:
    data = bytearray(container.write(Container(PRIOR, 0, b"x")))
    data[0] |= 1 << 2
    with pytest.raises(FormatError, match="version 2"):
        container.read(bytes(data), PRIOR)


def test_a_placement_costs_at_most_thirteen_bytes_in_pictures_of_up_to_4000_pixels_a_side() -> None:
    bare = len(container.write(Container(PRIOR, 3, b"payload")))
    for size, centre, half in (
        ((250, 250), (40, -30), (300, 20)),
        ((4000, 3000), (-8000, 6000), (8000, -8000)),
    ):
        placed = container.write(Container(PRIOR, 3, b"payload", placement=Placement(size, centre, half)))
        assert len(placed) - bare <= 13


@pytest.mark.parametrize(
    "nonsense",
    [
        Placement((0, 480), (0, 0), (300, 0)),
        Placement((60_000, 60_000), (0, 0), (300, 0)),
        Placement((640, 480), (640 * 7, 0), (300, 0)),
        Placement((640, 480), (0, 0), (0, 0)),
        Placement((640, 480), (0, 0), (640 * 9, 0)),
    ],
)
def test_a_place_where_no_face_can_be_is_refused(nonsense: Placement) -> None:
    with pytest.raises(FormatError, match="lies outside"):
        container.read(container.write(Container(PRIOR, 3, b"payload", placement=nonsense)), PRIOR)


def test_a_header_that_ends_within_the_placement_is_refused() -> None:
    body = container.write_fields(container.Fields(placement=PLACED))
    for length in range(len(body)):
        with pytest.raises(FormatError):
            container.read_fields(body[:length], "the file")
    assert container.read_fields(body + b"rest", "the file") == (container.Fields(placement=PLACED), b"rest")
