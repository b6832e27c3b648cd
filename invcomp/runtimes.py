"""What runs the generator when files are decoded: ONNX Runtime, or torch."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from invcomp.decoding import Decoding
from invcomp.errors import MissingPackageError, UsageError
from invcomp.extras import explained, needs
from invcomp.priors.info import read_info
from invcomp.priors.reading import GRAPH, TABLES
from invcomp.priors.registry import find_prior

RUNTIMES = ("auto", "onnx", "torch")
Opener = Callable[[str | Path], Decoding]
"""Name or folder of a prior → what decodes its files. Raises `PriorError`."""


def opener(runtime: str = "auto", device: str = "auto") -> Opener:
    """`auto` is torch if a GPU is asked for; else ONNX Runtime, unless that is not installed, or the prior has no
    graph, and torch is there.

    Raises `UsageError`, and `MissingPackageError` if what is asked for is not installed.
    """
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime takes {', '.join(RUNTIMES)}, not {runtime!r}")
    on_gpu = device not in ("auto", "cpu")
    if runtime == "onnx" and on_gpu:
        raise UsageError("ONNX Runtime decodes on the CPU: leave out --device, or give --runtime torch")
    has_torch = find_spec("torch") is not None
    if on_gpu and not has_torch:
        raise needs(f"decoding on {device}", "torch")
    if runtime == "torch" and not has_torch:
        raise needs("decoding with torch", "torch")

    def opened(prior: str | Path) -> Decoding:
        folder = find_prior(prior)
        files = read_info(folder).files
        able = (GRAPH in files or TABLES in files) and onnxruntime_is_there()
        if runtime == "torch" or on_gpu or (runtime == "auto" and has_torch and not able):
            from invcomp.codec import Codec

            return Codec(folder, device)
        from invcomp.decoder import Decoder

        return Decoder(folder)

    return opened


def onnxruntime_is_there() -> bool:
    from invcomp.decoder import load_onnxruntime

    try:
        load_onnxruntime()
    except MissingPackageError:
        return False
    return True


def give_graph(folder: Path, say: Callable[[str], None]) -> None:
    """Put `generator.onnx` into a new prior's folder, or say why there is none. Raises `OutputError`."""
    try:
        from invcomp.exporting import add_graph

        add_graph(folder)
    except ModuleNotFoundError as error:
        say(f"invcomp: no {GRAPH}: {explained(error)}; `invcomp export-decoder {folder}` adds it later")
