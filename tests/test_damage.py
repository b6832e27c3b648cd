"""Damage is noticed: `scripts/measure_damage.py` in small, on real files."""

import importlib.util

import pytest

from invcomp.codec import Codec
from tests.conftest import FACES, ROOT


@pytest.mark.parametrize("checksum", [2, 1])
def test_no_changed_byte_and_no_truncation_of_real_files_goes_unnoticed(faces: Codec, checksum: int) -> None:
    spec = importlib.util.spec_from_file_location("measure_damage", ROOT / "scripts" / "measure_damage.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found = script.measure(faces, FACES, checksum, count=2, damages=2000)
    assert found["changed bytes"]["tried"] > 10_000
    assert found["changed bytes"]["unnoticed"] == found["truncations"]["unnoticed"] == 0
    assert found["zeros appended"] == {"tried": 64, "unnoticed": 0}
    unnoticed = sum(kind["unnoticed"] for kind in found["random damages"].values() if kind)
    assert unnoticed <= (2 if checksum == 2 else 20)  # 0.03 and 7 expected at most
