"""Symbols ↔ payload: range coding with integer tables (`constriction`), the tail trimmed.

The coder gets frequencies as whole numbers in float64. Its fixed-point probabilities are
`floor(cumulative * (2**24 - A) / 2**16) + symbol`, which float64 computes exactly, so they do not depend on a machine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from invcomp.entropy import chain
from invcomp.entropy.chain import Symbols
from invcomp.entropy.contexts import Integers
from invcomp.entropy.tables import LevelTables
from invcomp.errors import FormatError

CHUNK = 1 << 16  # symbols coded by one call
WORD = 4  # bytes of a word of the range coder


@dataclass(frozen=True)
class Payload:
    """A binary fraction: whole bytes, then the two bits of `tail`, then zeros."""

    data: bytes
    tail: int = 0


Coded = tuple[NDArray[np.float64], NDArray[np.int32], Integers]
"""Frequencies of a level's tables (K, A), its symbols counted from the first, the table of each; in coding order."""


def encode(tables: Sequence[LevelTables], symbols: Symbols, rate: int, coded: Sequence[bool]) -> list[Payload]:
    """Payloads from which `decode` gives the symbols back, the shortest first; uncoded levels are all zero.

    The shortest is at most a byte longer than the ideal code length. Symbols must lie within the tables' bounds.
    """
    return seal(prepare(tables, symbols, rate, coded))


def encode_apart(tables: Sequence[LevelTables], symbols: Symbols, rate: int, coded: Sequence[bool]) -> list[bytes]:
    """A payload for every coded level by itself, from which `decode_apart` gives the symbols back."""
    return [
        next(payload.data for payload in seal([level]) if not payload.tail)
        for level in prepare(tables, symbols, rate, coded)
    ]


def prepare(tables: Sequence[LevelTables], symbols: Symbols, rate: int, coded: Sequence[bool]) -> list[Coded]:
    """The coded levels."""
    rows = chain.rows(tables, symbols, rate)
    return [
        (
            table.frequencies().astype(np.float64),
            chain.in_order(table, level + table.bound),
            chain.in_order(table, chosen),
        )
        for table, level, chosen, present in zip(tables, symbols, rows, coded, strict=True)
        if present
    ]


def seal(levels: Sequence[Coded]) -> list[Payload]:
    """Payloads of levels, the shortest first."""
    encoder = stream.queue.RangeEncoder()
    model = stream.model.Categorical(perfect=False)
    for frequencies, values, rows in levels:
        for part in chunks(len(values)):
            encoder.encode(values[part], model, frequencies[rows[part]])
    sealed = encoder.get_compressed().astype(">u4").tobytes()

    def decodes(payload: Payload) -> bool:
        reader = Reader(payload)
        try:
            return all(np.array_equal(reader.take(frequencies, rows), values) for frequencies, values, rows in levels)
        except FormatError:
            return False

    return shortest(sealed, decodes)


class Reader:
    """A payload being decoded. Raises `FormatError` for the few bit strings that lie in the gaps that the coder's
    rounding leaves and stand for no symbol."""

    def __init__(self, payload: Payload) -> None:
        padded = payload.data + bytes([payload.tail << 6])
        padded += bytes(-len(padded) % WORD)
        self.decoder = stream.queue.RangeDecoder(np.frombuffer(padded, dtype=">u4").astype(np.uint32))
        self.model = stream.model.Categorical(perfect=False)

    def take(self, frequencies: NDArray[np.float64], rows: Integers) -> Integers:
        """The next symbols, counted from the table's first, coded with the tables `rows` (n,)."""
        try:
            parts = [self.decoder.decode(self.model, frequencies[rows[part]]) for part in chunks(len(rows))]
        except AssertionError:
            raise FormatError("the payload stands for no symbols; get the file again") from None
        return np.concatenate(parts).astype(np.int64)


def decode(
    tables: Sequence[LevelTables],
    payload: Payload,
    shapes: Sequence[tuple[int, int, int]],
    rate: int,
    coded: Sequence[bool],
) -> Symbols:
    """The symbols of a payload. Any bytes give symbols within the tables' bounds, or a `FormatError`."""
    reader = Reader(payload)
    return read_levels(tables, {level: reader for level, present in enumerate(coded) if present}, shapes, rate)


def decode_apart(
    tables: Sequence[LevelTables],
    parts: Sequence[bytes],
    shapes: Sequence[tuple[int, int, int]],
    rate: int,
    coded: Sequence[bool],
) -> Symbols:
    """The symbols of payloads of single levels; coded levels of which there is none are zero."""
    present = [level for level, is_coded in enumerate(coded) if is_coded]
    readers = {level: Reader(Payload(part)) for level, part in zip(present, parts, strict=False)}
    return read_levels(tables, readers, shapes, rate)


def read_levels(
    tables: Sequence[LevelTables],
    readers: Mapping[int, Reader],
    shapes: Sequence[tuple[int, int, int]],
    rate: int,
) -> Symbols:
    """The symbols of levels that have a reader; those of the others are zero."""
    frequencies = [table.frequencies().astype(np.float64) for table in tables]

    def take(level: int, rows: Integers) -> Integers:
        return readers[level].take(frequencies[level], rows.ravel()).reshape(rows.shape) - tables[level].bound

    absent = {i: np.zeros((1, *shape), dtype=np.int64) for i, shape in enumerate(shapes) if i not in readers}
    return [level[0] for level in chain.unfold(tables, shapes, rate, 1, take, absent)]


def chunks(count: int) -> list[slice]:
    """Slices of at most `CHUNK` symbols, so that the frequencies of a large picture are not all in memory at once."""
    return [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]


def shortest(sealed: bytes, decodes: Callable[[Payload], bool]) -> list[Payload]:
    """The payloads of the fewest bytes that `decodes` to the same symbols as `sealed`, then those of a byte more.

    What decodes alike fills an interval that contains `sealed`. If a fraction of n bytes and a tail lies in it, then
    one does whose bytes are those of `sealed` cut to n, or one less, or one more.
    """

    def of_length(n: int) -> list[Payload]:
        cut = int.from_bytes((sealed + bytes(n))[:n], "big")
        near = [value for value in (cut, cut + 1, cut - 1) if 0 <= value < 1 << 8 * n]
        tries = [Payload(value.to_bytes(n, "big"), tail) for value in near for tail in range(4)]
        return [payload for payload in tries if decodes(payload)]

    longer: list[Payload] = of_length(len(sealed))
    for n in range(len(sealed) - 1, -1, -1):
        found = of_length(n)
        if not found:
            return longer + of_length(n + 2)
        longer = found
    return longer + of_length(1)
