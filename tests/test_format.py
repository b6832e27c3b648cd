"""`docs/format.md` suffices: a reader that was written from it alone finds the symbols that invcomp finds.

What follows uses Python's integers, lists and JSON; none of invcomp's reader, nor the library that it codes with.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from invcomp.codec import Codec
from invcomp.pictures import read_picture
from tests.conftest import FACES, ROOT
from tests.golden_files import shipped
from tests.untrained import FREE, untrained

GOLDEN = {"faces": "faces-64", shipped("faces-64"): "faces-64", shipped("faces"): "faces"}
"""Golden files of priors that are here, by their names' second part, and which those are."""
Level = list[list[list[int]]]
"""Symbols or surprises by channel, row and column."""


def safetensors(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Architecture and tables of `generator.safetensors`, as nested lists."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    architecture = json.loads(header.pop("__metadata__")["architecture"])
    letters = {"U8": "B", "I8": "b", "U16": "H", "I16": "h", "I32": "i"}
    tensors = {}
    for name, entry in header.items():
        if name.startswith("tables."):
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            letter = letters[entry["dtype"]]
            values: list[Any] = list(
                struct.unpack(f"<{(end - begin) // struct.calcsize(letter)}{letter}", data[begin:end])
            )
            for side in entry["shape"][:0:-1]:
                values = [values[at : at + side] for at in range(0, len(values), side)] if side else [[]]
            tensors[name] = values if 0 not in entry["shape"] else [[] for _ in range(entry["shape"][0])]
    return architecture, tensors


def checksum(bits: int, data: bytes) -> int:
    """CRC-16 or CRC-8, bit by bit."""
    polynomial, state = {16: (0x1021, 0xFFFF), 8: (0x1D, 0xFF)}[bits]
    for byte in data:
        state ^= byte << (bits - 8)
        for _ in range(8):
            state = (state << 1 ^ (polynomial if state >> (bits - 1) else 0)) & ((1 << bits) - 1)
    return state


class Bytes:
    """Reads numbers from the front of bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        value = 0
        for shift in (0, 7, 14):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a varint has three bytes at most")


class RangeDecoder:
    """Section "Range decoder"."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.lower, self.range = 0, 2**64 - 1
        self.point = self.word() << 32 | self.word()

    def word(self) -> int:
        self.at += 4
        return int.from_bytes(self.data[self.at - 4 : self.at].ljust(4, b"\0"), "big")

    def symbol(self, cumulative: list[int]) -> int:
        """Counted from the first."""
        count = len(cumulative)
        starts = [(value * (2**24 - count) >> 16) + n for n, value in enumerate(cumulative)] + [2**24]
        scale = self.range >> 24
        quantile = ((self.point - self.lower) % 2**64) // scale
        if quantile >= 2**24:
            raise ValueError("stands for no symbol")
        symbol = next(n for n in range(count) if quantile < starts[n + 1])
        self.lower = (self.lower + scale * starts[symbol]) % 2**64
        self.range = scale * (starts[symbol + 1] - starts[symbol])
        if self.range < 2**32:
            self.lower, self.range = self.lower << 32 & (2**64 - 1), self.range << 32
            self.point = (self.point << 32 | self.word()) & (2**64 - 1)
        return symbol


def read(data: bytes, generator: bytes) -> list[Level]:
    """The symbols of all levels of a file. Raises `ValueError` for a damaged one."""
    architecture, tensors = safetensors(generator)
    prior_id = hashlib.sha256(generator).digest()
    size = 1 if data[0] & 4 else 2
    if data[0] >> 3 != 0b10100 or int.from_bytes(data[1:3], "big") & 2047 != int.from_bytes(prior_id[:2], "big") >> 5:
        raise ValueError("no file of this prior")

    def check(end: int) -> None:
        if checksum(8 * size, prior_id + data[: end - size]) != int.from_bytes(data[end - size : end], "big"):
            raise ValueError("the checksum does not agree")

    check(len(data))
    rate, tail, body = data[1] >> 3 & 15, data[0] & 3, Bytes(data[: len(data) - size])
    body.at = 3
    kinds = body.byte() if data[1] >> 7 else 0
    side = architecture["image_size"]
    width = body.varint() if kinds & 1 else side
    height = width if kinds & 2 or not kinds & 1 else body.varint()
    count = len(architecture["latent_channels"])
    coded = body.byte() if kinds & 4 else 2**count - 1
    for _ in range(6 if kinds & 8 else 0):
        body.varint()
    if side is not None:
        width = height = side
    stride = 2**count
    shapes = [
        (channels, -(-height // stride) * 2**level, -(-width // stride) * 2**level)
        for level, channels in enumerate(architecture["latent_channels"])
    ]
    if kinds & 16:
        body.data, decoders = data, {}
        for level in range(count):
            if coded >> level & 1:
                length = body.varint()
                decoders[level] = RangeDecoder(data[body.at : body.at + length])
                body.at += length + size
                check(body.at)
    else:
        decoder = RangeDecoder(body.data[body.at :] + bytes([tail << 6]))
        decoders = {level: decoder for level in range(count) if coded >> level & 1}
    found: list[Level] = []
    above: Level = []
    for level, shape in enumerate(shapes):
        start = f"tables.{level}."
        tables = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
        symbols, above = read_level(tables, shape, rate, decoders.get(level), above)
        found.append(symbols)
    return found


def read_level(
    tables: dict[str, Any], shape: tuple[int, int, int], rate: int, decoder: RangeDecoder | None, above: Level
) -> tuple[Level, Level]:
    """Symbols and surprises of one level; `above`: the surprises of the level above, if that has contexts."""
    channels, height, width = shape
    cumulative, index = tables["cumulative"], tables["index"][rate]
    bound = len(cumulative[0]) // 2
    rule = {name.removeprefix("context."): value for name, value in tables.items() if name.startswith("context.")}
    symbols, surprises = ([[[0] * width for _ in range(height)] for _ in range(channels)] for _ in range(2))
    around = ((0, 0), (0, -1), (-1, 0), (-1, -1), (-1, 1))
    for c, y, x in in_order(shape, bool(rule)):
        plane = index[c]
        of_class = plane[y % len(plane)][x % len(plane[0])]
        table = of_class
        if rule and decoder:
            activity = sum(w * above[p][y // 2][x // 2] for p, w in enumerate(rule["coarser"][c]))
            lean = 0
            for place, (down, right) in enumerate(around):
                if y + down >= 0 and 0 <= x + right < width:
                    for other in range(c if place == 0 else channels):
                        activity += rule["activity"][c][place][other] * surprises[other][y + down][x + right]
                        lean += rule["lean"][c][place][other] * symbols[other][y + down][x + right]
            lean *= rule["scale"][of_class]
            bins = [
                sum(edge <= value for edge in rule[name])
                for name, value in (("activity_bounds", activity), ("lean_bounds", lean))
            ]
            table = (of_class * (len(rule["activity_bounds"]) + 1) + bins[0]) * (len(rule["lean_bounds"]) + 1) + bins[1]
        symbol = decoder.symbol(cumulative[table]) - bound if decoder else 0
        symbols[c][y][x] = symbol
        if rule:
            surprises[c][y][x] = rule["surprise"][of_class][symbol + bound]
    return symbols, surprises if rule else []


def in_order(shape: tuple[int, int, int], contexts: bool) -> Iterator[tuple[int, int, int]]:
    """Channel, row and column of every symbol, as they are coded."""
    channels, height, width = shape
    if not contexts:
        yield from ((c, y, x) for c in range(channels) for y in range(height) for x in range(width))
        return
    for diagonal in range(width + 2 * height - 2):
        for c in range(channels):
            yield from ((c, y, diagonal - 2 * y) for y in range(height) if 0 <= diagonal - 2 * y < width)


# -- the tests ----------------------------------------------------------------------------------------------------


def generator_of(prior: str) -> bytes:
    return (ROOT / "pretrained" / prior / "generator.safetensors").read_bytes()


FILES = [
    path
    for path in sorted((ROOT / "tests" / "golden").glob("*.inv"))
    if path.stem.split("-")[1] in GOLDEN and "foreign" not in path.stem
]


@pytest.mark.parametrize("path", FILES[::3], ids=lambda path: path.stem)
def test_golden_files_are_read(path: Path) -> None:
    symbols = read(path.read_bytes(), generator_of(GOLDEN[path.stem.split("-")[1]]))
    digest = hashlib.sha256(b"".join(np.array(level, "<i4").tobytes() for level in symbols)).hexdigest()
    assert digest == json.loads((path.parent / "symbols.json").read_text())[path.stem]


@pytest.mark.parametrize(("progressive", "size"), [(False, 2), (True, 1)])
def test_files_with_contexts_are_read(progressive: bool, size: int) -> None:
    codec = Codec("faces", "cpu")
    image = read_picture(FACES[0]).image
    levels = 3 if progressive else None
    data = codec.compress(image, steps=0, quality=20, levels=levels, progressive=progressive, checksum=size)
    _, expected = codec.read(data)
    found = read(data, generator_of("faces"))
    assert all(np.array_equal(np.array(a), b) for a, b in zip(found, expected, strict=True))
    assert any(level.any() for level in expected[1:])


def test_files_of_any_size_and_with_levels_left_out_are_read(tmp_path: Path) -> None:
    folder = untrained(tmp_path / "free", FREE)
    codec = Codec(folder, "cpu")
    generator = (folder / "generator.safetensors").read_bytes()
    image = Image.effect_noise((23, 10), 70).convert("RGB")
    for levels in (1, 2):
        data = codec.compress(image, steps=0, loss="mse", levels=levels, checksum=levels)
        _, expected = codec.read(data)
        assert all(np.array_equal(np.array(a), b) for a, b in zip(read(data, generator), expected, strict=True))


def test_the_test_vectors_of_the_page() -> None:
    page = (ROOT / "docs" / "format.md").read_text()
    prior_id = bytes(range(32))
    assert f"0x{checksum(16, prior_id + b'123456789'):04X}" in page
    assert f"0x{checksum(8, prior_id + b'123456789'):02X}" in page
    for line in ("a0 18 00 70 61 79 6c 6f 61 64 ", "a4 18 00 70 61 79 6c 6f 61 64 "):
        body = bytes.fromhex(line)
        bits = 8 if body[0] & 4 else 16
        assert line + checksum(bits, prior_id + body).to_bytes(bits // 8, "big").hex(" ") in page
