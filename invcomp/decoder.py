"""Bytes → image without torch: the generator runs in ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invcomp.decoding import Decoding, prior_of
from invcomp.entropy.chain import Symbols
from invcomp.errors import PriorError
from invcomp.extras import explained
from invcomp.priors.reading import GRAPH, DecodingSide, read_checked, read_decoding_side
from invcomp.priors.registry import find_prior

OF_PRIOR = "invcomp-prior"
"""Names the prior's id in the metadata of its graph."""


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
        self._session = open_session(self.prior)

    @classmethod
    def for_file(cls, data: bytes, name: str = "the file", partial: bool = False) -> "Decoder":
        """The decoder of the installed prior that a file was written with; see `prior_of`. Raises `FormatError`."""
        return cls(prior_of(data, name, partial))

    def painted(self, symbols: Symbols, rate: int, size: int | None) -> NDArray[np.float32]:
        """Symbols of one picture → (3, H, W); see `Decoding.painted`."""
        from onnxruntime import RunOptions

        sizes = self.prior.arch.sizes
        inputs = {f"level_{level}": values[None].astype(np.float32) for level, values in enumerate(symbols)}
        inputs["rate"] = np.array([rate], dtype=np.float32)
        options = RunOptions()
        options.only_execute_path_to_fetches = True  # an imported prior paints several sizes
        try:
            ((picture,),) = self._session.run([output_name(size, sizes)], inputs, options)
        except Exception as error:  # ONNX Runtime raises many kinds
            raise unfit(self.prior, error) from None
        height, width = (size or sizes[0],) * 2 if sizes else (2 * side for side in symbols[-1].shape[1:])
        if picture.shape != (3, height, width):
            raise unfit(self.prior, f"it paints {picture.shape}")
        painted: NDArray[np.float32] = picture
        return painted


def output_name(size: int | None, sizes: tuple[int, ...]) -> str:
    """What the graph calls the picture of a size; None is the one that is searched, of a prior with several."""
    return f"picture_{sizes[0] if size is None else size}" if len(sizes) > 1 else "picture"


def open_session(prior: DecodingSide) -> Any:
    """ONNX Runtime with a prior's generator, on the CPU. Raises `PriorError`, and `MissingPackageError` without it."""
    path, files = prior.folder / GRAPH, prior.info.files
    if GRAPH not in files:
        raise PriorError(
            f"{prior.folder} has no {GRAPH}: run `invcomp export-decoder {prior.folder}` where torch is installed"
        )
    read_checked(path, files[GRAPH])
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise explained(error) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises many kinds
        raise unfit(prior, error) from None
    if session.get_modelmeta().custom_metadata_map.get(OF_PRIOR) != prior.info.id:
        raise PriorError(f"{path} is of another prior than {prior.info.name}; get the prior again")
    return session


def unfit(prior: DecodingSide, reason: object) -> PriorError:
    """The error for a graph that does not do what it should."""
    first = (str(reason).strip().splitlines() or ["no reason is given"])[0]
    return PriorError(f"{prior.folder / GRAPH} cannot be run ({first}); update onnxruntime, or get the prior again")
