"""Weights of MobileStyleGAN out of the two OpenVINO graphs of the wheel `random-face`, into our own modules.

The walk through each graph is at once a check that it computes what our modules compute; see `graph_walk`. The
floating-point constants that are no weights (slopes, gains, wavelet filters, the exponents of the normalisation) are
checked and dropped. A modulation's constant scale is multiplied into its weights.

The wheel is installed with `pip install --no-deps random-face`: it declares Jupyter, OpenCV and OpenVINO for a
demonstration of its own, which needs the OpenVINO of 2021. Its folder of networks is all that is read here.
"""

import importlib.util
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from invcomp.errors import MissingPackageError
from invcomp.priors.portraits.architecture import COARSEST, SynthesisShape
from invcomp.priors.portraits.graph_walk import Walk
from invcomp.priors.portraits.mobile_stylegan import GAIN, SLOPE, MappingNetwork, SynthesisNetwork
from invcomp.priors.portraits.openvino_graph import Array, Output, read_graph

MAPPING, SYNTHESIS = "MappingNetwork.xml", "SynthesisNetwork.xml"
Weights = dict[str, Array]
Network = TypeVar("Network", bound=nn.Module)


def wheel_data() -> Path:
    """The folder of the installed wheel's networks, found without importing the package.

    Raises `MissingPackageError`.
    """
    spec = importlib.util.find_spec("random_face")
    if spec is None or spec.origin is None:
        raise MissingPackageError("random-face is not installed: run `pip install --no-deps random-face`")
    return Path(spec.origin).parent / "data"


def load_networks(folder: Path) -> tuple[MappingNetwork, SynthesisNetwork]:
    """The two networks from the wheel's folder (see `wheel_data`), frozen, fp32, on the CPU. Raises `PriorError`."""
    return load_mapping(folder / MAPPING), load_synthesis(folder / SYNTHESIS)


def load_mapping(path: Path) -> MappingNetwork:
    """Raises `PriorError` for a graph that is damaged, or that is not StyleGAN2's mapping network."""
    walk = Walk(read_graph(path))
    layers: list[Weights] = []
    at = walk.result()
    while not layers or _is_activated(walk, at):
        at, layer = _linear(walk, _leaky(walk, walk.with_value(at, "Multiply", GAIN)))
        layers.append(layer)
    _normalised_input(walk, at)
    walk.finish()
    weights: Weights = {}
    for index, layer in enumerate(reversed(layers)):
        weights |= _named(f"layers.{index}", layer)
    with torch.device("meta"):
        network = MappingNetwork(len(weights["layers.0.bias"]), len(layers))
    return _fill(network, weights, walk)


def load_synthesis(path: Path) -> SynthesisNetwork:
    """Raises `PriorError` for a graph that is damaged, or that is not MobileStyleGAN's synthesis network."""
    walk = Walk(read_graph(path))
    at, bias = walk.with_constant(_inverse_haar(walk, walk.result()), "Add")
    at, to_bands = _convolution(walk, at, "Convolution")
    at, paint_style = _modulation(walk, at)
    blocks: list[Weights] = []
    while walk.map_shape(at)[-1] > COARSEST:
        at, second = _styled_conv(walk, at)
        at, first = _styled_conv(walk, at)
        at, style = _modulation(walk, _inverse_haar(walk, at))
        blocks.append(_named("style", style) | _named("first", first) | _named("second", second))
    at, first = _styled_conv(walk, at)
    walk.check("conv.weight" in first, at, "comes from a separable convolution, and not from a dense one")
    constant = walk.constant(at)
    walk.finish()
    blocks.reverse()
    weights = {"constant": constant, "to_bands.weight": to_bands, "to_bands.bias": bias.reshape(-1)}
    weights |= _named("first", first) | _named("paint_style", paint_style)
    for index, block in enumerate(blocks):
        weights |= _named(f"blocks.{index}", block)
    _sort_by_band(weights, len(blocks))
    widths = (first["style.bias"].size, *(block["second.style.bias"].size for block in blocks))
    with torch.device("meta"):  # no memory for what the file only claims
        network = SynthesisNetwork(SynthesisShape(widths, style_size=paint_style["weight"].shape[1]))
    return _fill(network, weights, walk)


def _sort_by_band(weights: Weights, blocks: int) -> None:
    """Reorder the channels before each wavelet: from three details per channel to one plane for each detail.

    Inside the graph the low band comes first, then (channel, detail); ours is (band, channel), which is read faster.
    """
    producers = ["first.conv", *(f"blocks.{index}.second.conv.1" for index in range(blocks - 1))]
    consumers = [f"blocks.{index}.style" for index in range(blocks)]
    for layer in (*producers, *consumers, "to_bands"):
        for name in (f"{layer}.weight", f"{layer}.bias"):
            quarter = len(weights[name]) // 4
            low, details = np.arange(quarter), quarter + np.arange(3 * quarter).reshape(-1, 3).T
            weights[name] = weights[name][np.concatenate([low, details.reshape(-1)])]


def _fill(network: Network, weights: Weights, walk: Walk) -> Network:
    tensors = {name: torch.tensor(value) for name, value in weights.items()}
    try:
        network.load_state_dict(tensors, assign=True)
    except RuntimeError as error:  # torch's, with one line for every name and shape that does not fit
        walk.graph.refuse(str(error).splitlines()[-1].strip())
    return network.eval().requires_grad_(False)


def _named(prefix: str, weights: Weights) -> Weights:
    return {f"{prefix}.{name}": value for name, value in weights.items()}


def _linear(walk: Walk, at: Output) -> tuple[Output, Weights]:
    at, bias = walk.with_constant(at, "Add")
    walk.attributes(at, {"transpose_a": "false", "transpose_b": "true"})
    at, weight = walk.with_constant(at, "MatMul")
    walk.check(weight.ndim == 2, at, "is multiplied by something that is no matrix")
    return at, {"weight": weight, "bias": bias.reshape(-1)}


def _leaky(walk: Walk, at: Output) -> Output:
    return walk.with_value(at, "PReLU", SLOPE)


def _is_activated(walk: Walk, at: Output) -> bool:
    """Whether `at` is an activation times a gain: the end of a layer of the mapping network."""
    layer = walk.graph.layers[at.layer]
    return layer.kind == "Multiply" and len(layer.inputs) == 2 and walk.kind(layer.inputs[0]) == "PReLU"


def _normalised_input(walk: Walk, at: Output) -> None:
    """z / sqrt(mean(z²) + 1e-8)."""
    z, inverse = walk.meet(at, "Multiply", 2)
    one, inverse = walk.meet(inverse, "Multiply", 2)
    walk.check(walk.constant(one).tolist() == [[1.0]], inverse, "does not divide one")
    root = walk.with_value(walk.with_value(inverse, "Power", -1), "Power", 0.5)
    (square,) = walk.meet(walk.with_value(root, "Add", 1e-8), "ReduceMean", 1)
    walk.same([z, walk.with_value(square, "Power", 2)], [walk.parameter, walk.parameter])


def _styled_conv(walk: Walk, at: Output) -> tuple[Output, Weights]:
    """leaky(conv(style · x) + noise + bias), where conv is separable, or dense in the first layer."""
    at, bias = walk.with_constant(_leaky(walk, at), "Add")
    side = walk.map_shape(at)[-1]
    at, noise = walk.with_constant(at, "Add")
    walk.check(noise.shape == (1, 1, side, side), at, "gets noise of another size")
    at, weight = _convolution(walk, at, "Convolution")
    weights = {"noise": noise, "conv.weight": weight, "conv.bias": bias.reshape(-1)}
    if walk.kind(at) == "GroupConvolution":
        at, depthwise = _convolution(walk, at, "GroupConvolution")
        weights = {
            "noise": noise,
            "conv.0.weight": depthwise[:, 0],
            "conv.1.weight": weight,
            "conv.1.bias": bias.reshape(-1),
        }
    at, style = _modulation(walk, at)
    return at, weights | _named("style", style)


def _convolution(walk: Walk, at: Output, kind: str) -> tuple[Output, Array]:
    result = at
    at, weight = walk.with_constant(at, kind)
    walk.check(weight.shape[-2:] in ((1, 1), (3, 3)), result, "has a kernel of another size")
    depthwise = weight.ndim == 5 and weight.shape[1:3] == (1, 1)  # (groups, outputs of a group, inputs of it, H, W)
    walk.check(depthwise if kind == "GroupConvolution" else weight.ndim == 4, result, "has weights of another kind")
    pad = f"{weight.shape[-1] // 2}, {weight.shape[-1] // 2}"
    plain = {"strides": "1, 1", "dilations": "1, 1", "pads_begin": pad, "pads_end": pad, "auto_pad": "explicit"}
    walk.attributes(result, plain)
    return at, weight


def _modulation(walk: Walk, at: Output) -> tuple[Output, Weights]:
    """x times a style (1, C, 1, 1), which is an affine map of the network's input, maybe times a number."""
    style, x = walk.meet(at, "Multiply", 2)
    walk.check(style.shape == (1, walk.map_shape(x)[1], 1, 1) and at.shape == x.shape, at, "is no modulation")
    scale = 1.0
    if walk.kind(style) == "Multiply":
        style, scale = walk.with_scalar(style, "Multiply")
    w, affine = _linear(walk, *walk.meet(style, "Reshape", 1))
    walk.same([w], [walk.parameter])
    return x, {name: value * np.float32(scale) for name, value in affine.items()}


def _inverse_haar(walk: Walk, at: Output) -> Output:
    """Bands (1, 4 C, H, W): low, then per channel three details; rows are joined first, then columns."""
    left, right = walk.meet(at, "Add", 2)
    low, vertical = walk.meet(_filtered(walk, left, high=False, axis=1), "Add", 2)
    horizontal, diagonal = walk.meet(_filtered(walk, right, high=True, axis=1), "Add", 2)
    low, horizontal = (_filtered(walk, band, high=False, axis=0) for band in (low, horizontal))
    vertical, diagonal = (_filtered(walk, band, high=True, axis=0) for band in (vertical, diagonal))
    details = [walk.meet(band, "Squeeze", 1)[0] for band in (vertical, horizontal, diagonal)]
    (grouped,) = walk.meet(details[0], "VariadicSplit", 1)
    walk.same(details, walk.graph.layers[details[0].layer].outputs)
    (rest,) = walk.meet(grouped, "Reshape", 1)
    (bands,) = walk.meet(low, "VariadicSplit", 1)
    walk.same([low, rest], walk.graph.layers[low.layer].outputs)
    n, channels, *sides = walk.map_shape(low)
    walk.check(at.shape == (n, channels, *(2 * side for side in sides)), at, "is not twice as large as its bands")
    walk.check(bands.shape == (n, 4 * channels, *sides), bands, "is no set of four bands")
    walk.check(grouped.shape == (n, channels, 3, *sides), grouped, "does not hold three details of each channel")
    walk.check(details[0].shape == (n, channels, 1, *sides), details[0], "is no detail of every channel")
    return bands


def _filtered(walk: Walk, at: Output, high: bool, axis: int) -> Output:
    """Every channel twice as long along an axis (0: downwards, 1: to the right), by one of Haar's two filters."""
    walk.attributes(at, {"strides": ("2, 1", "1, 2")[axis], "pads_begin": "0, 0", "pads_end": "0, 0"})
    walk.attributes(at, {"dilations": "1, 1", "output_padding": "0, 0"})
    band, kernel = walk.with_constant(at, "GroupConvolutionBackpropData")
    shape = (walk.map_shape(band)[1], 1, 1, *((2, 1), (1, 2))[axis])
    walk.check(kernel.shape == shape, at, "is no filter along one axis")
    expected = np.array([1, -1 if high else 1]) / np.sqrt(2)
    walk.check(np.allclose(kernel.reshape(-1, 2), expected, rtol=1e-6), at, "is not one of Haar's filters")
    return band
