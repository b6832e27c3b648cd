"""Priors on disk: what is written is read; what is missing or damaged is named."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from invcomp.codec import Codec
from invcomp.errors import InvcompError, PriorError, UnknownPriorError
from invcomp.priors.architecture import PRESETS, Architecture, from_preset
from invcomp.priors.critic import Critic
from invcomp.priors.encoder import Encoder
from invcomp.priors.files import CRITIC, ENCODER, load_prior
from invcomp.priors.generator import Generator
from invcomp.priors.info import CARD
from invcomp.priors.reading import GENERATOR
from invcomp.priors.registry import find_prior


@pytest.fixture
def copy(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "prior"))


@pytest.mark.parametrize(("preset", "low", "high"), [("tiny", 0.1, 0.5), ("small", 4, 6), ("base", 13, 17)])
def test_presets_have_about_the_generator_parameters_they_promise(preset: str, low: float, high: float) -> None:
    generator = Generator(from_preset(preset, 64))
    assert low < sum(p.numel() for p in generator.parameters()) / 1e6 < high


@pytest.mark.parametrize("size", [16, 64, 128, None])
def test_networks_agree_on_shapes(size: int | None) -> None:
    arch = from_preset("tiny", size)
    height, width = (size, size) if size else (arch.stride * 2, arch.stride * 3)
    x, rate = torch.rand(2, 3, height, width), torch.tensor([0.0, 6.5])
    generator = Generator(arch)
    residuals, picture = Encoder(arch)(x, generator, rate, lambda _, r: r.round())
    assert [tuple(r.shape[1:]) for r in residuals] == arch.latent_shapes(height, width)
    assert picture.shape == x.shape
    assert generator([r.round() for r in residuals], rate).shape == x.shape
    assert Critic(arch)(x).shape == (2,)


def test_architectures_survive_json() -> None:
    for preset in PRESETS:
        arch = from_preset(preset, 64)
        assert Architecture.from_json(json.loads(json.dumps(arch.to_json()))) == arch


def test_impossible_sizes_and_presets_are_refused() -> None:
    for size in (0, 8, 63, 100, 4096):
        with pytest.raises(PriorError, match="choose 16"):
            from_preset("small", size)
    with pytest.raises(PriorError, match="tiny, small, base"):
        from_preset("huge", 64)


def test_a_stored_prior_decodes_like_the_one_in_memory(tiny_folder: Path) -> None:
    first, second = load_prior(tiny_folder), load_prior(tiny_folder)
    levels = [torch.ones(1, *shape) for shape in first.arch.latent_shapes(32, 32)]
    rate = torch.tensor([3.0])
    assert torch.equal(first.generator(levels, rate), second.generator(levels, rate))
    assert all(p.dtype == torch.float32 for p in first.generator.parameters())


def test_decoding_needs_no_encoder_and_no_critic(copy: Path, tiny: Codec, held_out: list) -> None:
    data = tiny.compress(held_out[0], steps=0)
    (copy / ENCODER).unlink()
    (copy / CRITIC).unlink()
    assert Codec(copy, "cpu").decompress(data).size == (32, 32)


@pytest.mark.parametrize("file", [GENERATOR, ENCODER, CRITIC, CARD])
def test_a_missing_file_is_named(copy: Path, file: str, held_out: list) -> None:
    (copy / file).unlink()
    with pytest.raises(PriorError) as caught:
        Codec(copy, "cpu").compress(held_out[0], steps=0)
    assert file in str(caught.value)


@pytest.mark.parametrize("file", [GENERATOR, ENCODER, CRITIC])
@pytest.mark.parametrize("at", [3, 100, -1])
def test_a_damaged_file_is_named(copy: Path, file: str, at: int, held_out: list) -> None:
    data = bytearray((copy / file).read_bytes())
    data[at] ^= 1
    (copy / file).write_bytes(data)
    with pytest.raises(PriorError, match="damaged") as caught:
        Codec(copy, "cpu").compress(held_out[0], steps=0)
    assert file in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"id": "00"}, {"lambdas": []}, {"format": 2}, {"files": 3}, {"surprise": 1}, {"lambdas": "x"}]
)
def test_a_wrong_card_is_refused(copy: Path, change: dict) -> None:
    card = json.loads((copy / CARD).read_text())
    (copy / CARD).write_text(json.dumps(card | change))
    with pytest.raises(PriorError):
        load_prior(copy)


def test_a_card_that_is_not_json_is_refused(copy: Path) -> None:
    (copy / CARD).write_text("{")
    with pytest.raises(PriorError, match="damaged"):
        load_prior(copy)


def test_unknown_priors_are_refused_with_the_installed_ones() -> None:
    with pytest.raises(UnknownPriorError, match="faces"):
        find_prior("nobody")


def test_a_folder_that_is_no_prior_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvcompError, match=CARD):
        Codec(tmp_path)
