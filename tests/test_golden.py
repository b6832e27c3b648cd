"""Files that were shipped stay readable: the symbols exactly, the pixels within 1 of 255.

`tests/golden/NAME.inv`, `NAME.png` (decoded) and `symbols.json` are written once by `scripts/make_golden.py` for each
version and prior, and never again.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invcomp.codec import Codec

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.inv"))


def test_there_are_golden_files() -> None:
    assert len(FILES) >= 6
    assert {path.stem for path in FILES} == set(json.loads((GOLDEN / "symbols.json").read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_files_decode_as_when_they_were_written(path: Path) -> None:
    codec = Codec.for_file(path.read_bytes(), "cpu")
    _, symbols = codec.read(path.read_bytes())
    digest = hashlib.sha256(b"".join(level.astype("<i4").tobytes() for level in symbols)).hexdigest()
    assert digest == json.loads((GOLDEN / "symbols.json").read_text())[path.stem]
    decoded = np.asarray(codec.decompress(path.read_bytes()), dtype=int)
    assert np.abs(decoded - np.asarray(Image.open(path.with_suffix(".png")), dtype=int)).max() <= 1
