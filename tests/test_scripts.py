"""Scripts are run by hand, seldom: what they take from the package must still be there."""

import importlib
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
MISSING = ("claim169",)  # of no extra: whoever runs the script installs it


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.py")))
def test_a_script_finds_what_it_imports(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in MISSING:
            raise
        pytest.skip(f"{name} needs {error.name}")
