"""The checksums of the container: CRC-16 or CRC-8 over all bytes before, started from the full prior id.

Both are true cyclic codes, so what is wrong within eight (sixteen) neighbouring bits is noticed for certain, anything
else but for one in 256 (65,536) cases. The CRC-16 is CCITT's (polynomial 0x1021), the CRC-8 that of SAE J1850 (0x1D).
The latter's polynomial is primitive, so of two flipped bits it misses only those a multiple of 255 bits apart. Better
known ones (0x07, 0x2F) have the factor x + 1 in place of that: they notice every odd number of flipped bits, but miss
pairs 127 bits apart and one in 128 of other even numbers, and files here have some 360 to 10,000 bits.
"""

import binascii

START = {1: 0xFF, 2: 0xFFFF}  # states before the prior id, by the bytes of the checksum
ONE_BYTE = 0b100  # the bit of a file's first byte that says which it is


def table_of(polynomial: int) -> tuple[int, ...]:
    """What a CRC-8 of one polynomial (without its highest term) makes of every byte."""
    table = []
    for state in range(256):
        for _ in range(8):
            state = state << 1 ^ (polynomial if state & 0x80 else 0)
            state &= 0xFF
        table.append(state)
    return tuple(table)


TABLE = table_of(0x1D)


def advance(size: int, state: int, data: bytes) -> int:
    """The state of the checksum of `size` bytes after more data."""
    if size == 2:
        return binascii.crc_hqx(data, state)
    for byte in data:
        state = TABLE[state ^ byte]
    return state


def size_of(data: bytes) -> int:
    """How many bytes every checksum of a file has; `data` begins with the file's first byte."""
    return 1 if data[0] & ONE_BYTE else 2


def checksum(prior_id: bytes, data: bytes) -> int:
    """The checksum of a file's bytes before it, of the kind that the first of them names."""
    size = size_of(data)
    return advance(size, advance(size, START[size], prior_id), data)


def sealed(prior_id: bytes, data: bytes) -> bytes:
    """Bytes with their checksum."""
    return data + checksum(prior_id, data).to_bytes(size_of(data), "big")


def intact(prior_id: bytes, data: bytes) -> bool:
    """Whether the checksum at the end of a file agrees with its bytes and the prior."""
    end = len(data) - size_of(data)
    return checksum(prior_id, data[:end]) == int.from_bytes(data[end:], "big")


def has_intact_prefix(prior_id: bytes, data: bytes, shortest: int) -> bool:
    """Whether a truncation of a file to `shortest` bytes or more would carry a valid checksum."""
    size = size_of(data)
    state = advance(size, START[size], prior_id)
    for end in range(size, len(data)):  # of the prefix, and `state` is that of what lies before its checksum
        if end > size:
            state = advance(size, state, data[end - size - 1 : end - size])
        if end >= shortest and state == int.from_bytes(data[end - size : end], "big"):
            return True
    return False
