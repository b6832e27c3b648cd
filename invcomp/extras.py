"""Which optional packages belong to which extra: `pip install 'invcomp[decoder]'` installs no torch."""

from invcomp.errors import MissingPackageError

DECODER = ("onnxruntime", "pillow_jxl")
ENCODER = (
    *("bjontegaard", "blurhash", "jinja2", "lpips", "matplotlib", "onnx", "onnxscript", "piq", "safetensors"),
    *("thumbhash", "torch", "torchvision"),
)
EXTRAS = dict.fromkeys(DECODER, "decoder") | dict.fromkeys(ENCODER, "encoder")


def needs(purpose: str, package: str) -> MissingPackageError:
    """The error for a package that is not installed."""
    return MissingPackageError(
        f"{purpose} needs {package}, which is not installed: pip install 'invcomp[{EXTRAS[package]}]'"
    )


def explained(error: ModuleNotFoundError) -> Exception:
    """The error for a module that could not be imported; as it was if that is none of an extra's."""
    package = (error.name or "").partition(".")[0]
    return needs("this", package) if package in EXTRAS else error
