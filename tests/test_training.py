"""Training: data of every kind, interruption and resumption, the variants, several processes."""

import json
import lzma
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from invcomp.cli import app
from invcomp.codec import Codec
from invcomp.errors import DataError, InvcompError, LossError, OutputError, UsageError
from invcomp.inversion import losses
from invcomp.pixels import to_tensor
from invcomp.priors.architecture import Architecture, from_preset
from invcomp.priors.lpips import MissingWeightsError
from invcomp.training.adversarial import gradient_penalty
from invcomp.training.augment import augment, augment_for_critic
from invcomp.training.checkpoint import NAME, Checkpoint
from invcomp.training.command import run_training
from invcomp.training.config import CONTINUED, TrainingConfig
from invcomp.training.data import WINDOWS, TrainingSet, crops, load_others, load_training_set
from invcomp.training.degrade import blur, cover, degrade, draw_things, grey, jpeg, noise
from invcomp.training.density import Density
from invcomp.training.loop import MOST_LOST, WITHOUT_LPIPS, Run, batches, choose_distortion, train
from invcomp.training.monitor import LOG, RateFigures, evaluate
from invcomp.training.origin import find_densities, load_origin
from invcomp.training.processes import Process
from tests.conftest import CRITIC_ONLY, request, windows

SILENT = lambda _: None  # noqa: E731


def test_folder_zip_and_tar_give_the_same_pictures(picture_folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive, tarfile.open(tmp_path / "set.tar.gz", "w:gz") as tar:
        for path in sorted(picture_folder.iterdir()):
            archive.write(path, path.name)
            tar.add(path, path.name)
    found = [
        load_training_set(source, 16, aligned=True).pictures
        for source in (picture_folder, tmp_path / "set.zip", tmp_path / "set.tar.gz")
    ]
    assert found[0].shape == (120, 3, 16, 16)
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_broken_files_are_skipped_and_listed(picture_folder: Path, tmp_path: Path) -> None:
    for path in picture_folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "broken.jpg").write_text("no picture")
    found = load_training_set(tmp_path, 16, aligned=True)
    assert len(found.names) == 120
    assert found.skipped == ["broken.jpg is not a picture of a kind that is read; give a PNG, JPEG, WebP or TIFF"]


def test_a_damaged_member_of_a_zip_is_skipped_and_listed(picture_folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(picture_folder.iterdir()):
            archive.write(path, path.name)
    data = bytearray((tmp_path / "set.zip").read_bytes())
    data[2000] ^= 255
    (tmp_path / "set.zip").write_bytes(data)
    found = load_training_set(tmp_path / "set.zip", 16, aligned=True)
    assert len(found.names) == 119
    assert found.skipped[0].startswith("000.png cannot be read")


def test_too_few_pictures_are_an_error(tmp_path: Path) -> None:
    for index, image in enumerate(windows(3)):
        image.save(tmp_path / f"{index}.png")
    with pytest.raises(DataError, match="3 usable pictures; training needs at least 100"):
        load_training_set(tmp_path, 16, aligned=True)


def test_what_is_no_data_set_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("text")
    for path, words in ((tmp_path / "no", "does not exist"), (tmp_path / "text.txt", "neither a folder nor")):
        with pytest.raises(DataError, match=words):
            load_training_set(path, 16, aligned=True)


def test_crops_of_a_free_prior_come_from_all_over_a_picture(tmp_path: Path) -> None:
    for index in range(100):
        windows(1, side=80)[0].save(tmp_path / f"{index}.png")
    assert load_training_set(tmp_path, 32, aligned=False).pictures.shape == (400, 3, 32, 32)


def test_a_crop_keeps_no_more_than_itself_in_memory() -> None:
    assert all(crop.base is None for crop in crops(Image.new("RGB", (300, 200)), 64))


@pytest.mark.parametrize(("files", "each", "held"), [(120, 1, 6), (120, 7, 42), (400, 16, 128)])
def test_pictures_of_one_file_are_not_on_both_sides(files: int, each: int, held: int) -> None:
    origins = np.repeat(np.arange(files), each)
    numbers = np.arange(files * each)
    held_out, training = TrainingSet(numbers, origins, [str(n) for n in range(files)], []).split()
    assert len(held_out) == held
    assert not set(origins[held_out]) & set(origins[training])
    assert len(set(origins[held_out])) == files // 20
    assert sorted({*origins[held_out], *origins[training]}) == list(range(files))
    assert len(training) == (files - files // 20) * each == len(set(training))


def test_a_damaged_archive_is_named(picture_folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive, tarfile.open(tmp_path / "set.tar", "w") as tar:
        for path in sorted(picture_folder.iterdir()):
            archive.write(path, path.name)
            tar.add(path, path.name)
    packed = bytearray((tmp_path / "set.tar").read_bytes())
    assert len(load_training_set(tmp_path / "set.tar", 16, aligned=True).names) == 120
    (tmp_path / "set.tar.xz").write_bytes(lzma.compress(packed)[:100_000] + bytes(10_000))
    packed[packed.index(b"060.png")] ^= 1  # of a header, whose sum is then wrong
    (tmp_path / "set.tar").write_bytes(packed)
    zipped = bytearray((tmp_path / "set.zip").read_bytes())
    zipped[zipped.index(b"PK\1\2")] ^= 255
    (tmp_path / "set.zip").write_bytes(zipped)
    for name in ("set.zip", "set.tar", "set.tar.xz"):
        with pytest.raises(DataError, match=f"{name} is truncated or damaged"):
            load_training_set(tmp_path / name, 16, aligned=True)


def test_augmentation_keeps_range_and_shape() -> None:
    x = torch.rand(8, 3, 32, 32)
    y = augment(x, shift=0.1, zoom=0.1, degrees=10, colour=0.2)
    assert y.shape == x.shape
    assert y.min() >= 0
    assert y.max() <= 1
    a, b = augment_for_critic(x, x)
    assert torch.equal(a, b)


def test_without_amounts_augmentation_only_flips() -> None:
    x = torch.rand(16, 3, 16, 16)
    y = augment(x, shift=0, zoom=0, degrees=0, colour=0)
    for before, after in zip(x, y, strict=True):
        assert min((before - after).abs().max(), (before.flip(2) - after).abs().max()) < 1e-4


def test_degraded_pictures_keep_range_and_shape_and_about_a_share_of_them_changes() -> None:
    torch.manual_seed(0)
    x, things = 0.2 + 0.6 * torch.rand(200, 3, 32, 32), draw_things(0)
    assert torch.equal(degrade(x, 0.0, things), x)
    y = degrade(x, 0.1, things)
    assert y.shape == x.shape
    assert y.min() >= 0
    assert y.max() <= 1
    changed = (y != x).flatten(1).any(dim=1).float().mean()
    assert 0.3 < changed < 0.52  # 1 - 0.9^5 = 0.41; what is laid in front may lie beside the picture


@pytest.mark.parametrize("change", [blur, noise, grey, jpeg, lambda x: cover(x, draw_things(0))])
def test_every_way_to_degrade_changes_pictures_but_not_their_mean_by_much(
    change: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    torch.manual_seed(1)
    x = torch.stack([to_tensor(image.resize((64, 64))) for image in windows(8)])
    y = change(x)
    assert y.shape == x.shape
    assert (y - x).abs().mean() > 1e-3
    assert (y.mean() - x.mean()).abs() < 0.1


def test_things_to_lay_in_front_are_the_same_every_time_and_have_a_shape() -> None:
    things = draw_things(5, np.full((2, 3, 16, 16), 255, np.uint8))
    assert torch.equal(things, draw_things(5, np.full((2, 3, 16, 16), 255, np.uint8)))
    assert not torch.equal(things, draw_things(6))
    opacity = things[:, 3].flatten(1)
    assert (opacity.amax(dim=1) > 0.5).all()
    assert (opacity.amin(dim=1) == 0).all()
    assert (things[:, :3] == 1).flatten(1).all(dim=1).float().mean() > 0.2  # a white texture


def test_others_are_windows_of_all_scales_mixed_into_batches(picture_folder: Path, tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    Image.new("RGB", (300, 200), (255, 0, 255)).save(photographs / "magenta.png")
    windows(1, side=8)[0].save(photographs / "too-small.png")
    (photographs / "broken.jpg").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("magenta.png", "too-small.png", "broken.jpg"):
            archive.write(photographs / name, name)
    data = bytearray((tmp_path / "set.zip").read_bytes())
    data[50] ^= 255
    (tmp_path / "damaged.zip").write_bytes(data)
    with pytest.raises(DataError, match="at least 16 pixels"):
        load_others(tmp_path / "damaged.zip", 16, seed=0)
    others = load_others(photographs, 16, seed=0)
    assert load_others(tmp_path / "set.zip", 16, seed=0).shape == others.shape
    assert others.shape == (WINDOWS, 3, 16, 16)
    pictures = np.zeros((64, 3, 16, 16), np.uint8)
    config = TrainingConfig(image_size=16, batch=32, others=0.25, colour=0.0)
    batch = batches(pictures, others, config, Process(0, 1, torch.device("cpu")), 0)
    shares = [float((next(batch).amax(dim=(1, 2, 3)) > 0.5).float().mean()) for _ in range(20)]
    assert 0.18 < np.mean(shares) < 0.32
    assert not pictures.any()
    output = tmp_path / "p"
    run_training(request(picture_folder, output, image_size=16, kimg=0.05, others=photographs), SILENT)
    assert json.loads((output / "prior.json").read_text())["training"]["windows_of_other_pictures"] == WINDOWS
    with pytest.raises(UsageError, match="again with --others"):
        run_training(request(picture_folder, output, image_size=16, resume=True), SILENT)


def test_degraded_batches_differ_from_their_pictures() -> None:
    pictures, process = np.full((32, 3, 16, 16), 128, np.uint8), Process(0, 1, torch.device("cpu"))
    plain = next(batches(pictures, None, TrainingConfig(image_size=16, colour=0.0), process, 0))
    degraded = next(batches(pictures, None, TrainingConfig(image_size=16, colour=0.0, degraded=1.0), process, 0))
    assert plain.std() < 1e-3
    assert degraded.std() > 1e-2


@pytest.mark.slow
def test_a_run_grows_from_one_of_half_its_size(
    picture_folder: Path, tiny_folder: Path, free_folder: Path, tmp_path: Path
) -> None:
    smaller = Checkpoint.load(tiny_folder)
    run = Run(from_preset("tiny", 64), TrainingConfig(distortion="mse"), Process(0, 1, torch.device("cpu")))
    run.start_from(smaller)
    old, new = smaller.average, run.average.values
    coarse = [name for name in old if re.match(r"(generator|encoder)\.levels\.[01]\.|density", name)]
    assert len(coarse) > 20
    assert all(torch.equal(old[name], new[name]) for name in coarse)
    critic, blocks = run.networks.critic.state_dict(), smaller.networks
    assert torch.equal(critic["blocks.3.first.weight"], blocks["critic.blocks.2.first.weight"])
    assert torch.equal(critic["score.weight"], blocks["critic.score.weight"])
    assert TrainingConfig(opened=3, opening=0.0).open_levels(0.0, 4) == 4
    assert [TrainingConfig(opened=3, opening=0.1).open_levels(p, 4) for p in (0.0, 0.09, 0.1)] == [3, 3, 4]
    run_training(request(picture_folder, tmp_path / "p", image_size=64, kimg=0.1, origin=tiny_folder), SILENT)
    grown = Checkpoint.load(tmp_path / "p")
    assert grown.config.opened == 3
    assert [(past["image_size"], past["seen"]) for past in grown.past] == [(32, 4000), (64, grown.seen)]
    for change, words in (
        ({"image_size": 128}, "of half of it"),
        ({"image_size": 64, "preset": "small"}, "its own --preset"),
        ({"image_size": 64, "origin": free_folder}, "of half of it"),
    ):
        with pytest.raises(UsageError, match=words):
            run_training(request(picture_folder, tmp_path / "q", **{"origin": tiny_folder, **change}), SILENT)
    assert not (tmp_path / "q").exists()


def test_a_run_goes_on_from_one_of_its_size_and_its_card_tells_of_both(
    picture_folder: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    before = Checkpoint.load(tiny_folder)
    run = Run(before.arch, before.config, Process(0, 1, torch.device("cpu")))
    run.start_from(before)
    assert all(torch.equal(before.average[name], value) for name, value in run.average.values.items())
    critic = run.networks.critic.state_dict()
    assert all(torch.equal(before.networks[f"critic.{name}"], value) for name, value in critic.items())

    output = tmp_path / "p"
    run_training(request(picture_folder, output, kimg=0.1, origin=tiny_folder), SILENT)
    assert "Before that, at 32 pixels: 4,000 seen" in (output / "README.md").read_text()
    entries = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    assert [entry["before"] for entry in entries] == [0] * (len(entries) - 1) + [4000]
    assert entries[-1]["held_out"][4]["psnr"] == pytest.approx(entries[-2]["held_out"][4]["psnr"], abs=3.0)
    assert (output / "curve.svg").read_text().startswith("<svg")
    with Image.open(output / "cuts.png") as cuts, Image.open(output / "worst.png") as worst:
        assert cuts.size == (6 * 34 - 2, 4 * 34 - 2)
        assert worst.size == (6 * 34 - 2, 2 * 34 - 2)


@pytest.fixture(scope="module")
def finished(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prior as it ships: without what its run needed."""
    folder = tmp_path_factory.mktemp("finished") / "shipped"
    ignored = shutil.ignore_patterns(NAME, LOG, "about.json")
    return Path(shutil.copytree(tiny_folder, folder, ignore=ignored))


def figures(run: Run, pictures: np.ndarray) -> list[RateFigures]:
    return evaluate(run.averaged(), torch.from_numpy(pictures).float() / 255)


def test_a_run_that_starts_with_a_prior_begins_where_the_priors_own_run_ended(
    picture_folder: Path, tiny_folder: Path, finished: Path
) -> None:
    process = Process(0, 1, torch.device("cpu"))
    pictures = load_training_set(picture_folder, 32, aligned=True).pictures
    trained, found = Checkpoint.load(tiny_folder), load_origin(finished)
    assert found.past == trained.past
    find_densities(found, pictures, process.device)
    config = replace(trained.config, kimg=4.0, **CONTINUED, opened=3)
    runs = [Run(trained.arch, config, process) for _ in range(2)]
    for run, origin in zip(runs, (trained, found), strict=True):
        run.start_from(origin)
    critics = [run.networks.critic.state_dict() for run in runs]
    assert all((critics[0][name] - value).abs().max() < 1e-2 for name, value in critics[1].items())  # stored as fp16
    before, start = (figures(run, pictures[:24]) for run in runs)
    for old, new in zip(before, start, strict=True):
        assert new.psnr == pytest.approx(old.psnr, abs=0.3)
        assert new.bytes < 1.05 * old.bytes + 1
    batch = batches(pictures, None, config, process, 0)
    for number in range(12):
        runs[1].step(next(batch), number)
    for old, new in zip(start, figures(runs[1], pictures[:24]), strict=True):
        assert new.psnr > old.psnr - 1.5
        assert new.bytes < 1.3 * old.bytes + 2


@pytest.mark.slow
def test_a_prior_is_trained_further_and_grown_and_the_card_tells_of_it(
    picture_folder: Path, finished: Path, tmp_path: Path
) -> None:
    same, grown = tmp_path / "same", tmp_path / "grown"
    run_training(request(picture_folder, same, kimg=0.1, origin=finished), SILENT)
    text = (same / "README.md").read_text()
    assert "Before that, at 32 pixels: 4,000 seen" in text
    assert "those of the prior `tiny`" in text
    training = json.loads((same / "prior.json").read_text())["training"]
    assert [past["seen"] for past in training["before"]] == [4000]
    (same / NAME).unlink()
    run_training(request(picture_folder, grown, image_size=64, kimg=0.1, origin=same), SILENT)
    state = Checkpoint.load(grown)
    assert state.config.opened == 3
    assert [(past["image_size"], past["seen"]) for past in state.past] == [(32, 4000), (32, 112), (64, state.seen)]
    assert Codec(grown, "cpu").sample(1)[0].size == (64, 64)


@pytest.mark.slow
def test_a_prior_of_free_size_is_trained_further(picture_folder: Path, free_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(free_folder, tmp_path / "free", ignore=shutil.ignore_patterns(NAME)))
    run_training(request(picture_folder, tmp_path / "p", free_size=True, kimg=0.1, origin=folder), SILENT)
    assert Checkpoint.load(tmp_path / "p").before[0]["seen"] == Checkpoint.load(free_folder).seen


def test_priors_that_no_run_can_start_with_are_refused(picture_folder: Path, finished: Path, tmp_path: Path) -> None:
    untold = Path(shutil.copytree(finished, tmp_path / "untold"))
    card = json.loads((untold / "prior.json").read_text())
    (untold / "prior.json").write_text(json.dumps(card | {"training": {}}))
    for origin, words in (
        (Path("portraits"), "portraits was imported and has no encoder"),
        (Path("faces"), "faces makes pictures of 128 pixels: .* of half of it"),
        (Path("faces-64"), "faces-64 makes pictures of 64 pixels"),
        (untold, "does not tell how the prior was trained"),
        (picture_folder, "is no prior"),
    ):
        with pytest.raises(InvcompError, match=words):
            run_training(request(picture_folder, tmp_path / "q", origin=origin), SILENT)
    with pytest.raises(UsageError, match="other widths"):
        run_training(request(picture_folder, tmp_path / "q", image_size=64, origin=Path("faces-64")), SILENT)
    assert not (tmp_path / "q").exists()


@torch.no_grad()
def test_densities_found_from_residuals_code_them_as_well_as_their_own() -> None:
    torch.manual_seed(0)
    arch = from_preset("tiny", 16)
    own, found = Density(arch), Density(arch)
    rates = torch.full((256,), 3.0)
    for level, shape in enumerate(arch.latent_shapes(16, 16)):
        own.log_scales[level].values.copy_(torch.linspace(-1.0, 2.0, shape[0])[:, None, None].expand(*shape))
        drawn = [own.sample(level, torch.zeros(256, *shape), rates) for _ in range(2)]
        found.match(level, 3, drawn[0])
        bits = [float(density.bits(level, drawn[1], rates).mean()) for density in (own, found)]
        assert bits[1] < 1.02 * bits[0]
        found.match(level, 3, torch.zeros(4, *shape))
        assert found.bits(level, torch.ones(256, *shape), rates).isfinite().all()
    free = Density(from_preset("tiny", None))
    free.match(0, 0, torch.randn(4, 8, 2, 3))
    assert free.scale(0, torch.zeros(1)).shape == (1, 8, 1, 1)


def test_densities_are_probabilities_with_gradients_in_the_tails() -> None:
    density = Density(from_preset("tiny", 16))
    rate = torch.tensor([2.5])
    values = torch.arange(-60.0, 61.0)
    bits = torch.stack([density.bits(0, torch.full((1, 1, 1, 1), float(v)), rate)[0] for v in values])
    per_symbol = bits / density.scale(0, rate).numel()
    assert float((2.0 ** -per_symbol.detach()).sum()) == pytest.approx(1, abs=1e-3)
    far = torch.full((1, 8, 4, 4), 50.0, requires_grad=True)
    assert torch.autograd.grad(density.bits(0, far, rate).sum(), far)[0].min() > 0.1


def test_gradient_penalty_of_a_linear_critic_is_its_squared_weight() -> None:
    weight = torch.rand(3, 4, 4)

    def critic(x: torch.Tensor) -> torch.Tensor:
        return (x * weight).sum(dim=(1, 2, 3))

    penalty = gradient_penalty(critic, torch.rand(2, 3, 4, 4))  # type: ignore[arg-type]
    assert torch.allclose(penalty, weight.square().sum().expand(2))


def test_levels_open_coarse_to_fine_and_the_schedule_ends_low() -> None:
    config = TrainingConfig(opening=0.15)
    assert [config.open_levels(p, 4) for p in (0.0, 0.04, 0.06, 0.11, 0.2, 1.0)] == [1, 1, 2, 3, 4, 4]
    assert config.learning_rate_factor(1.0) < 0.02
    assert config.lambdas(8)[0] == pytest.approx(config.lambda_high)
    assert config.lambdas(8)[-1] == pytest.approx(config.lambda_low)


def test_without_lpips_weights_training_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_net: str) -> None:
        raise MissingWeightsError("a file")

    monkeypatch.setattr(losses, "download_lpips", missing)
    said: list[str] = []
    assert choose_distortion("100*mse + 1*lpips-squeeze", said.append) == WITHOUT_LPIPS
    assert "needs a file" in said[0]
    assert choose_distortion(CRITIC_ONLY, said.append) == CRITIC_ONLY


def test_training_writes_a_prior_with_card_grids_and_log(tiny_folder: Path) -> None:
    names = {path.name for path in tiny_folder.iterdir()}
    assert names >= {
        "generator.safetensors", "encoder.safetensors", "critic.safetensors", "prior.json", "README.md",
        "samples.png", "reconstructions.png", "log.jsonl", "factors.safetensors", NAME,
    }  # fmt: skip
    entry = json.loads((tiny_folder / "log.jsonl").read_text().splitlines()[-1])
    assert entry["seen"] == 4000
    assert len(entry["held_out"]) == 8
    assert "114 training pictures, 6 held out" in (tiny_folder / "README.md").read_text()
    assert Image.open(tiny_folder / "samples.png").size == (16 * 34 - 2, 4 * 34 - 2)


def test_training_learns(tiny_folder: Path, tiny: Codec) -> None:
    """Held-out PSNR at the highest rate is far above that of a grey picture."""
    entry = json.loads((tiny_folder / "log.jsonl").read_text().splitlines()[-1])
    psnr = [figures["psnr"] for figures in entry["held_out"]]
    assert psnr[-1] > 20
    assert psnr[-1] > psnr[0] + 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    [{"pure_gan": True}, {"critic_augmentation": True}, {"adversarial": 0.0}, {"augmentation": "photographs"}],
)
def test_variants_train(picture_folder: Path, tmp_path: Path, variant: dict[str, object]) -> None:
    run_training(request(picture_folder, tmp_path / "p", kimg=0.2, image_size=16, **variant), SILENT)
    assert Codec(tmp_path / "p", "cpu").sample(1)[0].size == (16, 16)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"image_size": 50}, UsageError, "image size"),
        ({"kimg": 0.0}, UsageError, "greater than 0"),
        ({"device": "tpu"}, UsageError, "no device"),
        ({"distortion": "1*mze"}, LossError, "mse, l1"),
        ({"resume": True}, DataError, "start without --resume"),
        ({"others_share": 1.0, "others": Path()}, UsageError, "between 0 and 1"),
        ({"others_share": 0.1}, UsageError, "goes with --others"),
        ({"augmentation": "fancy"}, UsageError, "plain or photographs"),
        ({"origin": Path("nowhere")}, DataError, "nowhere has no"),
        ({"batch": 500}, DataError, "smaller --batch"),
        ({"minutes": math.nan}, UsageError, "greater than 0"),
        ({"adversarial": math.nan}, UsageError, "0 or more"),
        ({"latents": (8, 4)}, UsageError, "3 whole numbers from 1 to 256"),
        ({"latents": (8, 4, 0)}, UsageError, "3 whole numbers from 1 to 256"),
    ],
)
def test_wrong_requests_get_a_sentence(
    picture_folder: Path, tmp_path: Path, change: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        run_training(request(picture_folder, tmp_path / "p", **change), SILENT)


@pytest.mark.slow
def test_latent_channels_and_rate_weights_are_those_that_are_asked_for(picture_folder: Path, tmp_path: Path) -> None:
    options = ("--latents", "6,2", "--lambda", "1e-5:1e-3", "--kimg", "0.05")
    result = CliRunner().invoke(app, command(picture_folder, tmp_path / "p", *options)[3:])
    assert result.exit_code == 0, result.output
    prior = Codec(tmp_path / "p", "cpu").prior
    assert isinstance(prior.arch, Architecture)
    assert prior.arch.latent_channels == (6, 2)
    assert prior.info.lambdas[0] == pytest.approx(1e-3)
    assert prior.info.lambdas[-1] == pytest.approx(1e-5)
    for wrong in (("--lambda", "1e-3:1e-5"), ("--lambda", "1e-3"), ("--latents", "6,x")):
        result = CliRunner().invoke(app, command(picture_folder, tmp_path / "q", *wrong)[3:])
        assert result.exit_code == 2
        assert f"{wrong[0]} takes" in result.output


def test_an_output_that_would_be_trained_on_or_lost_is_refused(picture_folder: Path, tiny_folder: Path) -> None:
    for change, words in (
        ({"output": picture_folder / "p"}, "lies inside"),
        ({"output": tiny_folder / "p", "others": tiny_folder}, "lies inside"),
        ({"output": tiny_folder, "origin": tiny_folder, "force": True}, "would be replaced"),
    ):
        with pytest.raises(UsageError, match=words):
            run_training(replace(request(picture_folder, tiny_folder), **change), SILENT)  # type: ignore[arg-type]
    assert not (picture_folder / "p").exists()


def test_a_finished_prior_is_not_overwritten(picture_folder: Path, tiny_folder: Path) -> None:
    with pytest.raises(OutputError, match="--force"):
        run_training(request(picture_folder, tiny_folder), SILENT)


def test_a_run_is_not_resumed_with_other_pictures(picture_folder: Path, tiny_folder: Path, tmp_path: Path) -> None:
    data = shutil.copytree(picture_folder, tmp_path / "data")
    windows(1)[0].save(data / "one-more.png")
    with pytest.raises(DataError, match="other pictures than the run in"):
        run_training(request(data, tiny_folder, resume=True), SILENT)


def test_a_run_that_is_forced_leaves_nothing_of_the_former(
    picture_folder: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = shutil.copytree(tiny_folder, tmp_path / "p")
    with pytest.raises(DataError, match="does not exist"):
        run_training(request(tmp_path / "nowhere", output, force=True), SILENT)
    assert Checkpoint.load(output).seen == 4000
    monkeypatch.setattr("invcomp.training.command.show", lambda *_: False)
    run_training(request(picture_folder, output, force=True), SILENT)
    assert not (output / NAME).exists()
    assert not (output / LOG).exists()


def small_run(distortion: str = "mse") -> Run:
    config = TrainingConfig(
        image_size=16, preset="tiny", batch=4, kimg=0.02, distortion=distortion, adversarial_weight=0
    )
    return Run(from_preset("tiny", 16), config, Process(0, 1, torch.device("cpu")))


def test_gradients_that_are_no_finite_numbers_change_nothing_and_end_the_run() -> None:
    run = small_run("1e39*mse")
    before = {name: value.clone() for name, value in run.networks.state_dict().items()}
    figures = run.step(torch.rand(4, 3, 16, 16), 0)
    assert "gradient" not in figures
    assert all(torch.equal(before[name], value) for name, value in run.networks.state_dict().items())
    assert all(value.isfinite().all() for value in run.average.values.values())
    for number in range(1, MOST_LOST - 1):
        run.step(torch.rand(4, 3, 16, 16), number)
    with pytest.raises(DataError, match="no finite numbers"):
        run.step(torch.rand(4, 3, 16, 16), MOST_LOST - 1)


def test_the_log_has_means_of_the_steps_that_have_a_figure_and_judging_changes_no_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[float]] = []

    def step(run: Run, pictures: torch.Tensor, number: int) -> dict[str, torch.Tensor]:
        run.seen += len(pictures)
        drawn[-1].append(float(torch.rand(())))
        return {"always": torch.tensor(2.0)} | ({"rarely": torch.tensor(3.0)} if number % 4 == 0 else {})

    monkeypatch.setattr(Run, "step", step)
    pictures = np.zeros((8, 3, 16, 16), np.uint8)
    for minutes in (60.0, 1e-9):
        drawn.append([])
        (folder := tmp_path / str(minutes)).mkdir()
        train(small_run(), pictures, pictures, folder, lambda _: None, minutes)
    assert drawn[0] == drawn[1]
    (entry,) = (json.loads(line) for line in (tmp_path / "60.0" / LOG).read_text().splitlines())
    assert entry["always"] == 2.0
    assert entry["rarely"] == 3.0


def test_a_damaged_checkpoint_is_named(picture_folder: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"not a checkpoint")
    with pytest.raises(DataError, match="is damaged"):
        run_training(request(picture_folder, tmp_path, resume=True), SILENT)


def start(arguments: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(arguments, stderr=subprocess.PIPE)


def command(data: Path, output: Path, *options: str) -> list[str]:
    return [
        sys.executable, "-m", "invcomp.cli", "train-prior", str(data), "-o", str(output), "--image-size", "16",
        "--preset", "tiny", "--batch", "16", "--distortion", CRITIC_ONLY, "--device", "cpu", *options,
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_a_checkpoint_and_resumes(
    picture_folder: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    output = tmp_path / "p"
    process = start(command(picture_folder, output, "--kimg", "1.6", "--minutes", "0.01"))
    while not (output / "log.jsonl").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(kind)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"--resume" in said
    before = Checkpoint.load(output)
    assert 0 < before.seen < 1600
    subprocess.run(command(picture_folder, output, "--resume"), check=True, capture_output=True)
    after = Checkpoint.load(output)
    assert after.seen >= 1600
    assert after.config == before.config
    assert Codec(output, "cpu").sample(1)[0].size == (16, 16)


@pytest.mark.slow
def test_a_killed_run_resumes_from_its_last_checkpoint(picture_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "p"
    process = start(command(picture_folder, output, "--kimg", "20", "--minutes", "0.01"))
    while not (output / NAME).exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    seen = Checkpoint.load(output).seen
    assert seen > 0
    process = start(command(picture_folder, output, "--resume", "--minutes", "0.01"))
    while Checkpoint.load(output).seen <= seen:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 130


@pytest.mark.slow
def test_gradients_are_averaged_over_processes(tmp_path: Path) -> None:
    script = tmp_path / "average.py"
    script.write_text(
        "import torch\n"
        "from invcomp.training.processes import average_over_processes, processes\n"
        "with processes('cpu') as process:\n"
        "    weight = torch.nn.Parameter(torch.zeros(3))\n"
        "    weight.grad = torch.full((3,), 1.0 + 2 * process.rank)\n"
        "    average_over_processes([weight], process.world)\n"
        "    assert weight.grad.tolist() == [2.0, 2.0, 2.0], weight.grad\n"
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29612"]
    subprocess.run([*launch, str(script)], check=True, capture_output=True, timeout=200)


@pytest.mark.slow
def test_two_processes_train_one_prior(picture_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "p"
    arguments = command(picture_folder, output, "--kimg", "0.4")[1:]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29611", *arguments],
        check=True, capture_output=True, env=environment, timeout=400,
    )  # fmt: skip
    assert Checkpoint.load(output).seen == 400
    assert Codec(output, "cpu").sample(1)[0].size == (16, 16)


@pytest.mark.slow
def test_compiled_networks_train(picture_folder: Path, tmp_path: Path) -> None:
    """Long enough for the critic's gradient penalty, which differentiates twice."""
    run_training(request(picture_folder, tmp_path / "p", kimg=0.3, image_size=16, compile_networks=True), SILENT)
    assert Codec(tmp_path / "p", "cpu").sample(1)[0].size == (16, 16)
