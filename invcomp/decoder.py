"""Bytes → image without torch: the generator runs in ONNX Runtime."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invcomp.decoding import Decoding, prior_of
from invcomp.errors import MissingPackageError, PriorError
from invcomp.extras import needs
from invcomp.priors.factors import Residuals
from invcomp.priors.reading import GRAPH, TABLES, DecodingSide, read_checked, read_decoding_side
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

    @cached_property
    def _session(self) -> Any:
        """Opened for the first picture that is generated: what another codec stored needs none."""
        return open_session(self.prior)

    @classmethod
    def for_file(cls, data: bytes, name: str = "the file", partial: bool = False) -> "Decoder":
        """The decoder of the installed prior that a file was written with; see `prior_of`. Raises `FormatError`."""
        return cls(prior_of(data, name, partial))

    def painted(self, symbols: Residuals, rate: int, size: int | None) -> NDArray[np.float32]:
        """Symbols of one picture → (3, H, W); see `Decoding.painted`."""
        sizes = self.prior.arch.sizes
        inputs = {f"level_{level}": values[None].astype(np.float32) for level, values in enumerate(symbols)}
        inputs["rate"] = np.array([rate], dtype=np.float32)
        session = self._session
        options = load_onnxruntime().RunOptions()
        options.only_execute_path_to_fetches = True  # an imported prior paints several sizes
        try:
            ((picture,),) = session.run([output_name(size, sizes)], inputs, options)
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


def load_onnxruntime() -> Any:
    """The module. Raises `MissingPackageError`, also where it is installed but cannot be loaded."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise needs("decoding", "onnxruntime") from None
    except Exception as error:  # a library of the system that it lacks, for example
        raise MissingPackageError(f"onnxruntime cannot be loaded ({first_line(error)}); install it again") from None
    return onnxruntime


def open_session(prior: DecodingSide) -> Any:
    """ONNX Runtime with a prior's generator, on the CPU. Raises `PriorError` and `MissingPackageError`."""
    path, files = prior.folder / GRAPH, prior.info.files
    if GRAPH not in files:
        raise PriorError(f"{prior.folder} has no {GRAPH}: {mend(prior)}")
    read_checked(path, files[GRAPH], mend(prior))
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises many kinds
        raise unfit(prior, error) from None
    if session.get_modelmeta().custom_metadata_map.get(OF_PRIOR) != prior.info.id:
        raise PriorError(f"{path} is of another prior than {prior.info.name}; {mend(prior)}")
    return session


def unfit(prior: DecodingSide, reason: object) -> PriorError:
    """The error for a graph that does not do what it should."""
    return PriorError(
        f"{prior.folder / GRAPH} cannot be run ({first_line(reason)}); update onnxruntime, or {mend(prior)}"
    )


def mend(prior: DecodingSide) -> str:
    """What to do about a graph."""
    if TABLES in prior.info.files:
        return f"export the decoder of {prior.info.name} again"
    return (
        f"run `invcomp export-decoder {prior.folder} --force` where torch is installed, "
        "or decode with torch (--runtime torch)"
    )


def first_line(reason: object) -> str:
    return (str(reason).strip().splitlines() or ["no reason is given"])[0]
