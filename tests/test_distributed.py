"""`compress --engine ray` on a local Ray of two workers: the same files as without it, whatever happens to workers."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from invcomp.distributed import workers
from tests.conftest import photographs, windows
from tests.test_cli import QUICK, call

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four pictures, one that is none, and one whose output is that of another."""
    folder = tmp_path / "in"
    folder.mkdir()
    for index, image in enumerate(windows(4)):
        image.save(folder / f"{index}.png")
    (folder / "1b.png").write_text("no picture")
    windows(1, seed=7)[0].save(folder / "3.bmp")
    return folder


def compressed(folder: Path, prior: Path, out: Path, *options: object) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """Files by name, and what --json says of every output but the time and its folder."""
    result = call("compress", folder, "-o", f"{out}/", "--prior", prior, *QUICK, "--batch-size", 2, "--json", *options)
    assert result.stdout, result.output
    entries = json.loads(result.stdout)["files"]
    for entry in entries:
        entry.pop("seconds", None)
        entry["output"] = Path(entry["output"]).name
        entry["error"] = entry.get("error", "").replace(str(out), "")
    return {path.name: path.read_bytes() for path in out.iterdir()}, entries


@pytest.mark.slow
def test_files_and_results_are_those_of_one_process(
    local_ray: None, pictures: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    files, entries = compressed(pictures, tiny_folder, tmp_path / "here")
    assert sorted(files) == ["0.inv", "1.inv", "2.inv", "3.inv"]
    assert sum(bool(entry["error"]) for entry in entries) == 2
    ray_options = ("--engine", "ray", "--workers", 2)
    assert compressed(pictures, tiny_folder, tmp_path / "there", *ray_options) == (files, entries)


@pytest.mark.slow
def test_a_batch_whose_worker_dies_once_is_done_again(
    local_ray: None, pictures: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = compressed(pictures, tiny_folder, tmp_path / "here")
    died = tmp_path / "died"

    class Dying(workers.Worker):
        def run(self, inputs: Any, batching: Any) -> Any:
            if not died.exists():
                died.touch()
                os._exit(1)
            return super().run(inputs, batching)

    monkeypatch.setattr(workers, "Worker", Dying)
    there = compressed(pictures, tiny_folder, tmp_path / "there", "--engine", "ray", "--workers", 2)
    assert died.exists()
    assert there == here


@pytest.mark.slow
def test_inputs_whose_worker_fails_again_and_again_get_an_error_and_the_others_are_done(
    local_ray: None, pictures: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(workers.Worker):
        def run(self, inputs: Any, batching: Any) -> Any:
            if any(given.job.name.endswith("0.png") for given in inputs):
                os._exit(1)
            if any(given.job.name.endswith("2.png") for given in inputs):
                raise MemoryError("no memory is left")
            return super().run(inputs, batching)

    monkeypatch.setattr(workers, "Worker", Failing)
    files, entries = compressed(pictures, tiny_folder, tmp_path / "out", "--engine", "ray", "--workers", 1)
    errors = {Path(entry["input"]).name: entry["error"] for entry in entries}
    assert "0.png: its worker failed 3 times" in errors["0.png"]
    assert "no memory is left" in errors["2.png"]
    assert sorted(files) == ["3.inv"]


@pytest.mark.slow
def test_faces_are_guarded_as_in_one_process(local_ray: None, tiny_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    group = Image.new("RGB", (1024, 512))
    for left in (0, 512):
        group.paste(photographs()[0], (left, 0))
    (tmp_path / "in").mkdir()
    group.save(tmp_path / "in" / "group.png")
    for out in ("here", "there"):
        (tmp_path / out).mkdir()
        (tmp_path / out / "group-1.inv").write_text("kept")
    here = compressed(tmp_path / "in", tiny_folder, tmp_path / "here", "--align", "paste")
    assert "exists" in here[1][0]["error"]
    assert here[0]["group-1.inv"] == b"kept"
    assert len(here[0]) == 2
    options = ("--align", "paste", "--engine", "ray")
    assert compressed(tmp_path / "in", tiny_folder, tmp_path / "there", *options) == here


def test_without_ray_there_is_a_sentence_and_no_output(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = call("compress", pictures, "-o", tmp_path / "out", "--engine", "ray")
    assert result.exit_code == 1
    assert "pip install 'invcomp[distributed]'" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--engine", "spark"], "local or ray"), (["--workers", "2"], "--engine ray"), (["--workers", "0"], "--workers")],
)
def test_wrong_engines_get_a_sentence(pictures: Path, options: list[str], words: str) -> None:
    result = call("compress", pictures, *options)
    assert result.exit_code == 2
    assert words in result.output
