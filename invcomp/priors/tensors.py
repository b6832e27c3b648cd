"""Safetensors files of strangers: every number of the header is checked before anything is allocated.

The format (https://github.com/huggingface/safetensors): the header's length (8 bytes, little-endian), the header (JSON:
type, shape and place of every tensor), the tensors' bytes.
"""

import json
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_HEADER = 1 << 20  # bytes
MAX_TENSORS = 1 << 14
MAX_DEPTH = 32  # of what is nested in a header or a card
DTYPES = {"F16": "<f2", "F32": "<f4", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "I32": "<i4", "I64": "<i8"}
Place = tuple[int, int, str, tuple[int, ...]]
"""First byte of a tensor in its file, the one after its last, its type and shape."""


def parse_json(text: str | bytes) -> dict[str, Any]:
    """A JSON object of finite numbers, without twice the same name. Raises `ValueError` for anything else."""

    def constant(name: str) -> None:
        raise ValueError(f"{name} is no number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name is there twice")
        return found

    try:
        value = json.loads(text, parse_constant=constant, object_pairs_hook=unique)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    layer: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        layer = [v for x in layer for v in (x.values() if isinstance(x, dict) else x if isinstance(x, list) else ())]
    if layer:
        raise ValueError("it is nested too deeply")
    return value


def parse(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Metadata and tensors of a file's bytes. Raises `ValueError` for what is not a whole file of known types."""
    metadata, found = read_header(data)
    view = memoryview(data)
    return metadata, {
        name: np.frombuffer(view[begin:end], dtype=kind).reshape(shape).copy()
        for name, (begin, end, kind, shape) in found.items()
    }


def places(data: bytes) -> dict[str, Place]:
    """Where the tensors of a file lie. Raises `ValueError` like `parse`."""
    return read_header(data)[1]


def read_header(data: bytes) -> tuple[dict[str, Any], dict[str, Place]]:
    """Metadata of a file, and where its tensors lie, in that order."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MAX_HEADER, len(data) - 8):
        raise ValueError("its header is longer than the file, or than any")
    header = parse_json(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or len(header) > MAX_TENSORS:
        raise ValueError("its header is none of safetensors, or names too many tensors")
    first = 8 + length
    found, end = {}, 0
    for name, (begin, stop, kind, shape) in sorted(
        ((name, described(entry)) for name, entry in header.items()), key=lambda item: item[1][:2]
    ):
        if begin != end or stop - begin != prod(shape) * np.dtype(kind).itemsize or first + stop > len(data):
            raise ValueError(f"the tensor {name[:80]!r} does not lie where it should")
        found[name] = (first + begin, first + stop, kind, shape)
        end = stop
    if first + end != len(data):
        raise ValueError("it has bytes that belong to no tensor")
    return metadata, found


def described(entry: Any) -> Place:
    """The place, counted from the header's end, that an entry of it names. Raises `ValueError`."""
    try:
        kind, shape, (begin, stop) = DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise ValueError("an entry of its header is not that of a tensor of a known type") from None
    numbers = [begin, stop, *shape]
    if len(shape) > 8 or any(type(number) is not int or not 0 <= number < 1 << 40 for number in numbers):
        raise ValueError("an entry of its header has impossible numbers")
    return begin, stop, kind, shape
