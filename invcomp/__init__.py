"""invcomp: pictures of a domain in a few hundred bytes, through a generative prior."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invcomp.batch import Compressed
    from invcomp.codec import Codec
    from invcomp.decoder import Decoder

__all__ = ["Codec", "Compressed", "Decoder"]
__version__ = "0.1.0"

MODULES = {"Codec": "invcomp.codec", "Compressed": "invcomp.batch", "Decoder": "invcomp.decoder"}


def __getattr__(name: str) -> Any:
    """`invcomp.Codec` loads torch when it is first used, not on import; `invcomp.Decoder` never."""
    if name not in MODULES:
        raise AttributeError(f"module 'invcomp' has no attribute {name!r}")
    try:
        return getattr(import_module(MODULES[name]), name)
    except ModuleNotFoundError as error:
        from invcomp.extras import explained

        raise explained(error) from None
