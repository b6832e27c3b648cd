"""Which inputs are compressed together, and in how much memory."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from invcomp.batching import Batching
from invcomp.codec import LOSS_PIXELS, PIXEL_BYTES, Codec
from invcomp.compressing import READ_PIXELS, Compressor, Options
from invcomp.jobs import Job
from invcomp.memory import available_memory
from tests.conftest import windows
from tests.test_cli import call


def sizes(batching: Batching, jobs: list[Job]) -> list[int]:
    return [len(batch) for batch in batching.batches(jobs)]


def test_batches_keep_the_order_and_the_size() -> None:
    jobs = [Job(Path(f"{n}.png"), None) for n in range(5)]
    batches = list(Batching(2).batches(jobs))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert [job for batch in batches for job in batch] == jobs


def test_large_pictures_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    for name, side in (("a", 20), ("b", 10), ("c", 30), ("d", 10)):
        Image.new("1", (side, side)).save(tmp_path / f"{name}.png")
    (tmp_path / "e.png").write_text("no picture")
    jobs = [Job(tmp_path / f"{name}.png", None) for name in "abcde"]
    assert sizes(Batching(9, pixels=500), jobs) == [2, 1, 2]  # one that is too large alone is read alone


def test_auto_takes_half_of_the_memory(tiny_folder: Path) -> None:
    compressor = Compressor(Options(prior=str(tiny_folder), device="cpu"))
    picture = PIXEL_BYTES * LOSS_PIXELS  # what 32 x 32 pixels take, enlarged in the loss
    assert [compressor.batching(2 * n * picture).inputs for n in (0, 1, 5, 1000)] == [1, 1, 5, 32]
    assert compressor.batching(0).pixels == READ_PIXELS


def test_a_number_is_taken_as_it_is(tiny_folder: Path) -> None:
    assert Compressor(Options(prior=str(tiny_folder), device="cpu", batch_size=70)).batching(0) == Batching(70)


def test_little_memory_inverts_fewer_together(tiny: Codec) -> None:
    images = windows(3)
    alone = tiny.compress_batch(images, steps=2, loss="100*mse", batch_size=1)
    little = tiny.compress_batch(images, steps=2, loss="100*mse", memory=PIXEL_BYTES * LOSS_PIXELS)
    assert [one.data for one in alone] == [one.data for one in little]


def test_a_container_s_limit_bounds_what_is_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = available_memory(torch.device("cpu"))
    (tmp_path / "memory.max").write_text("300000\n")
    (tmp_path / "memory.current").write_text("100000\n")
    monkeypatch.setattr("invcomp.memory.CGROUP", tmp_path)
    assert system > available_memory(torch.device("cpu")) == 200000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory(torch.device("cpu")) > 200000


@pytest.mark.parametrize("text", ["0", "-3", "many", "1.5", ""])
def test_a_wrong_batch_size_gets_a_sentence(tmp_path: Path, text: str) -> None:
    windows(1)[0].save(tmp_path / "a.png")
    result = call("compress", tmp_path / "a.png", "--batch-size", text)
    assert result.exit_code == 2
    assert "--batch-size takes auto or a number, 1 or more" in result.output
