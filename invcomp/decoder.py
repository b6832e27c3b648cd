"""Bytes → image without torch: the generator runs in ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invcomp.decoding import Decoding, prior_of
from invcomp.entropy.chain import Symbols
from invcomp.errors import PriorError
from invcomp.extras import explained
from invcomp.priors.reading import GRAPH, read_checked, read_decoding_side
from invcomp.priors.registry import find_prior


class Decoder(Decoding):
    """Decompresses pictures of one prior's domain.

    >>> decoder = Decoder("faces")
    >>> image = decoder.decompress(data)    # bytes → PIL image
    """

    def __init__(self, prior: str | Path = "faces") -> None:
        """`prior`: name of an installed prior, or a folder: a prior's, or one of `invcomp export-decoder`.

        Raises `PriorError`.
        """
        self.prior = read_decoding_side(find_prior(prior))
        self._session = open_session(self.prior.folder, self.prior.info.files)
        expected = {f"level_{level}" for level in range(self.prior.arch.levels)} | {"rate"}
        if {entry.name for entry in self._session.get_inputs()} != expected:
            raise PriorError(f"{self.prior.folder / GRAPH} is no generator of this prior; export it again")

    @classmethod
    def for_file(cls, data: bytes, name: str = "the file", partial: bool = False) -> "Decoder":
        """The decoder of the installed prior that a file was written with; see `prior_of`. Raises `FormatError`."""
        return cls(prior_of(data, name, partial))

    def painted(self, symbols: Symbols, rate: int, size: int | None) -> NDArray[np.float32]:
        """Symbols of one picture → (3, H, W); see `Decoding.painted`."""
        from onnxruntime import RunOptions

        inputs = {f"level_{level}": values[None].astype(np.float32) for level, values in enumerate(symbols)}
        inputs["rate"] = np.array([rate], dtype=np.float32)
        options = RunOptions()
        options.only_execute_path_to_fetches = True  # an imported prior paints several sizes
        (pictures,) = self._session.run([output_name(size, self.prior.arch.sizes)], inputs, options)
        picture: NDArray[np.float32] = pictures[0]
        return picture


def output_name(size: int | None, sizes: tuple[int, ...]) -> str:
    """What the graph calls the picture of a size; None is the one that is searched, of a prior with several."""
    return f"picture_{sizes[0] if size is None else size}" if len(sizes) > 1 else "picture"


def open_session(folder: Path, files: dict[str, str]) -> Any:
    """ONNX Runtime with a prior's generator, on the CPU. Raises `PriorError`."""
    path = folder / GRAPH
    if GRAPH not in files:
        raise PriorError(f"{folder} has no {GRAPH}: run `invcomp export-decoder {folder}` where torch is installed")
    read_checked(path, files[GRAPH])
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise explained(error) from None

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises many kinds
        reason = str(error).strip().splitlines()[0]
        raise PriorError(f"{path} cannot be run: {reason}; update onnxruntime, or get the prior again") from None
