"""Files cut into packets for radio links, each with a header of 5 bytes (docs/packets.md).

    bytes 0, 1  1011 v i*11    magic, version - 1, first 11 bits of the prior id (big-endian)
    bytes 2-4   n*6 t*6 c*12   number of the packet from 0, number of packets - 1, first 12 bits of the file's CRC-32
    …           bytes of the file

The CRC tells packets of different pictures apart, and whether what is joined is what was split. Which of the packets is
damaged is for the link to notice, as links do. It is a CRC-32 since one of the kind that files end in would be the same
for all files of a prior and length.
"""

import zlib
from dataclasses import dataclass
from typing import NamedTuple

from invcomp.container import ID_BITS, read_header
from invcomp.errors import FormatError, UsageError

MAGIC, VERSION = 0b1011, 1
HEADER = 5  # bytes
MOST = 64  # packets of a file
TAG_BITS = 12
LARGEST = 1 << 16  # bytes of a packet: more than any datagram has
SUFFIX = ".pkt"


class Message(NamedTuple):
    """What all packets of a file have in common."""

    prior: int
    """The first 11 bits of the prior id."""
    total: int
    """How many packets there are."""
    tag: int
    """12 bits of the file's CRC-32."""


@dataclass(frozen=True)
class Packet:
    message: Message
    number: int
    payload: bytes


def tag_of(data: bytes) -> int:
    return zlib.crc32(data) >> (32 - TAG_BITS)


def split(data: bytes, mtu: int, name: str = "the file") -> list[bytes]:
    """A file as the fewest packets of at most `mtu` bytes each. Raises `UsageError` if they are too small for it.

    All but the last are full: so the first packets, however many arrive, hold as many whole levels as they can.
    """
    room = mtu - HEADER
    if room < 1:
        raise UsageError(f"--mtu takes {HEADER + 1} bytes or more, not {mtu}: {HEADER} of every packet are its header")
    if len(data) > MOST * room:
        least = HEADER - (-len(data) // MOST)
        raise UsageError(
            f"{name} has {len(data):,} bytes, too many for {MOST} packets of {mtu} (header {HEADER}); "
            f"give --mtu {least} or more"
        )
    payloads = [data[at : at + room] for at in range(0, len(data), room)]
    message = Message(read_header(data, name).short_id, len(payloads), tag_of(data))
    return [serialise(Packet(message, number, payload)) for number, payload in enumerate(payloads)]


def serialise(packet: Packet) -> bytes:
    prior, total, tag = packet.message
    first = MAGIC << 12 | VERSION - 1 << ID_BITS | prior
    rest = packet.number << 18 | total - 1 << TAG_BITS | tag
    return first.to_bytes(2, "big") + rest.to_bytes(3, "big") + packet.payload


def parse(data: bytes, name: str) -> Packet:
    """Raises `FormatError` for what is no packet."""
    if not data or data[0] >> 4 != MAGIC:
        raise FormatError(f"{name} is no packet of a picture; give what `invcomp split` made")
    version = (data[0] >> 3 & 1) + 1
    if version != VERSION:
        raise FormatError(f"{name} is a packet of version {version}; this program reads version {VERSION}")
    if len(data) <= HEADER:
        raise FormatError(f"{name} is truncated: it has {len(data)} bytes, fewer than any packet; get it again")
    first, rest = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:HEADER], "big")
    message = Message(first & ((1 << ID_BITS) - 1), (rest >> TAG_BITS & 63) + 1, rest & ((1 << TAG_BITS) - 1))
    number = rest >> 18
    if number >= message.total:
        raise FormatError(f"{name} is damaged: it says that it is packet {number + 1} of {message.total}; get it again")
    return Packet(message, number, data[HEADER:])
