"""The generator as ONNX: in a prior's folder, where its weights lie already, or with them as an exported decoder.

    prior.json       what is known of the prior, with the hashes of the others
    generator.onnx   level_0 … level_L-1 (N, C, H, W), symbols as floats, and rate (N,) → picture (N, 3, H, W) in
                     [0, 1], not clamped; of an imported prior picture_SIZE for every size that it paints
    tables.json      architecture and integer tables, with the names, types and shapes of `docs/format.md`
    factors.safetensors  as the prior has it, if it does: what stands for levels that are missing

Weights are stored in fp16, as in `generator.safetensors`, and computed with in fp32. In a prior's folder the graph
points to their places in that file (ONNX's external data), and takes some 100 kB.
"""

import hashlib
import logging
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnxscript  # noqa: F401 (torch's exporter needs it)
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from invcomp.decoder import OF_PRIOR, output_name
from invcomp.exact import exact
from invcomp.priors.factors import FACTORS
from invcomp.priors.files import AnyGenerator, Prior, load_prior
from invcomp.priors.info import CARD, PriorInfo
from invcomp.priors.reading import GENERATOR, GRAPH, TABLES, read_checked, read_generator, tables_json
from invcomp.priors.tensors import places
from invcomp.writing import staged, write_whole

OPSET = 18
FREE_SIDE = 64  # pixels of the picture that a prior of free size is traced with
TRACED = "generator."  # what the names of weights begin with in the traced graph


class Painting(nn.Module):
    """A generator with all sizes that it paints as outputs."""

    def __init__(self, generator: AnyGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, residuals: list[Tensor], rate: Tensor) -> Tensor | tuple[Tensor, ...]:
        sizes = self.generator.arch.sizes
        if len(sizes) < 2:
            return self.generator(residuals, rate)  # type: ignore[no-any-return]
        return tuple(self.generator(residuals, rate, size) for size in sizes)


def export(folder: Path, output: Path) -> None:
    """Write a prior's decoder, whole by itself, into a folder. Raises `PriorError`, `OutputError`."""
    prior = load_prior(folder)
    _, _, tensors = read_generator(folder, prior.info)
    graph = with_weights(traced(prior), tensors)
    onnx.checker.check_model(graph)
    contents = {GRAPH: graph.SerializeToString(), TABLES: tables_json(prior.arch, tensors).encode()}
    if FACTORS in prior.info.files:
        contents[FACTORS] = read_checked(folder / FACTORS, prior.info.files[FACTORS])
    contents[CARD] = described(prior.info, {}, contents).to_json().encode()
    with staged(output, [CARD]) as stage:
        for name, data in contents.items():
            write_whole(stage / name, data)


def add_graph(folder: Path) -> PriorInfo:
    """Put the graph into a prior's own folder; gives its description, which names it. Raises `PriorError`,
    `OutputError`."""
    prior = load_prior(folder)
    graph = without_weights(traced(prior), (folder / GENERATOR).read_bytes())
    contents = {GRAPH: graph.SerializeToString()}
    info = described(prior.info, prior.info.files, contents)
    write_whole(folder / GRAPH, contents[GRAPH])
    write_whole(folder / CARD, info.to_json().encode())
    return info


def described(info: PriorInfo, files: Mapping[str, str], contents: Mapping[str, bytes]) -> PriorInfo:
    """The description of a prior with these files besides."""
    return replace(info, files={**files, **{name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}})


def traced(prior: Prior) -> onnx.ModelProto:
    """The graph of a prior's generator with fp32 weights, `TRACED` before their names."""
    arch = prior.arch
    side = arch.image_size or FREE_SIDE
    number, height, width = (torch.export.Dim(name, max=1 << 16) for name in ("n", "height", "width"))
    free = arch.image_size is None
    shapes = arch.latent_shapes(side, side)
    residuals = [torch.zeros(2, *shape) for shape in shapes]
    coarsest = shapes[0][1]
    sizes = [
        {0: number} | ({2: h // coarsest * height, 3: w // coarsest * width} if free else {}) for _, h, w in shapes
    ]
    model = Painting(prior.generator).cpu().eval()
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    with exact(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names of axes that are taken together
        quiet.setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                model,
                (residuals, torch.zeros(2)),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[*(f"level_{n}" for n in range(len(shapes))), "rate"],
                output_names=[output_name(size, arch.sizes) for size in arch.sizes or (None,)],
                dynamic_shapes=(sizes, {0: number}),
            )
        finally:
            quiet.setLevel(level)
    assert program is not None
    graph = bare(program.model_proto)
    helper.set_model_props(graph, {OF_PRIOR: prior.info.id})
    return graph


def bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model without what tracing notes about itself: places in source files, names of modules."""
    graph = model.graph
    del graph.value_info[:]
    del graph.metadata_props[:], model.metadata_props[:]
    for entry in [*graph.node, *graph.initializer, *graph.input, *graph.output]:
        entry.doc_string = ""
        del entry.metadata_props[:]
    model.producer_name, model.producer_version, graph.name, graph.doc_string = "invcomp", "", "generator", ""
    return model


def with_weights(model: onnx.ModelProto, stored: Mapping[str, Any]) -> onnx.ModelProto:
    """The model with its weights inside, as they are stored."""
    return in_half(model, {name: numpy_helper.from_array(value) for name, value in stored.items()})


def without_weights(model: onnx.ModelProto, data: bytes) -> onnx.ModelProto:
    """The model with weights that lie in a prior's safetensors file, whose bytes are `data`."""
    found = {}
    for name, (begin, end, kind, shape) in places(data).items():
        if kind != "<f2":
            continue
        where = {"location": GENERATOR, "offset": str(begin), "length": str(end - begin)}
        found[name] = onnx.TensorProto(
            data_type=onnx.TensorProto.FLOAT16,
            dims=shape,
            data_location=onnx.TensorProto.EXTERNAL,
            external_data=[onnx.StringStringEntryProto(key=key, value=value) for key, value in where.items()],
        )
    return in_half(model, found)


def in_half(model: onnx.ModelProto, weights: Mapping[str, onnx.TensorProto]) -> onnx.ModelProto:
    """The model with weights in fp16, where it has them in fp32, and casts of them."""
    kept, casts = [], []
    for initializer in model.graph.initializer:
        name = initializer.name.removeprefix(TRACED)
        if name == initializer.name or name not in weights:
            kept.append(initializer)
            continue
        weight = onnx.TensorProto()
        weight.CopyFrom(weights[name])
        weight.name = name
        kept.append(weight)
        casts.append(helper.make_node("Cast", [name], [initializer.name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    return model
