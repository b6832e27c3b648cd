"""What compares priors and trials of their design: `scripts/measure_slices.py`, `scripts/trial_design.py`."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from invcomp.lab.metrics import PSNR, lpips_metric
from tests.conftest import FACES, ROOT

SCRIPTS = ROOT / "scripts"
METRICS = [PSNR, lpips_metric("squeeze")]
SIZES = (50.0, 100.0, 200.0, 400.0)
GOOD = [
    {"bytes": size, "psnr": 20 + 2 * n, "lpips_squeeze": 0.4 - 0.1 * n}  # straight in the logarithm of bytes
    for n, size in enumerate(SIZES)
]


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("measure_slices")


@pytest.fixture
def design(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("trial_design")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def table(slices: ModuleType, **results: Any) -> list[list[str]]:
    text: str = slices.table(results, METRICS, {name: f"of {name}" for name in results}, "prior")
    return [cells(line) for line in text.splitlines()]


def test_twice_the_bytes_are_a_hundred_per_cent_more(slices: ModuleType) -> None:
    twice = [point | {"bytes": 2 * point["bytes"]} for point in GOOD]
    head, rule, first, second = table(slices, first=GOOD, second=twice)
    assert len(head) == len(rule) == len(first) == len(second) == 5
    assert first[0] == "of first"
    assert first[3:] == ["–", "–"]
    assert second[3:] == ["+100.0 %", "+100.0 %"]


def test_figures_are_read_off_at_sizes_and_never_beyond_the_curve(slices: ModuleType) -> None:
    large = [point for point in GOOD if point["bytes"] > 60]
    _, _, all_, few = table(slices, all_=GOOD, few=large)
    at = all_[1].split(" / ")
    assert at[1:] == ["22.00", "24.00"]  # 100 and 200 bytes are points of it
    assert 20.0 < float(at[0]) < 22.0  # 60 bytes
    assert few[1] == "– / 22.00 / 24.00"


def test_points_that_do_not_improve_take_no_part_in_the_rates(slices: ModuleType) -> None:
    worse = {"bytes": 300.0, "psnr": 19.0, "lpips_squeeze": 0.5}
    _, _, _, second = table(slices, first=GOOD, second=[*GOOD, worse])
    assert second[3:] == ["+0.0 %", "+0.0 %"] or second[3:] == ["-0.0 %", "-0.0 %"]


def test_every_trial_but_the_reference_changes_one_option(design: ModuleType) -> None:
    found = design.trials("small", 64)
    assert found["reference"] == {}
    assert all(len(change) == 1 for name, change in found.items() if name != "reference")
    assert found["latents-half"]["--latents"] == "12,6,4,2"
    assert {name for name in found if name.startswith("preset-")} == {"preset-tiny", "preset-base"}


def call(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPTS / script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_list_of_trials_runs_nothing(tmp_path: Path) -> None:
    done = call("trial_design.py", tmp_path, tmp_path, "-o", tmp_path / "trials", "--only", "seed-1", "--list")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all("train-prior" in line for line in lines[:2])
    assert "--seed 1" in lines[1]
    assert lines[2].startswith("2 runs; ")
    assert not (tmp_path / "trials").exists()


@pytest.mark.slow
def test_what_is_no_prior_gets_one_sentence(tmp_path: Path) -> None:
    done = call("measure_slices.py", tmp_path, tmp_path / "none")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "none" in done.stderr


@pytest.mark.slow
def test_a_prior_and_its_copy_have_the_same_figures(tiny_folder: Path, tmp_path: Path) -> None:
    pictures, copy = tmp_path / "pictures", tmp_path / "copy"
    pictures.mkdir()
    shutil.copytree(tiny_folder, copy)
    for path in FACES[:3]:
        shutil.copy(path, pictures)
    done = call("measure_slices.py", pictures, tiny_folder, copy, "-o", tmp_path / "slices.md")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "slices.md").read_text() == done.stdout
    _, _, first, second = (cells(line) for line in done.stdout.splitlines())
    assert (first[0], second[0]) == (str(tiny_folder), str(copy))
    assert any(digit in first[1] for digit in "123456789")  # PSNR was measured at one of the sizes at least
    assert [c for c in first[1:] if "/" in c] == [c for c in second[1:] if "/" in c]
