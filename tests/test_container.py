"""The container: what is written is read, and nothing else is."""

import math
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from invcomp import checksums, container
from invcomp.container import CODECS, Container
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
foreign = st.builds(
    Container,
    st.just(PRIOR),
    st.just(0),
    st.binary(max_size=300),
    size=sizes,
    placement=placements,
    foreign=st.sampled_from(CODECS),
    checksum=st.integers(1, 2),
)
progressive = st.integers(1, 255).flatmap(
    lambda levels: st.builds(
        Container,
        st.just(PRIOR),
        st.integers(0, 15),
        st.just(b""),
        st.just(0),
        sizes,
        st.just(levels),
        placements,
        st.tuples(*[st.binary(max_size=20)] * levels.bit_count()),
        checksum=st.integers(1, 2),
    )
)


def accepted(data: bytes) -> bool:
    try:
        container.read(data, PRIOR)
    except FormatError:
        return False
    return True


@given(containers)
def test_what_is_written_is_read(content: Container) -> None:
    data = container.write(content)
    assume(container.sound(content, data))  # the coder gives other payloads for the one in 65,536 that is not
    assert container.read(data, PRIOR) == content


@given(foreign | progressive)
@settings(deadline=None, max_examples=50)
def test_what_is_written_without_a_tail_is_read(content: Container) -> None:
    found = container.read(container.write(content), PRIOR)
    assert replace(found, tail=0, checksum=content.checksum) == content
    assert found.checksum in (content.checksum, 2)


@given(st.integers(0, 15), st.binary(max_size=300))
def test_a_picture_of_the_priors_own_size_costs_five_bytes(rate: int, payload: bytes) -> None:
    assert len(container.write(Container(PRIOR, rate, payload))) == len(payload) + 5


def test_one_byte_of_checksum_saves_a_byte_and_in_progressive_files_one_a_level() -> None:
    rng = np.random.default_rng(0)
    saved = 0
    for _ in range(100):
        payload = rng.bytes(80)
        plain, short = ([Container(PRIOR, 3, payload, tail, checksum=size) for tail in range(4)] for size in (2, 1))
        saved += len(container.write(*plain)) - len(container.write(*short))
    assert saved >= 90  # 93 expected: (1 - (255 / 256)**80)**4 of files have no tail with which truncations are noticed
    parts = Container(PRIOR, 3, b"", levels=0b111, parts=(payload[:9], payload[9:30], payload[30:]))
    assert len(container.write(parts)) - len(container.write(replace(parts, checksum=1))) == 3


@given(containers)
def test_every_truncation_is_refused(content: Container) -> None:
    data = container.write(*(replace(content, tail=tail) for tail in range(4)))
    for length in range(len(data)):
        with pytest.raises(FormatError):
            container.read(data[:length], PRIOR)


@given(st.binary(max_size=250), sizes, st.integers(1, 2))
@settings(deadline=None)
def test_no_truncation_and_no_change_of_the_first_byte_is_accepted(payload: bytes, size: object, check: int) -> None:
    """Of every file, exhaustively; with a checksum of one byte the writer takes two where that is what it takes."""
    data = container.write(*(Container(PRIOR, 5, payload, tail, size, checksum=check) for tail in range(4)))
    assert not any(accepted(data[:length]) for length in range(len(data)))
    assert not any(accepted(bytes([first]) + data[1:]) for first in range(256) if first != data[0])


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("kind", ["plain", "placed", "progressive", "foreign"])
def test_no_changed_byte_and_no_truncation_is_accepted(size: int, kind: str) -> None:
    """Of files of every kind, exhaustively."""
    rng = np.random.default_rng(size)
    for _ in range(2):
        content = Container(PRIOR, 0, rng.bytes(60), checksum=size)
        if kind == "placed":
            content = replace(content, size=(90, 40), placement=PLACED)
        if kind == "foreign":
            content = replace(content, foreign="webp", size=(200, 200))
        if kind == "progressive":
            parts = tuple(rng.bytes(n) for n in (5, 15, 40))
            content = replace(content, payload=b"", levels=0b111, parts=parts, size=(31, 31))
        data = container.write(*(replace(content, tail=tail) for tail in range(4)))
        assert accepted(data)
        for at in range(len(data)):
            assert not accepted(data[:at])
            for value in range(256):
                assert value == data[at] or not accepted(data[:at] + bytes([value]) + data[at + 1 :])


def test_a_progressive_file_of_which_a_level_is_taken_for_longer_is_not_written() -> None:
    """Of every change of a byte, what is shown in part lies before it: lengths that lead to an accidental checksum are
    avoided by other tails, where checksums have two bytes."""
    rng = np.random.default_rng(7)
    parts = tuple(rng.bytes(n) for n in (40, 50, 60))
    first = Container(PRIOR, 2, b"", levels=0b111, parts=parts)
    unsound = [
        content
        for tail in range(4)
        if not container.sound(content := replace(first, tail=tail), container.serialise(content))
    ]
    assert len(unsound) < 4
    data = container.write(first)
    ends = container.cut_points(PRIOR, data)
    for at in (0, *range(3, 5), 5, ends[0], ends[1]):
        for value in set(range(256)) - {data[at]}:
            with suppress(FormatError):
                found = container.read(data[:at] + bytes([value]) + data[at + 1 :], PRIOR, partial=True)
                assert len(found.parts or ()) <= sum(end <= at for end in ends)


def test_both_checksums_are_cyclic_codes_of_their_degree() -> None:
    """Burst errors of as many bits as they have are noticed, and the polynomial of the CRC-8 is primitive."""
    assert checksums.advance(2, 0xFFFF, b"123456789") == 0x29B1  # CRC-16/IBM-3740, as the catalogues of CRCs have it
    assert checksums.advance(1, 0xFF, b"123456789") == 0xFF ^ 0x4B  # CRC-8/SAE-J1850, whose output is inverted
    assert len({checksums.TABLE[1 << bit] for bit in range(8)}) == 8
    state, period = 1, 0
    while state != 1 or not period:
        state, period = state << 1 ^ (0x11D if state & 0x80 else 0), period + 1
    assert period == 255


@pytest.mark.parametrize("kinds", [0b100100, 0b110000, 0b1000000, 0b10])
def test_foreign_pictures_have_no_levels_and_unknown_fields_are_refused(kinds: int) -> None:
    word = (1 << 15 | container.short_id(PRIOR)).to_bytes(2, "big")
    data = checksums.sealed(PRIOR, bytes([0b1010 << 4]) + word + bytes([kinds, 1, 1, 1]))
    with pytest.raises(FormatError, match="does not know"):
        container.read(data, PRIOR)


def test_foreign_pictures_of_unknown_codecs_are_refused() -> None:
    data = container.write(Container(PRIOR, 0, b"picture", foreign="jxl"))
    other = checksums.sealed(PRIOR, data[:1] + bytes([data[1] | 7 << 3]) + data[2:-2])
    with pytest.raises(FormatError, match="update invcomp"):
        container.read(other, PRIOR)


@given(containers, st.data())
def test_every_changed_byte_is_refused(content: Container, draw: st.DataObject) -> None:
    data = container.write(content)
    at = draw.draw(st.integers(0, len(data) - 1))
    change = draw.draw(st.integers(1, 255))
    damaged = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
    with pytest.raises(FormatError):
        container.read(damaged, PRIOR)


@pytest.mark.parametrize(("size", "most"), [(1, 105), (2, 4)])
def test_random_damage_is_noticed_as_often_as_a_checksum_can(size: int, most: int) -> None:
    rng = np.random.default_rng(0)
    data = container.serialise(Container(PRIOR, 3, rng.bytes(200), checksum=size))
    missed = 0
    for _ in range(20_000):
        damaged = bytearray(data)
        for at in rng.integers(3, len(data), size=4):
            damaged[at] ^= int(rng.integers(1, 256))
        missed += checksums.intact(PRIOR, bytes(damaged)) and bytes(damaged) != data
    assert missed <= most  # 78 and 0.3 expected


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
    data[0] |= 1 << 3
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
