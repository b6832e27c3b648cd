"""Walk an OpenVINO graph from its result back to its input, saying at each step which operation must be there.

Steps go by operations, edges and shapes, never by names. `finish` makes sure that every floating-point layer was met,
and no step meets one twice: so no weight is left over, and the graph computes nothing that the walk did not expect.
Integer layers (shapes, axes, lengths of splits) are not walked; the shapes that they lead to are checked instead.
"""

import math
from collections.abc import Sequence

import numpy as np

from invcomp.priors.portraits.openvino_graph import Array, Graph, Layer, Output

FAR = 1e-6  # relative; a constant that is expected to have a value may differ by rounding


class Walk:
    """Every method that walks raises `PriorError` if the graph is not as expected."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._met: set[int] = set()
        parameters = graph.of_kind("Parameter")
        if len(parameters) != 1 or len(parameters[0].outputs) != 1:
            graph.refuse("it does not have one input")
        self.parameter = parameters[0].outputs[0]
        self._met.add(self.parameter.layer)

    def result(self) -> Output:
        """Where the walk begins."""
        results = self.graph.of_kind("Result")
        if len(results) != 1 or len(results[0].inputs) != 1:
            self.graph.refuse("it does not have one result")
        return results[0].inputs[0]

    def kind(self, at: Output) -> str:
        return self.graph.layers[at.layer].kind

    def meet(self, at: Output, kind: str, operands: int) -> tuple[Output, ...]:
        """Step back over the operation that gives `at`, to its floating-point operands (so many must there be)."""
        layer = self._meet(at, kind)
        found = tuple(output for output in layer.inputs if output.floating)
        if len(found) != operands:
            self.graph.refuse(f"layer {layer.id} ({kind}) has {len(found)} operands, not {operands}")
        return found

    def attributes(self, at: Output, expected: dict[str, str]) -> None:
        """Check attributes of the operation that gives `at`."""
        layer = self.graph.layers[at.layer]
        wrong = {name for name, value in expected.items() if layer.attributes.get(name) != value}
        self.check(not wrong, at, f"has another {', '.join(sorted(wrong))} than expected")

    def map_shape(self, at: Output) -> tuple[int, int, int, int]:
        """(N, C, H, W) of what must be a map of features."""
        self.check(len(at.shape) == 4, at, "is no map of features")
        n, channels, height, width = at.shape
        return n, channels, height, width

    def constant(self, at: Output) -> Array:
        """The constant that `at` is, whatever shape it is brought to; fp32, finite."""
        size = math.prod(at.shape)
        while self.kind(at) in ("Reshape", "Broadcast", "Tile"):
            (at,) = self.meet(at, self.kind(at), 1)
        value = self._meet(at, "Const").constant
        assert value is not None
        self.check(value.size == size, at, "is repeated")
        self.check(bool(np.isfinite(value).all()), at, "is not finite")
        return value.astype(np.float32)

    def with_constant(self, at: Output, kind: str) -> tuple[Output, Array]:
        """Step back over an operation on something and a constant."""
        rest, constant = self.meet(at, kind, 2)
        return rest, self.constant(constant)

    def with_scalar(self, at: Output, kind: str) -> tuple[Output, float]:
        """Step back over an operation on something and one constant number."""
        rest, constant = self.with_constant(at, kind)
        self.check(constant.size == 1, at, "takes no single number")
        return rest, float(constant.reshape(()))

    def with_value(self, at: Output, kind: str, value: float) -> Output:
        """Step back over an operation with a number that must be `value`."""
        rest, found = self.with_scalar(at, kind)
        self.check(bool(np.isclose(found, value, rtol=FAR, atol=0)), at, f"takes {found}, not {value}")
        return rest

    def check(self, holds: bool, at: Output, otherwise: str) -> None:
        if not holds:
            layer = self.graph.layers[at.layer]
            self.graph.refuse(f"layer {layer.id} ({layer.kind}, {at.shape}) {otherwise}")

    def same(self, found: Sequence[Output], expected: Sequence[Output]) -> None:
        """Check that edges come from where they should."""
        if list(found) != list(expected):
            self.graph.refuse(f"layer {found[0].layer} is wired in another way than expected")

    def finish(self) -> None:
        """Check that the walk has met all of the graph."""
        left = [layer for layer in self.graph.layers.values() if _floating(layer) and layer.id not in self._met]
        if left:
            self.graph.refuse(f"{len(left)} layers are not understood, the first of them {left[0].id} ({left[0].kind})")

    def _meet(self, at: Output, kind: str) -> Layer:
        layer = self.graph.layers[at.layer]
        self.check(layer.kind == kind, at, f"was expected to be {kind}")
        self.check(layer.id not in self._met, at, "is used twice")
        self._met.add(layer.id)
        return layer


def _floating(layer: Layer) -> bool:
    return any(output.floating for output in layer.outputs)
