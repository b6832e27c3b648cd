"""The container, version 1: a header of 3 bytes, optional fields, the payload, a checksum of 2 bytes.

    byte 0      1010 vv tt      magic, version - 1, tail
    bytes 1, 2  x rrrr i*11     optional fields follow, rate index, first 11 bits of the prior id (big-endian)
    if x        000g p l q s    fields: progressive, placed, levels, square, size
      if s      varint [varint] width and height of the original picture; one number if q
      if l      byte            bit k set: level k is coded; else it is zero
      if p      varint varint   width and height of the picture that this one was cut from, a square of it
                zigzag zigzag   x, y of the square's centre from that picture's middle, in quarter pixels
                zigzag zigzag   x, y from the centre to the middle of the square's right side, in quarter pixels
    …           payload
      if g      varint … two    for every coded level: the length of its payload, the payload, the CRC-16 of everything
                                before, as below; that of the last one ends the file
    last two    CRC-16 (CCITT, big-endian) of everything before, started from the full prior id

A varint is seven bits a byte, the lowest first, in at most 3 bytes; a zigzag is the varint of 2n, or of -2n - 1 for
negative n. Rounding to quarter pixels moves no corner of the square by half a pixel (`invcomp.placement`).

The checksum notices every damage of up to two neighbouring bytes and all but one in 65,536 others. The payload is
continued by the tail's two bits and then zeros. Where several tails or a longer payload will do, the writer takes one
with which no prefix of the file carries a valid checksum, so every truncation is noticed.
"""

import binascii
from dataclasses import dataclass
from typing import NamedTuple

from invcomp.errors import FormatError
from invcomp.placement import MAX_PIXELS, MAX_SIDE, Placement

MAGIC, VERSION = 0b1010, 1
ID_BITS = 11
SMALLEST = 5  # bytes
SIZE, SQUARE, LEVELS, PLACED, PROGRESSIVE = 1, 2, 4, 8, 16
PART_BYTES = 4  # that a level of a progressive file costs besides its symbols: length, checksum, coder termination


@dataclass(frozen=True)
class Container:
    """What a file says. Sizes are in pixels; `size` is None for a picture of the prior's own size."""

    prior_id: bytes
    """32 bytes when written; when read, known only up to `short_id`."""
    rate: int
    payload: bytes
    tail: int = 0
    """The two bits that follow the payload."""
    size: tuple[int, int] | None = None
    """(width, height) of the original."""
    levels: int | None = None
    """Bits of the coded levels, the coarsest lowest; None if all are."""
    placement: Placement | None = None
    """The square that this picture was in a larger one."""
    parts: tuple[bytes, ...] | None = None
    """Payloads of the coded levels of a progressive file, which has no other payload; of those that are there."""


class Fields(NamedTuple):
    """What follows the header of 3 bytes if its first bit says so."""

    size: tuple[int, int] | None = None
    levels: int | None = None
    placement: Placement | None = None
    progressive: bool = False


@dataclass(frozen=True)
class Header:
    """What can be read before the prior is known."""

    short_id: int
    rate: int


def short_id(prior_id: bytes) -> int:
    """The 11 bits of a prior id that a file carries."""
    return int.from_bytes(prior_id[:2], "big") >> (16 - ID_BITS)


def checksum(prior_id: bytes, data: bytes) -> int:
    """CRC-16 of a file's bytes before the checksum, for a prior."""
    return binascii.crc_hqx(data, binascii.crc_hqx(prior_id, 0xFFFF))


def write(*alternatives: Container) -> bytes:
    """The bytes of the first of the alternatives whose every truncation is noticed (or of the last)."""
    for container in alternatives:
        data = serialise(container)
        if not has_intact_prefix(container.prior_id, data):
            break
    return data


def serialise(container: Container) -> bytes:
    """The bytes of a file."""
    progressive = container.parts is not None
    fields = write_fields(Fields(container.size, container.levels, container.placement, progressive))
    word = bool(fields) << 15 | container.rate << ID_BITS | short_id(container.prior_id)
    first = bytes([MAGIC << 4 | VERSION - 1 << 2 | container.tail])
    body = first + word.to_bytes(2, "big") + fields + container.payload
    for part in container.parts or ():
        body = sealed(container.prior_id, body + varint(len(part)) + part)
    return body if container.parts else sealed(container.prior_id, body)


def sealed(prior_id: bytes, data: bytes) -> bytes:
    """Bytes with their checksum."""
    return data + checksum(prior_id, data).to_bytes(2, "big")


def overhead(size: tuple[int, int] | None, placement: Placement | None = None, parts: int = 0) -> int:
    """Bytes of a file besides its payload, if all levels are coded; of a progressive one with so many `parts`."""
    if parts:
        return SMALLEST - 2 + len(write_fields(Fields(size, 0, placement, True))) + PART_BYTES * parts
    return SMALLEST + len(write_fields(Fields(size, None, placement)))


def write_fields(fields: Fields) -> bytes:
    """The bytes of the optional fields; none if there is nothing to say."""
    size, levels, placement, progressive = fields
    square = size is not None and size[0] == size[1]
    kinds = (SIZE if size else 0) | (SQUARE if square else 0)
    kinds |= (LEVELS if levels is not None else 0) | (PLACED if placement else 0)
    kinds |= PROGRESSIVE if progressive else 0
    if not kinds:
        return b""
    data = bytes([kinds])
    for side in (size or ())[: 1 if square else 2]:
        data += varint(side)
    if levels is not None:
        data += bytes([levels])
    if placement is not None:
        data += b"".join(map(varint, placement.size))
        data += b"".join(varint(zigzag(number)) for number in (*placement.centre, *placement.half))
    return data


def has_intact_prefix(prior_id: bytes, data: bytes) -> bool:
    """Whether a truncation of a file would carry a valid checksum."""
    state = binascii.crc_hqx(prior_id, 0xFFFF)
    for end in range(2, len(data)):
        if end > 2:
            state = binascii.crc_hqx(data[end - 3 : end - 2], state)
        if end >= SMALLEST and state == data[end - 2] << 8 | data[end - 1]:
            return True
    return False


def intact(prior_id: bytes, data: bytes) -> bool:
    """Whether the checksum of a file agrees with its bytes and the prior."""
    return checksum(prior_id, data[:-2]) == int.from_bytes(data[-2:], "big")


def read_header(data: bytes, name: str = "the file") -> Header:
    """Rate index and prior of a file. Raises `FormatError`."""
    if not data:
        raise FormatError(f"{name} is empty")
    if data[0] >> 4 != MAGIC:
        raise FormatError(f"{name} is not an invcomp file")
    if (data[0] >> 2 & 3) + 1 != VERSION:
        raise FormatError(f"{name} has format version {(data[0] >> 2 & 3) + 1}; this program reads version {VERSION}")
    if len(data) < SMALLEST:
        raise FormatError(f"{name} is truncated: it has {len(data)} bytes, fewer than any invcomp file")
    word = int.from_bytes(data[1:3], "big")
    return Header(short_id=word & ((1 << ID_BITS) - 1), rate=word >> ID_BITS & 15)


def read(data: bytes, prior_id: bytes, name: str = "the file", partial: bool = False) -> Container:
    """The container in `data`, written for the prior `prior_id`. Raises `FormatError` for anything else.

    `partial`: of a truncated progressive file, with the levels that are there whole.
    """
    header = read_header(data, name)
    if header.short_id != short_id(prior_id):
        raise FormatError(f"{name} was written with another prior; give that one with --prior")
    whole = intact(prior_id, data)
    if not (whole or partial):
        raise FormatError(f"{name} is truncated or damaged: its checksum does not agree; get it again")
    fields, body = Fields(), data[3:]
    if data[1] >> 7:
        fields, body = read_fields(body, name)
    if not fields.progressive:
        if not whole:
            raise FormatError(f"{name} is truncated or damaged, and not progressive: nothing of it can be shown")
        if len(body) < 2:
            raise FormatError(f"{name} is damaged: its header ends early; get it again")
        return Container(prior_id, header.rate, body[:-2], data[0] & 3, *fields[:3])
    parts, rest = read_parts(prior_id, data[: len(data) - len(body)], body)
    coded = (fields.levels or 0).bit_count()
    if len(parts) > coded or (len(parts) == coded and len(rest) != (0 if coded else 2)):
        raise FormatError(f"{name} is damaged: its levels do not fill it; get it again")
    if len(parts) < coded and not (partial and parts):
        raise FormatError(f"{name} is truncated or damaged: {len(parts)} of its {coded} levels are there; get it again")
    return Container(prior_id, header.rate, b"", 0, *fields[:3], parts)


def read_parts(prior_id: bytes, head: bytes, body: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """The levels of a progressive file that are there whole, and what follows them; `head` is all before them."""
    parts: list[bytes] = []
    while len(body) > 2:
        try:
            length, rest = read_varint(body)
        except IndexError:
            break
        end = len(body) - len(rest) + length + 2
        if len(body) < end or not intact(prior_id, head + body[:end]):
            break
        parts.append(rest[:length])
        head, body = head + body[:end], body[end:]
    return tuple(parts), body


def cut_points(prior_id: bytes, data: bytes) -> list[int]:
    """After how many bytes each level of an intact progressive file ends."""
    ends, end = [], len(data)
    for part in reversed(read(data, prior_id).parts or ()):
        ends.append(end)
        end -= len(varint(len(part))) + len(part) + 2
    return ends[::-1]


def read_fields(body: bytes, name: str) -> tuple[Fields, bytes]:
    """The optional fields, and the rest of the body. Raises `FormatError`."""
    try:
        kinds, body = body[0], body[1:]
        size = levels = placement = None
        if kinds >> 5 or (kinds & SQUARE and not kinds & SIZE):
            raise FormatError(f"{name} has fields that this version of invcomp does not know; update invcomp")
        if kinds & SIZE:
            width, body = read_varint(body)
            height, body = (width, body) if kinds & SQUARE else read_varint(body)
            size = width, height
        if kinds & LEVELS:
            levels, body = body[0], body[1:]
        if kinds & PLACED:
            numbers = []
            for _ in range(6):
                number, body = read_varint(body)
                numbers.append(number)
            across, down, right, below = map(unzigzag, numbers[2:])
            placement = Placement((numbers[0], numbers[1]), (across, down), (right, below))
    except IndexError:
        raise FormatError(f"{name} is damaged: its header ends early; get it again") from None
    if size and not (0 < size[0] <= MAX_SIDE and 0 < size[1] <= MAX_SIDE and size[0] * size[1] <= MAX_PIXELS):
        raise FormatError(f"{name} claims {size[0]} x {size[1]} pixels, more than the {MAX_PIXELS:,} that are decoded")
    if placement and not placement.plausible:
        raise FormatError(f"{name} is damaged: the place that it names lies outside of every picture; get it again")
    return Fields(size, levels, placement, bool(kinds & PROGRESSIVE)), body


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first, the high bit set on all but the last."""
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])


def zigzag(value: int) -> int:
    """0, -1, 1, -2, … → 0, 1, 2, 3, …"""
    return 2 * value if value >= 0 else -2 * value - 1


def unzigzag(value: int) -> int:
    return -(value + 1) // 2 if value & 1 else value // 2


def read_varint(data: bytes) -> tuple[int, bytes]:
    """A number of at most 3 bytes, and what follows it. Raises `IndexError` if there is none."""
    value = 0
    for index in range(3):
        value |= (data[index] & 127) << 7 * index
        if not data[index] >> 7:
            return value, data[index + 1 :]
    raise IndexError
