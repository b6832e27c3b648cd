"""invcomp: pictures of a domain in a few hundred bytes, through a generative prior."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invcomp.batch import Compressed
    from invcomp.codec import Codec

__all__ = ["Codec", "Compressed"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`invcomp.Codec` loads torch when it is first used, not on import."""
    if name in __all__:
        from invcomp import batch, codec

        return getattr(codec, name, None) or getattr(batch, name)
    raise AttributeError(f"module 'invcomp' has no attribute {name!r}")
