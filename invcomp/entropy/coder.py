"""Symbols ↔ payload: range coding with integer tables (`constriction`), the tail trimmed.

The coder gets frequencies as whole numbers in float64. Its fixed-point probabilities are
`floor(cumulative * (2**24 - A) / 2**16) + symbol`, which float64 computes exactly, so they do not depend on a machine.
"""

from collections.abc import Callable, Sequence

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from invcomp.entropy.tables import LevelTables
from invcomp.errors import FormatError

Symbols = list[NDArray[np.int32]]
"""Integer symbols of every level, (C, H, W), coarse to fine."""

CHUNK = 1 << 16  # symbols coded by one call
WORD = 4  # bytes of a word of the range coder


def encode(tables: Sequence[LevelTables], symbols: Symbols, rate: int, coded: Sequence[bool]) -> bytes:
    """The shortest payload from which `decode` gives the symbols back; levels that are not `coded` are all zero.

    At most one byte longer than the ideal code length. Symbols must lie within the tables' bounds.
    """
    encoder = stream.queue.RangeEncoder()
    model = stream.model.Categorical(perfect=False)
    for table, level, present in zip(tables, symbols, coded, strict=True):
        if present:
            rows = table.chosen(rate, level.shape).ravel()
            frequencies = table.frequencies().astype(np.float64)
            for part in chunks(len(rows)):
                encoder.encode(level.ravel()[part] + table.bound, model, frequencies[rows[part]])
    sealed = encoder.get_compressed().astype(">u4").tobytes()
    shapes = [level.shape for level in symbols]

    def decodes(payload: bytes) -> bool:
        try:
            return same(decode(tables, payload, shapes, rate, coded), symbols)
        except FormatError:
            return False

    return shorten(sealed, decodes)


def decode(
    tables: Sequence[LevelTables],
    payload: bytes,
    shapes: Sequence[tuple[int, int, int]],
    rate: int,
    coded: Sequence[bool],
) -> Symbols:
    """The symbols of a payload. Any bytes give symbols within the tables' bounds, or a `FormatError`.

    A few bit strings lie in the gaps that the coder's rounding leaves and stand for no symbol.
    """
    padded = payload + bytes(-len(payload) % WORD)
    decoder = stream.queue.RangeDecoder(np.frombuffer(padded, dtype=">u4").astype(np.uint32))
    model = stream.model.Categorical(perfect=False)
    symbols = []
    for table, shape, present in zip(tables, shapes, coded, strict=True):
        if present:
            rows = table.chosen(rate, shape).ravel()
            frequencies = table.frequencies().astype(np.float64)
            try:
                parts = [decoder.decode(model, frequencies[rows[part]]) for part in chunks(len(rows))]
            except AssertionError:
                raise FormatError("the payload stands for no symbols; get the file again") from None
            found = np.concatenate(parts)
            symbols.append((found - table.bound).astype(np.int32).reshape(shape))
        else:
            symbols.append(np.zeros(shape, dtype=np.int32))
    return symbols


def chunks(count: int) -> list[slice]:
    """Slices of at most `CHUNK` symbols, so that the frequencies of a large picture are not all in memory at once."""
    return [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]


def same(left: Symbols, right: Symbols) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def shorten(sealed: bytes, decodes: Callable[[bytes], bool]) -> bytes:
    """The shortest payload that `decodes` to the same symbols as `sealed`.

    A payload is a binary fraction; those that decode alike fill an interval that contains `sealed`. If it contains a
    number of n bytes, then `sealed` rounded down or rounded up to n bytes is one.
    """

    def rounded(n: int) -> list[bytes]:
        down = sealed[:n]
        up = int.from_bytes(down, "big") + 1
        return [down] if up >> (8 * n) else [down, up.to_bytes(n, "big")]

    best = sealed
    while best:
        shorter = next((p for p in rounded(len(best) - 1) if decodes(p)), None)
        if shorter is None:
            break
        best = shorter
    return best
