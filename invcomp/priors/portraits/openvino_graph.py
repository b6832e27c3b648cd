"""Read an OpenVINO graph (a `.xml` of layers and edges, a `.bin` of constants) without OpenVINO.

Only what is needed to take weights out of a trained network: layers, what feeds them, declared shapes, constants.
Reading is strict and bounded. A file that is damaged, or that uses what is not known here, ends in one `PriorError`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from invcomp.errors import PriorError

MAX_XML_BYTES, MAX_BIN_BYTES, MAX_LAYERS = 16 << 20, 1 << 30, 20_000
DTYPES: dict[str, np.dtype[Any]] = {
    "f32": np.dtype("<f4"),
    "f16": np.dtype("<f2"),
    "i64": np.dtype("<i8"),
    "i32": np.dtype("<i4"),
    "u8": np.dtype("u1"),
}
FLOATING = frozenset({"FP32", "FP16"})
Array = NDArray[Any]


@dataclass(frozen=True)
class Output:
    """One output of a layer: what an edge carries."""

    layer: int
    """Id of the layer."""
    index: int
    """Position among the layer's outputs."""
    shape: tuple[int, ...]
    """As declared in the file."""
    floating: bool
    """Whether it carries floating-point values; the others are shapes, axes and indices."""


@dataclass(frozen=True)
class Layer:
    """One operation of the graph."""

    id: int
    kind: str
    """The operation's name in OpenVINO's operation set: `MatMul`, `Const`, …"""
    name: str
    attributes: Mapping[str, str]
    inputs: tuple[Output, ...]
    """What feeds it, in the order of its input ports."""
    outputs: tuple[Output, ...]
    constant: Array | None
    """The value of a `Const` (read-only), None for every other kind."""


@dataclass(frozen=True)
class Graph:
    """Layers by id, every layer after those that feed it."""

    path: Path
    layers: Mapping[int, Layer]

    def of_kind(self, kind: str) -> list[Layer]:
        return [layer for layer in self.layers.values() if layer.kind == kind]

    def refuse(self, fact: str) -> NoReturn:
        """Raise the `PriorError` that says what is wrong with the file."""
        raise PriorError(f"{self.path} cannot be read as a network: {fact}; get the file again")


def read_graph(path: Path) -> Graph:
    """Read `path` (.xml) and the .bin of the same name beside it. Raises `PriorError`."""
    graph = Graph(path, {})
    root = _parse(_read_bounded(path, MAX_XML_BYTES), graph)
    constants = _read_bounded(path.with_suffix(".bin"), MAX_BIN_BYTES)
    try:
        return Graph(path, _layers(root, constants))
    except CycleError:
        graph.refuse("its layers feed each other in a circle")
    except (KeyError, ValueError) as error:  # a missing attribute, or a number that is none or out of range
        graph.refuse(f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error))


def _read_bounded(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise PriorError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > limit:
        raise PriorError(f"{path} is larger than the {limit >> 20} MiB that a network may have; get the file again")
    return data


class _NoDoctype(ElementTree.TreeBuilder):
    """A document type is the only door to entities (external ones, or ones that expand without end): keep it shut."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise ValueError(f"it declares a document type ({name})")


def _parse(xml: bytes, graph: Graph) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        parser.feed(xml)
        root = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        graph.refuse(str(error))
    if not isinstance(root, ElementTree.Element) or root.tag != "net":
        graph.refuse("it holds no <net>")
    return root


def _layers(root: ElementTree.Element, constants: bytes) -> dict[int, Layer]:
    """Raises `ValueError`, `KeyError` or `CycleError` for anything that is not as it should be."""
    elements = {_whole(element, "id"): element for element in root.findall("layers/layer")}
    if len(elements) > MAX_LAYERS or len(elements) != len(root.findall("layers/layer")):
        raise ValueError(f"it has two layers of one id, or more than {MAX_LAYERS} layers")
    ports = {(id, port): output for id, element in elements.items() for port, output in _outputs(id, element)}
    inputs: dict[int, dict[int, Output]] = {id: {} for id in elements}
    for edge in root.findall("edges/edge"):
        source = (_whole(edge, "from-layer"), _whole(edge, "from-port"))
        target, port = _whole(edge, "to-layer"), _whole(edge, "to-port")
        if source not in ports or target not in inputs or port in inputs[target]:
            raise ValueError(f"the edge from {source} to {(target, port)} leads nowhere, or to a place already taken")
        inputs[target][port] = ports[source]
    for id, element in elements.items():
        declared = {_whole(port, "id") for port in element.findall("input/port")}
        if declared != inputs[id].keys():
            raise ValueError(f"layer {id} lacks an input")
    order = TopologicalSorter({id: [output.layer for output in found.values()] for id, found in inputs.items()})
    return {
        id: _layer(id, elements[id], [output for _, output in sorted(inputs[id].items())], constants)
        for id in order.static_order()
    }


def _layer(id: int, element: ElementTree.Element, inputs: Iterable[Output], constants: bytes) -> Layer:
    kind, data = element.attrib["type"], element.find("data")
    attributes = dict(data.attrib) if data is not None else {}
    outputs = tuple(output for _, output in _outputs(id, element))
    constant = _constant(attributes, constants) if kind == "Const" else None
    if constant is not None and [output.shape for output in outputs] != [constant.shape]:
        raise ValueError(f"constant {id} is declared with two shapes")
    return Layer(id, kind, element.attrib["name"], attributes, tuple(inputs), outputs, constant)


def _outputs(id: int, element: ElementTree.Element) -> list[tuple[int, Output]]:
    """The output ports of a layer, as (port number, output)."""
    return [
        (_whole(port, "id"), Output(id, index, _shape(dim.text for dim in port), port.attrib["precision"] in FLOATING))
        for index, port in enumerate(element.findall("output/port"))
    ]


def _constant(attributes: Mapping[str, str], constants: bytes) -> Array:
    if attributes["element_type"] not in DTYPES:
        raise ValueError(f"constants of type {attributes['element_type']} are not known")
    dtype = DTYPES[attributes["element_type"]]
    shape = _shape(attributes["shape"].split(",") if attributes["shape"].strip() else [])
    offset, size = _number(attributes["offset"]), _number(attributes["size"])
    if size != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"a constant of shape {shape} has {size} bytes")
    if offset + size > len(constants):
        raise ValueError(f"a constant lies at {offset} to {offset + size}, and the .bin has {len(constants)} bytes")
    return np.frombuffer(constants, dtype, math.prod(shape), offset).reshape(shape)


def _shape(sides: Iterable[str | None]) -> tuple[int, ...]:
    return tuple(_number(side) for side in sides)


def _whole(element: ElementTree.Element, attribute: str) -> int:
    return _number(element.attrib[attribute])


def _number(text: str | None) -> int:
    """A whole number that is not negative; all lengths, ids and sides here are."""
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise ValueError(f"{text!r} is no number")
    return int(digits)
