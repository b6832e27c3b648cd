"""dlib and its models, from the extra `faces` (`dlib-bin`, `face-recognition-models`)."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from invcomp.errors import MissingPackageError


def load_dlib(purpose: str) -> Any:
    """The module dlib. Raises `MissingPackageError`, which names the `purpose` and the mend."""
    try:
        return import_module("dlib")
    except ImportError:
        raise MissingPackageError(f"{purpose} needs dlib: pip install 'invcomp[faces]'") from None


def model_file(name: str, purpose: str) -> str:
    """A model of `face-recognition-models`. The package itself is not imported: it needs an old setuptools."""
    spec = find_spec("face_recognition_models")
    places = list(spec.submodule_search_locations or []) if spec else []
    path = Path(places[0]) / "models" / name if places else None
    if path is None or not path.is_file():
        raise MissingPackageError(f"{purpose} needs face-recognition-models: pip install 'invcomp[faces]'")
    return str(path)
