"""What runs the generator when files are decoded: ONNX Runtime, or torch."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from invcomp.decoding import Decoding
from invcomp.errors import UsageError
from invcomp.extras import explained, needs
from invcomp.priors.info import read_info
from invcomp.priors.reading import GRAPH, TABLES
from invcomp.priors.registry import find_prior

RUNTIMES = ("auto", "onnx", "torch")
Opener = Callable[[str | Path], Decoding]
"""Name or folder of a prior → what decodes its files. Raises `PriorError`."""


def opener(runtime: str = "auto", device: str = "auto") -> Opener:
    """`auto` is ONNX Runtime where it is installed, no GPU is asked for and the prior has a graph; else torch.

    Raises `UsageError`, and `MissingPackageError` if there is neither.
    """
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime takes {', '.join(RUNTIMES)}, not {runtime!r}")
    on_gpu = device not in ("auto", "cpu")
    if runtime == "onnx" and on_gpu:
        raise UsageError("ONNX Runtime decodes on the CPU: leave out --device, or give --runtime torch")
    has_onnx, has_torch = (find_spec(name) is not None for name in ("onnxruntime", "torch"))
    if not has_onnx and (runtime == "onnx" or not has_torch):
        raise needs("decoding", "onnxruntime")
    if not has_torch and (runtime == "torch" or on_gpu):
        raise needs("decoding with torch", "torch")

    def opened(prior: str | Path) -> Decoding:
        folder = find_prior(prior)
        files = read_info(folder).files
        if runtime == "torch" or on_gpu or not has_onnx or (has_torch and not (GRAPH in files or TABLES in files)):
            from invcomp.codec import Codec

            return Codec(folder, device)
        from invcomp.decoder import Decoder

        return Decoder(folder)

    return opened


def give_graph(folder: Path, say: Callable[[str], None]) -> None:
    """Put `generator.onnx` into a new prior's folder, or say why there is none. Raises `OutputError`."""
    try:
        from invcomp.exporting import add_graph

        add_graph(folder)
    except ModuleNotFoundError as error:
        say(f"invcomp: no {GRAPH}: {explained(error)}; `invcomp export-decoder {folder}` adds it later")
