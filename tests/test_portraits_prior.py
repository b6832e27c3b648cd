"""The imported family as a prior: files, search without an encoder, sizes chosen by the decoder, samples."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from typer.testing import CliRunner

from invcomp.cli import app
from invcomp.codec import Codec
from invcomp.entropy.chain import draw
from invcomp.entropy.tables import LevelTables, integer_frequencies
from invcomp.errors import (
    FormatError,
    LossError,
    MissingPackageError,
    OutputError,
    PriorError,
    UnknownPriorError,
    UsageError,
)
from invcomp.exact import exact
from invcomp.inversion.relaxations import RELAXATIONS
from invcomp.pixels import to_image
from invcomp.priors import registry
from invcomp.priors.files import MAPPING, fill, half, load_prior, write_networks
from invcomp.priors.info import CARD, PriorInfo
from invcomp.priors.portraits import importing
from invcomp.priors.portraits.architecture import PortraitArchitecture
from invcomp.priors.portraits.generator import PortraitGenerator
from invcomp.priors.portraits.mobile_stylegan import MappingNetwork, SynthesisNetwork
from invcomp.priors.portraits.sampling import draw_styles, paint_quickly
from invcomp.priors.reading import GENERATOR, read_tensors
from tests.untrained import FIXED, untrained

RATES = 3
ARCH = PortraitArchitecture(
    widths=(16, 16, 16, 8),  # features at 4, 8, 16, 32; pictures of 64
    style_size=12,
    style_channels=8,
    layer_channels=6,
    layer_components=5,
    feature_resolutions=(8,),
    feature_channels=(2,),
    heads=(16, 32),
    image_size=32,
    rates=RATES,
)
LOSS = "100*mse"


def write_small(folder: Path) -> Path:
    """A small prior of the family with random weights and tables."""
    torch.manual_seed(0)
    generator, mapping = PortraitGenerator(ARCH), MappingNetwork(ARCH.style_size)
    for name, parameter in generator.synthesis.named_parameters():  # else random networks paint grey
        if "style" in name and name.endswith("bias"):
            parameter.data += 1
        elif name.endswith("weight"):
            parameter.data *= 2
    for head in generator.heads.values():
        head.start_from(generator.synthesis)
    for name in ("style_basis", "layer_basis", "components", "feature_bases.8"):
        torch.nn.init.normal_(generator.get_parameter(name), std=0.3)
    sizes = (15, 7, 3)
    tables = []
    for (channels, _, _), bound in zip(ARCH.latent_shapes(0, 0), sizes, strict=True):
        weights = np.exp(-np.abs(np.arange(-bound, bound + 1))[None] / np.array([[0.5], [2.0]]))
        index = np.tile(np.arange(channels) % 2, (RATES, 1)).astype(np.uint8)[:, :, None, None]
        tables.append(LevelTables(integer_frequencies(weights), index))
    hashes = write_networks(folder, generator, tuple(tables), {MAPPING: mapping}, {})
    info = PriorInfo(
        name="small",
        id=hashes[GENERATOR],
        domain="nothing",
        licence="none",
        lambdas=(0.1, 0.01, 0.001),
        distortion=LOSS,
        term_means={"mse": [0.1, 0.05, 0.02]},
        rate_bytes=[10.0, 20.0, 40.0],
        files=hashes,
    )
    (folder / CARD).write_text(info.to_json())
    return folder


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def small(small_folder: Path) -> Codec:
    return Codec(small_folder, "cpu")


@pytest.fixture(scope="module")
def drawn(small: Codec) -> list[Image.Image]:
    """Pictures that the network can make."""
    return small.sample(3, size=32, seed=5)


def difference(left: Image.Image, right: Image.Image) -> float:
    return float(np.abs(np.asarray(left, dtype=float) - np.asarray(right, dtype=float)).mean())


def test_what_is_searched_is_what_is_decoded(small: Codec) -> None:
    symbols = draw(small.prior.tables, 2, 3, ARCH.latent_shapes(0, 0), 0)
    reachable = small.paint([[level[n] for level in symbols] for n in range(3)], [2] * 3)
    pictures = [to_image(picture) for picture in reachable]
    starts = small.compress_batch(pictures, quality=100, steps=0)
    results = small.compress_batch(pictures, quality=100, steps=80)
    assert sum(r.distortion for r in results) < 0.8 * sum(s.distortion for s in starts)  # random networks are hard
    for picture, result in zip(pictures, results, strict=True):
        content, found = small.read(result.data)
        assert content.size == (16, 16)
        painted = small.paint([found], [content.rate])[0]
        target = small.to_coded(picture)
        assert float(100 * (painted - target).square().mean()) == pytest.approx(result.distortion, rel=1e-3)
        assert result.objective < result.start_objective


def test_the_decoder_chooses_the_size(small: Codec, drawn: list[Image.Image]) -> None:
    data = small.compress(drawn[0], quality=100, steps=10)
    assert small.decompress(data).size == (32, 32)
    assert {small.decompress(data, size=size).size for size in (16, 32, 64, 100)} == {
        (16, 16),
        (32, 32),
        (64, 64),
        (100, 100),
    }
    large, low = small.decompress(data, size=64), small.decompress(data, size=32)
    assert (
        difference(large.resize((32, 32), Image.Resampling.BOX), low) < 12
    )  # equal but for clamping; other pictures differ by 24


def test_a_picture_of_another_size_comes_back_in_it(small: Codec, drawn: list[Image.Image]) -> None:
    wide = drawn[0].resize((50, 30))
    data = small.compress(wide, steps=5)
    assert small.decompress(data).size == (50, 30)
    assert small.decompress(data, native=True).size == (32, 32)
    assert small.decompress(data, size=25).size == (25, 15)
    with pytest.raises(UsageError, match="--native and --size"):
        small.decompress(data, native=True, size=25)
    for size in (0, 5000):
        with pytest.raises(UsageError, match="between 1 and"):
            small.decompress(data, size=size)


def test_every_level_matters_and_each_can_be_left_out(small: Codec) -> None:
    generator, rate = small.prior.generator, torch.tensor([1.0])
    zeros = [torch.zeros(1, *shape) for shape in ARCH.latent_shapes(0, 0)]
    assert isinstance(generator, PortraitGenerator)
    with torch.no_grad(), exact():
        mean = generator(zeros, rate)
        for level in range(ARCH.levels):
            moved = [torch.ones_like(z) if n == level else z for n, z in enumerate(zeros)]
            assert (generator(moved, rate) - mean).abs().max() > 1e-3
        expected = generator.heads["16"](
            generator.synthesis.features(generator.mean_style[None], (16,))[16],
            generator.mean_style.expand(1, ARCH.shape.style_inputs, -1),
            generator.synthesis,
        )
    torch.testing.assert_close(mean, expected)
    assert ARCH.level_names == ("style", "layers", "features-8")


def test_levels_that_are_closed_cost_nothing(small: Codec, drawn: list[Image.Image]) -> None:
    for count in (1, 2):
        (result,) = small.compress_batch(drawn[:1], quality=100, steps=60, levels=count)
        _, symbols = small.read(result.data)
        assert any(level.any() for level in symbols[:count])
        assert not any(level.any() for level in symbols[count:])
    for count in (0, 4):
        with pytest.raises(UsageError, match="1 to 3 levels"):
            small.compress(drawn[0], levels=count)


def test_style_moves_all_layers_alike(small: Codec) -> None:
    generator = small.prior.generator
    assert isinstance(generator, PortraitGenerator)
    style, layers = torch.zeros(1, 8, 1, 1), torch.zeros(1, 6, 1, 1)
    style[0, 0] = 1
    with torch.no_grad():
        moved = generator.styles(style, layers) - generator.mean_style
        assert torch.allclose(moved, moved[:, :1].expand_as(moved))
        layers[0, 0] = 1
        offsets = generator.styles(style, layers) - generator.mean_style - moved
    torch.testing.assert_close(offsets[0], generator.layer_basis[0] @ generator.components)


def test_a_head_starts_as_the_network_would_go_on(small: Codec) -> None:
    """Where features are flat, the wavelet's details vanish, and the head is the network but for its borders."""
    torch.manual_seed(1)
    synthesis = SynthesisNetwork(ARCH.shape)
    generator = PortraitGenerator(ARCH)
    head = generator.heads["32"]
    head.start_from(synthesis)
    styles = torch.randn(2, ARCH.shape.style_inputs, ARCH.style_size)
    features = torch.randn(2, 8, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(head(features, styles, synthesis), synthesis.paint(features, styles, 32))


def test_the_finest_head_is_the_low_band(small: Codec) -> None:
    generator, rate = small.prior.generator, torch.tensor([0.0])
    zeros = [torch.zeros(1, *shape) for shape in ARCH.latent_shapes(0, 0)]
    with torch.no_grad(), exact():
        whole: Tensor = generator(zeros, rate, 64)
        low: Tensor = generator(zeros, rate, 32)
    torch.testing.assert_close(F.avg_pool2d(whole, 2), low, atol=2e-3, rtol=0)


def test_without_an_encoder_the_search_starts_at_the_mean(small: Codec, drawn: list[Image.Image]) -> None:
    assert small.compress(drawn[0], steps=8) == small.compress(drawn[0], steps=8, start="mean")
    with pytest.raises(UsageError, match="no encoder"):
        small.compress(drawn[0], steps=8, start="encoder")
    (mean,) = small.compress_batch(drawn[:1], steps=0)
    (best,) = small.compress_batch(drawn[:1], steps=0, start="best-of-8")
    assert best.objective <= mean.objective


@pytest.mark.parametrize("relaxation", RELAXATIONS)
def test_the_long_way_gets_near_under_every_relaxation(small: Codec, drawn: list[Image.Image], relaxation: str) -> None:
    for result in small.compress_batch(drawn, quality=100, steps=60, relaxation=relaxation):
        assert result.objective < 0.95 * result.start_objective
        assert result.distortion < 0.8 * result.start_objective


def test_without_a_critic_its_term_is_refused(small: Codec, drawn: list[Image.Image]) -> None:
    with pytest.raises(LossError, match="no critic"):
        small.compress(drawn[0], steps=1, loss="1*critic")


def test_samples_are_drawn_from_w(small: Codec) -> None:
    first, again = small.sample(2, size=64, seed=3), small.sample(2, size=64, seed=3)
    assert [image.tobytes() for image in first] == [image.tobytes() for image in again]
    assert first[0].size == (64, 64)
    assert difference(first[0], small.sample(2, size=64, seed=4)[0]) > 0
    (mean, *_) = small.sample(1, psi=(0.0, 0.0), size=32)
    assert mean.tobytes() == small.sample(1, psi=(0.0, 0.0), size=32, seed=9)[0].tobytes()
    with pytest.raises(UsageError, match="without a rate"):
        small.sample(1, rate=1)


def test_quick_samples_are_those_of_the_head(small: Codec, tiny: Codec) -> None:
    generator, mapping = small.prior.generator, small.prior.mapping
    assert isinstance(generator, PortraitGenerator)
    assert mapping is not None
    (quick,) = small.sample(1, size=32, seed=3, quick=True, psi=(0.8, 0.8))
    styles = draw_styles(mapping, generator.mean_style, 3, [0], (0.8, 0.8))
    with torch.no_grad():
        painted = paint_quickly(generator.synthesis, generator.heads["32"], styles)  # type: ignore[arg-type]
    assert difference(quick, to_image(painted[0])) < 1
    with pytest.raises(UsageError, match="draws quickly at 16 or 32 pixels alone, not at 64: leave out --quick"):
        small.sample(1, size=64, quick=True)
    with pytest.raises(UsageError, match="has no quick way"):
        tiny.sample(1, quick=True)


def test_a_prior_that_draws_from_tables_has_no_truncation(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="psi"):
        Codec(untrained(tmp_path / "p", FIXED), "cpu").sample(1, psi=(0.5, 0.5))


def test_a_trained_prior_draws_its_own_size(tiny: Codec) -> None:
    with pytest.raises(UsageError, match="32 pixels"):
        tiny.sample(1, size=40)


def test_a_folder_of_samples_is_resumed(small_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "faces"

    def run(*options: str) -> str:
        arguments = ["sample", str(small_folder), "-n", "3", "--size", "32", "-o", str(folder), *options]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    run("--psi", "0.7:1.0")
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "000001.png").unlink()
    refused = CliRunner().invoke(app, ["sample", str(small_folder), "-n", "3", "-o", str(folder)])
    assert (refused.exit_code, "exists" in refused.output) == (1, True)
    for change in (["--size", "64"], ["--size", "32", "--quick"]):
        other = ["sample", str(small_folder), "-n", "3", *change, "-o", str(folder), "--resume"]
        refused = CliRunner().invoke(app, other)
        assert (refused.exit_code, "other settings" in refused.output) == (2, True)
    assert "wrote 1 pictures" in run("--resume")  # the defaults are the same settings as what was given
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept


@pytest.mark.parametrize("wrong", [["--size", "100"], ["--rate", "1"], ["--quick", "--size", "64"]])
def test_a_refused_sample_leaves_nothing_behind(small_folder: Path, tmp_path: Path, wrong: list[str]) -> None:
    result = CliRunner().invoke(app, ["sample", str(small_folder), "-n", "1", "-o", str(tmp_path / "x"), *wrong])
    assert result.exit_code == 2
    assert not (tmp_path / "x").exists()


def test_draws_hold_no_symbol_that_never_occurs() -> None:
    weights = np.where(np.abs(np.arange(-255, 256)) <= 1, 1.0, 1e-12)[None]
    table = LevelTables(integer_frequencies(weights), np.zeros((1, 900, 1, 1), dtype=np.uint8))
    (symbols,) = draw([table], 0, 200, [(900, 1, 1)], 0)
    assert set(np.unique(symbols)) == {-1, 0, 1}


@pytest.mark.parametrize("psi", ["x", "1:0.5", "-1:1", "0:9", "0.5:", "nan"])
def test_a_wrong_truncation_is_refused(small_folder: Path, tmp_path: Path, psi: str) -> None:
    result = CliRunner().invoke(app, ["sample", str(small_folder), f"--psi={psi}", "-o", str(tmp_path / "x.png")])
    assert result.exit_code == 2
    assert "psi" in result.output
    assert not (tmp_path / "x.png").exists()


def test_the_command_line_chooses_the_size(small_folder: Path, drawn: list[Image.Image], tmp_path: Path) -> None:
    source, file, out = tmp_path / "a.png", tmp_path / "a.inv", tmp_path / "b.png"
    drawn[0].save(source)
    options = ["--prior", str(small_folder)]
    assert CliRunner().invoke(app, ["compress", str(source), "--steps", "5", *options]).exit_code == 0
    result = CliRunner().invoke(app, ["decompress", str(file), "-o", str(out), "--size", "64", *options])
    assert result.exit_code == 0, result.output
    assert Image.open(out).size == (64, 64)


@pytest.mark.parametrize(
    "change",
    [
        {"heads": []},
        {"heads": [20]},
        {"feature_resolutions": [8, 8, 8]},
        {"widths": [16, 16, 16, 5000]},
        {"rates": 1},
        {"style_channels": 0},
        {"image_size": 33},
        {"widths": [16] * 12},
        {"layer_channels": 1.5},
    ],
)
def test_an_impossible_architecture_is_refused(change: dict) -> None:
    with pytest.raises(PriorError):
        PortraitArchitecture.from_json(ARCH.to_json() | change)


def test_a_prior_with_other_weights_is_refused(small_folder: Path, tmp_path: Path) -> None:
    _, tensors = read_tensors(small_folder / GENERATOR, load_prior(small_folder).info.id)
    wrong = PortraitGenerator(replace(ARCH, layer_channels=7))
    with pytest.raises(PriorError, match="does not fit"):
        fill(lambda: wrong, {k: v for k, v in tensors.items() if not k.startswith("tables.")}, small_folder)
    assert set(half(PortraitGenerator(ARCH))) == {k for k in tensors if not k.startswith("tables.")}


# -- importing ----------------------------------------------------------------------------------------------------


def test_without_the_wheel_the_command_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="pip install --no-deps random-face"):
        importing.import_random_face(tmp_path / "portraits")
    assert not list(tmp_path.iterdir())


def test_a_prior_that_is_not_imported_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "user_folder", lambda: tmp_path)
    with pytest.raises(UnknownPriorError, match="invcomp import-prior random-face"):
        registry.find_prior("portraits")


def test_a_file_of_an_uninstalled_prior_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "user_folder", lambda: tmp_path)
    short = int(registry.imported_id("portraits")[:4], 16) >> 5
    data = bytes([0xA0, short >> 8, short & 255, 0, 0])
    with pytest.raises(FormatError, match="invcomp import-prior random-face"):
        Codec.for_file(data, "cpu")


def test_only_what_is_known_is_imported() -> None:
    result = CliRunner().invoke(app, ["import-prior", "stylegan3"])
    assert result.exit_code == 2
    assert "random-face" in result.output


@pytest.mark.parametrize("name", ["supplement.safetensors", "supplement.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
def test_a_damaged_supplement_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, damage: str
) -> None:
    shipped = registry.shipped_file("portraits", name).parent
    for path in shipped.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = (tmp_path / name).read_bytes()
    if damage == "missing":
        (tmp_path / name).unlink()
    elif damage == "cut":
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    else:
        middle = whole.index(b'"architecture"') if name.endswith("json") else len(whole) // 2
        (tmp_path / name).write_bytes(whole[:middle] + bytes(8) + whole[middle + 8 :])
    monkeypatch.setattr(importing, "shipped_file", lambda _, file: tmp_path / file)
    with pytest.raises(PriorError, match="is damaged; install invcomp again"):
        importing.with_supplement(SynthesisNetwork(ARCH.shape))


def test_other_networks_than_those_that_were_fitted_are_refused() -> None:
    with pytest.raises(PriorError, match="pip install --force-reinstall"):
        importing.with_supplement(SynthesisNetwork(ARCH.shape))


@pytest.fixture(scope="module")
def imported(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported") / "portraits"
    result = CliRunner().invoke(app, ["import-prior", "random-face", "-o", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.slow
def test_the_wheel_becomes_a_prior(imported: Path) -> None:
    card = json.loads((imported / CARD).read_text())
    assert card["id"] == json.loads(registry.shipped_file("portraits", importing.SUPPLEMENT_CARD).read_text())["id"]
    assert "FFHQ" in card["licence"]
    assert "non-commercial" in card["licence"]
    assert {"README.md", "samples.png"} <= {path.name for path in imported.iterdir()}
    assert not [path for path in imported.parent.iterdir() if path != imported]
    again = CliRunner().invoke(app, ["import-prior", "random-face", "-o", str(imported)])
    assert again.exit_code == 1
    assert "--force" in again.output


def test_nothing_but_an_import_is_replaced(tmp_path: Path, small_folder: Path) -> None:
    importing.check_replaceable(tmp_path / "new", force=False)
    importing.check_replaceable(tmp_path, force=False)  # empty
    for force in (False, True):
        with pytest.raises(OutputError, match="no imported prior"):
            importing.check_replaceable(small_folder, force)
    (tmp_path / CARD).write_text("{")  # an import whose card is damaged
    importing.check_replaceable(tmp_path, force=True)
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="no imported prior"):
        importing.check_replaceable(tmp_path, force=True)


@pytest.mark.slow
def test_the_imported_network_is_the_wheels(imported: Path, portraits: tuple[MappingNetwork, SynthesisNetwork]) -> None:
    generator = load_prior(imported).generator
    assert isinstance(generator, PortraitGenerator)
    mapping, synthesis = portraits
    w = mapping(torch.randn(1, 512, generator=torch.Generator().manual_seed(1)))
    with torch.no_grad():
        theirs, ours = synthesis(w, 512), generator.synthesis(w, 512)
        assert (theirs - ours).abs().mean() < 1e-3  # stored in fp16
        styles = w[:, None].expand(-1, 23, -1)
        for side in (128, 256):
            head = generator.heads[str(side)](
                generator.synthesis.features(w, (side,))[side], styles, generator.synthesis
            )
            error = (head - F.avg_pool2d(theirs, 512 // side)).square().mean()
            assert error < 10**-3.0  # 30 dB


@pytest.mark.slow
def test_a_face_is_found_again(imported: Path) -> None:
    codec = Codec(imported, "cpu")
    (face,) = codec.sample(1, size=128, seed=2)
    (result,) = codec.compress_batch([face], steps=12)
    assert result.objective < 0.5 * result.start_objective
    assert codec.decompress(result.data, size=256).size == (256, 256)
