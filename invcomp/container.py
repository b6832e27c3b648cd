"""The container, version 1: a header of 3 bytes, optional fields, the payload, a checksum of 2 bytes or 1.

    byte 0      1010 v c tt     magic, version - 1, whether checksums have 1 byte, tail
    bytes 1, 2  x rrrr i*11     optional fields follow, rate index, first 11 bits of the prior id (big-endian)
    if x        00f g p l q s   fields: foreign, progressive, placed, levels, square, size
      if s      varint [varint] width and height of the original picture; one number if q
      if l      byte            bit k set: level k is coded; else it is zero
      if p      varint varint   width and height of the picture that this one was cut from, a square of it
                zigzag zigzag   x, y of the square's centre from that picture's middle, in quarter pixels
                zigzag zigzag   x, y from the centre to the middle of the square's right side, in quarter pixels
    …           payload
      if g      varint … cc     for every coded level: the length of its payload, the payload, the checksum of all
                                before, as below; that of the last one ends the file
      if f      …               a file of another still-picture codec, which the rate index names: 0 WebP, 1 JPEG XL
    last        CRC-16 or CRC-8 (`invcomp.checksums`, big-endian) of everything before, started from the full prior id

A varint is seven bits a byte, the lowest first, in at most 3 bytes; a zigzag is the varint of 2n, or of -2n - 1 for
negative n. Rounding to quarter pixels moves no corner of the square by half a pixel (`invcomp.placement`).

The payload is continued by the tail's two bits and then zeros; the tail of progressive and foreign files says nothing.
A CRC notices every changed byte, unless that change makes it another CRC, and a truncation but for one in 65,536 (256).
The writer closes both gaps: where several tails or a longer payload will do, it takes one with which no prefix of the
file, and no file with another first byte, carries a valid checksum; where one byte of checksum cannot, it writes two.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from invcomp.checksums import ONE_BYTE, has_intact_prefix, intact, sealed, size_of
from invcomp.errors import FormatError
from invcomp.placement import MAX_PIXELS, MAX_SIDE, Placement

MAGIC, VERSION = 0b1010, 1
ID_BITS = 11
HEADER = 3  # bytes
MAX_BYTES = 1 << 26  # of a file: bounds the time that its checksum takes
CHECKSUM = 2  # bytes of it, unless told otherwise
SIZE, SQUARE, LEVELS, PLACED, PROGRESSIVE, FOREIGN = 1, 2, 4, 8, 16, 32
PART_BYTES = 2  # that a level of a progressive file costs besides its symbols and checksum: length, coder termination
CODECS = ("webp", "jxl")
"""Of foreign payloads, by the rate index."""


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
    foreign: str | None = None
    """The codec, one of `CODECS`, whose file the payload is in place of symbols; the rate is 0 then."""
    checksum: int = CHECKSUM
    """Bytes of it, 1 or 2."""


class Fields(NamedTuple):
    """What follows the header of 3 bytes if its first bit says so."""

    size: tuple[int, int] | None = None
    levels: int | None = None
    placement: Placement | None = None
    progressive: bool = False
    foreign: bool = False


@dataclass(frozen=True)
class Header:
    """What can be read before the prior is known."""

    short_id: int
    rate: int
    checksum: int
    """Bytes of every checksum."""


def short_id(prior_id: bytes) -> int:
    """The 11 bits of a prior id that a file carries."""
    return int.from_bytes(prior_id[:2], "big") >> (16 - ID_BITS)


def write(*alternatives: Container) -> bytes:
    """The bytes of the shortest of the alternatives that is `sound` (or of the longest, if there is none)."""
    spelt = [spelling for content in alternatives for spelling in spellings(content)]
    files = sorted(((serialise(content), content) for content in spelt), key=lambda f: (len(f[0]), -f[1].checksum))
    return next((data for data, content in files if sound(content, data)), files[-1][0])


def spellings(content: Container) -> Iterator[Container]:
    """What may be written in place of a container: other tails where they say nothing, and a longer checksum."""
    tails = range(4) if content.foreign or content.parts is not None else [content.tail]
    for size in (1, 2) if content.checksum == 1 and not content.parts else (content.checksum,):
        for tail in tails:
            yield replace(content, tail=tail, checksum=size)


def sound(content: Container, data: bytes) -> bool:
    """Whether a reader of a file is sure to notice any truncation and any changed byte.

    Those of a progressive file change lengths at most, which do not add up then. With two bytes of checksum it is
    seen to that no part that such a change makes is taken for whole (`partial`); with one, some nearly always would be.
    """
    prior_id = content.prior_id
    if content.parts:
        ends = cut_points(prior_id, data)
        places = structure(content) if content.checksum == 2 else ()
        return not any(taken_for_more(prior_id, data, at, sum(end <= at for end in ends)) for at in places)
    if has_intact_prefix(prior_id, data, HEADER + size_of(data)):
        return False
    return not any(intact(prior_id, bytes([data[0] ^ ONE_BYTE ^ tail]) + data[1:]) for tail in range(4))


def structure(content: Container) -> Iterator[int]:
    """Places of the bytes of a progressive file that say where others lie, but for the first three."""
    end = HEADER + len(write_fields(fields_of(content)))
    yield from (0, *range(HEADER, end))
    for part in content.parts or ():
        length = len(varint(len(part)))
        yield from range(end, end + length)
        end += length + len(part) + content.checksum


def taken_for_more(prior_id: bytes, data: bytes, at: int, there: int) -> bool:
    """Whether with the byte there changed more of a progressive file is taken for whole than the parts before it."""
    for value in range(256):
        if value == data[at]:
            continue
        damaged = data[:at] + bytes([value]) + data[at + 1 :]
        try:
            found = read(damaged, prior_id, partial=True)
        except FormatError:
            continue
        if len(found.parts or ()) > there:
            return True
    return False


def fields_of(content: Container) -> Fields:
    """The optional fields of a file."""
    progressive, foreign = content.parts is not None, content.foreign is not None
    return Fields(content.size, content.levels, content.placement, progressive, foreign)


def serialise(content: Container) -> bytes:
    """The bytes of a file."""
    fields = write_fields(fields_of(content))
    rate = CODECS.index(content.foreign) if content.foreign else content.rate
    word = bool(fields) << 15 | rate << ID_BITS | short_id(content.prior_id)
    first = MAGIC << 4 | VERSION - 1 << 3 | (ONE_BYTE if content.checksum == 1 else 0) | content.tail
    body = bytes([first]) + word.to_bytes(2, "big") + fields + content.payload
    for part in content.parts or ():
        body = sealed(content.prior_id, body + varint(len(part)) + part)
    return body if content.parts else sealed(content.prior_id, body)


def overhead(
    size: tuple[int, int] | None, placement: Placement | None = None, parts: int = 0, checksum: int = CHECKSUM
) -> int:
    """Bytes of a file besides its payload, if all levels are coded; of a progressive one with so many `parts`.

    `checksum`: bytes of it, or of every one.
    """
    if parts:
        fields = write_fields(Fields(size, 0, placement, True))
        return HEADER + len(fields) + (PART_BYTES + checksum) * parts
    return HEADER + len(write_fields(Fields(size, None, placement))) + checksum


def write_fields(fields: Fields) -> bytes:
    """The bytes of the optional fields; none if there is nothing to say. Foreign pictures have no levels."""
    size, levels, placement, progressive, foreign = fields
    if foreign and (progressive or levels is not None):
        raise ValueError("a foreign picture has no levels")
    square = size is not None and size[0] == size[1]
    kinds = (SIZE if size else 0) | (SQUARE if square else 0)
    kinds |= (LEVELS if levels is not None else 0) | (PLACED if placement else 0)
    kinds |= (PROGRESSIVE if progressive else 0) | (FOREIGN if foreign else 0)
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


def read_header(data: bytes, name: str = "the file") -> Header:
    """Rate index and prior of a file. Raises `FormatError`."""
    if not data:
        raise FormatError(f"{name} is empty")
    if len(data) > MAX_BYTES:
        raise FormatError(f"{name} is larger than the {MAX_BYTES >> 20} MB that an invcomp file has at most")
    if data[0] >> 4 != MAGIC:
        raise FormatError(f"{name} is not an invcomp file")
    version = (data[0] >> 3 & 1) + 1
    if version != VERSION:
        raise FormatError(f"{name} has format version {version}; this program reads version {VERSION}")
    if len(data) < HEADER + size_of(data):
        raise FormatError(f"{name} is truncated: it has {len(data)} bytes, fewer than any invcomp file")
    word = int.from_bytes(data[1:3], "big")
    return Header(short_id=word & ((1 << ID_BITS) - 1), rate=word >> ID_BITS & 15, checksum=size_of(data))


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
        if data[-1] == 0 and intact(prior_id, data[:-1]):  # no writer leaves it so (`sound`)
            raise FormatError(f"{name} is damaged: zeros follow its end; cut them off, or get it again")
        if len(body) < header.checksum:
            raise FormatError(f"{name} is damaged: its header ends early; get it again")
        rate, foreign = header.rate, None
        if fields.foreign:
            if rate >= len(CODECS):
                raise FormatError(f"{name} holds a picture of a codec that this version does not know; update invcomp")
            rate, foreign = 0, CODECS[rate]
        payload = body[: -header.checksum]
        return Container(prior_id, rate, payload, data[0] & 3, *fields[:3], None, foreign, header.checksum)
    coded = (fields.levels or 0).bit_count()
    parts, rest = read_parts(prior_id, data[: len(data) - len(body)], body, coded)
    if len(parts) == coded and len(rest) != (0 if coded else header.checksum):
        raise FormatError(f"{name} is damaged: its levels do not fill it; get it again")
    if len(parts) < coded and not (partial and parts):
        raise FormatError(f"{name} is truncated or damaged: {len(parts)} of its {coded} levels are there; get it again")
    return Container(prior_id, header.rate, b"", 0, *fields[:3], parts, None, header.checksum)


def read_parts(prior_id: bytes, head: bytes, body: bytes, most: int) -> tuple[tuple[bytes, ...], bytes]:
    """The levels of a progressive file, `most` at most, that are there whole, and the rest; `head` is all before."""
    parts: list[bytes] = []
    size = size_of(head)
    while len(body) > size and len(parts) < most:
        try:
            length, rest = read_varint(body)
        except IndexError:
            break
        end = len(body) - len(rest) + length + size
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
        end -= len(varint(len(part))) + len(part) + size_of(data)
    return ends[::-1]


def level_ends(data: bytes, name: str = "the file") -> list[int] | None:
    """After how many bytes levels of a progressive file end, of those that are there; None if it is not progressive.

    By the lengths that it states: no prior is needed, and checksums are not looked at. Raises `FormatError`.
    """
    size = read_header(data, name).checksum
    fields, body = read_fields(data[HEADER:], name) if data[1] >> 7 else (Fields(), b"")
    if not fields.progressive:
        return None
    ends: list[int] = []
    for _ in range((fields.levels or 0).bit_count()):
        try:
            length, rest = read_varint(body)
        except IndexError:
            break
        if len(rest) < length + size:
            break
        body = rest[length + size :]
        ends.append(len(data) - len(body))
    return ends


def read_fields(body: bytes, name: str) -> tuple[Fields, bytes]:
    """The optional fields, and the rest of the body. Raises `FormatError`."""
    try:
        kinds, body = body[0], body[1:]
        size = levels = placement = None
        if kinds >> 6 or (kinds & SQUARE and not kinds & SIZE) or (kinds & FOREIGN and kinds & (LEVELS | PROGRESSIVE)):
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
    return Fields(size, levels, placement, bool(kinds & PROGRESSIVE), bool(kinds & FOREIGN)), body


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
