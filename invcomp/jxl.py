"""How large a JPEG XL picture is, and whether it is a still one, from its first bytes (ISO/IEC 18181-1, annex D).

The plugin decodes a whole file before it tells, so this is asked first.
"""

CODESTREAM = b"\xff\x0a"
BOXES = b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a"
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of width to height
SIDE_BITS = (9, 13, 18, 30)


class Bits:
    """Bits of a string of bytes, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        """The next so many as a number. Raises `ValueError` at the end."""
        self.left -= count
        if self.left < 0:
            raise ValueError("it ends early")
        found = self.value & ((1 << count) - 1)
        self.value >>= count
        return found


def still_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of a still picture, the codestream bare or in boxes.

    Raises `ValueError` for anything else, and for what has a preview or another size to be shown at.
    """
    bits = Bits(codestream(data)[2:34])
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.take(SIDE_BITS[bits.take(2)]) + 1

    height = side()
    ratio = bits.take(3)
    width = height * RATIOS[ratio - 1][0] // RATIOS[ratio - 1][1] if ratio else side()
    plain = bits.take(1)
    if not plain and bits.take(1):
        bits.take(3)  # orientation
        if bits.take(3):
            raise ValueError("it is no plain still picture")
    return width, height


def codestream(data: bytes) -> bytes:
    """The beginning of the codestream. Raises `ValueError`."""
    if data.startswith(CODESTREAM):
        return data[:64]
    at = len(BOXES)
    while data.startswith(BOXES) and at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        begin = {b"jxlc": at + 8, b"jxlp": at + 12}.get(kind)
        if begin is not None and data[begin : begin + 2] == CODESTREAM:
            return data[begin : begin + 64]
        if length < 8:
            break
        at += length
    raise ValueError("it is no JPEG XL")
