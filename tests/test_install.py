"""What an installation without torch can do: the wheel in a new virtual environment, as a user has it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invcomp.codec import Codec
from tests.golden_files import GOLDEN, ROOT, digest, known, shipped

pytestmark = pytest.mark.slow
FILES = [GOLDEN / f"v1-{prior}-q36-1.inv" for prior in (shipped("faces"), shipped("faces-64"))]


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel and the extra `decoder`."""
    place = tmp_path_factory.mktemp("install")
    for command in (
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", place / "wheel", ROOT],
        [sys.executable, "-m", "venv", place / "venv"],
    ):
        done = run(*command, cwd=place)
        assert done.returncode == 0, done.stderr
    (wheel,) = (place / "wheel").iterdir()
    done = run(place / "venv" / "bin" / "python", "-m", "pip", "install", "-q", f"{wheel}[decoder]", cwd=place)
    assert done.returncode == 0, done.stderr
    return place / "venv"


def test_there_is_no_torch(venv: Path, tmp_path: Path) -> None:
    listed = run(venv / "bin" / "python", "-m", "pip", "list", cwd=tmp_path).stdout.lower()
    assert "onnxruntime" in listed
    for package in ("torch", "onnx ", "matplotlib", "lpips", "scipy", "sympy", "safetensors"):
        assert package not in listed, package
    assert run(venv / "bin" / "python", "-c", "import torch", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_are_decoded(venv: Path, tmp_path: Path, path: Path) -> None:
    done = run(venv / "bin" / "invcomp", "decompress", path, "-o", tmp_path / "a.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = Codec.for_file(path.read_bytes(), "cpu").decompress(path.read_bytes())
    difference = np.asarray(Image.open(tmp_path / "a.png")).astype(int) - np.asarray(expected)
    assert np.abs(difference).max() <= 1


def test_symbols_are_the_same(venv: Path, tmp_path: Path) -> None:
    for path in FILES:
        code = (
            "import sys, hashlib, invcomp; from pathlib import Path; "
            f"data = Path({str(path)!r}).read_bytes(); symbols = invcomp.Decoder.for_file(data).read(data)[1]; "
            f"import numpy as np; np.savez({str(tmp_path / 's.npz')!r}, *symbols)"
        )
        done = run(venv / "bin" / "python", "-c", code, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        with np.load(tmp_path / "s.npz") as symbols:
            assert digest([symbols[name] for name in symbols.files]) == known("symbols.json")[path.stem]


def test_pillow_and_info_work_and_compress_says_what_it_needs(venv: Path, tmp_path: Path) -> None:
    code = f"import invcomp.pillow; from PIL import Image; print(Image.open({str(FILES[0])!r}).convert('L').size)"
    assert run(venv / "bin" / "python", "-c", code, cwd=tmp_path).stdout == "(64, 64)\n"
    assert run(venv / "bin" / "invcomp", "info", FILES[0], cwd=tmp_path).returncode == 0
    assert run(venv / "bin" / "invcomp", "priors", cwd=tmp_path).returncode == 0
    done = run(venv / "bin" / "invcomp", "compress", ROOT / "tests" / "faces" / "face-1.png", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "this needs torch, which is not installed: pip install 'invcomp[encoder]'" in done.stderr
