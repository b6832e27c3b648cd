"""How the coarse levels hang together: what is expected of missing ones, what is drawn, and what is refused."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image
from typer.testing import CliRunner

from invcomp import container
from invcomp.cli import app
from invcomp.codec import Codec
from invcomp.container import Container
from invcomp.decoder import Decoder
from invcomp.errors import PriorError, UsageError
from invcomp.exporting import add_graph, export
from invcomp.priors.drawing import draw_symbols
from invcomp.priors.factors import DRAWN_NOISE, FACTORS, LEAST, MOST_NUMBERS, TYPES, Factors, covered
from invcomp.priors.files import write_factors
from invcomp.priors.info import CARD, read_info
from invcomp.sampling import Sampling, samples
from invcomp.training.factors import LEAST_NOISE, fit_factors, principal
from invcomp.training.step import Networks
from tests.test_decoder import difference, hashed, rewrite
from tests.untrained import FIXED, FREE, RATES, untrained

SHAPES = tuple(FIXED.table_shapes())
NUMBERS = sum(int(np.prod(shape)) for shape in SHAPES)
CHANNELS = sum(FIXED.latent_channels)


def random_factors(factors: int = 5, seed: int = 0) -> Factors:
    rng = np.random.default_rng(seed)
    return Factors(
        SHAPES,
        rng.normal(size=NUMBERS).astype(np.float32),
        rng.uniform(0.2, 1, size=NUMBERS).astype(np.float32),
        rng.integers(-127, 128, size=(NUMBERS, factors)).astype(np.int8),
        rng.uniform(0.003, 0.01, size=factors).astype(np.float32),
        rng.uniform(0.3, 2, size=(RATES, CHANNELS)).astype(np.float32),
    )


def random_symbols(seed: int = 1) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(-3, 4, size=shape).astype(np.int32) for shape in SHAPES]


def with_factors(folder: Path, factors: Factors | None = None) -> Path:
    """The factor analysis put into a prior's folder."""
    rewrite(folder, files=read_info(folder).files | {FACTORS: write_factors(folder, factors or random_factors())})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained prior of fixed size that has both a graph and factors, which mean nothing."""
    folder = untrained(tmp_path_factory.mktemp("priors") / "prior", FIXED)
    add_graph(folder)
    return with_factors(folder)


@pytest.fixture(scope="module")
def codec(folder: Path) -> Codec:
    return Codec(folder, "cpu")


def test_what_is_expected_is_the_conditional_mean_of_a_gaussian() -> None:
    factors, symbols, rate = random_factors(), random_symbols(), 2
    covariance = factors.weights @ factors.weights.T + np.diag(factors.noise.astype(np.float64))
    sizes = [level.size for level in symbols]
    units = np.concatenate(
        [
            np.repeat(steps, height * width)
            for (_, height, width), steps in zip(
                SHAPES, np.split(factors.steps[rate], np.cumsum(FIXED.latent_channels)[:-1]), strict=True
            )
        ]
    )
    for given in range(len(SHAPES)):
        known, count = [level < given for level in range(len(SHAPES))], sum(sizes[:given])
        values = np.concatenate([level.ravel() for level in symbols])[:count] * units[:count]
        away = np.linalg.solve(covariance[:count, :count], values - factors.mean[:count])
        expected = (factors.mean[count:] + covariance[count:, :count] @ away) / units[count:]
        found = factors.filled(symbols, rate, known)
        for level, (before, after) in enumerate(zip(symbols, found, strict=True)):
            assert after.shape == before.shape
            if level < given:
                assert after is before
        np.testing.assert_allclose(np.concatenate([f.ravel() for f in found[given:]]), expected, atol=1e-9)


def test_known_levels_stay_as_they_are() -> None:
    factors, symbols = random_factors(), random_symbols()
    for before, after in zip(symbols, factors.filled(symbols, 0, [True, True, True]), strict=True):
        assert after is before
    found = factors.filled(symbols, 0, [True, False, True])
    assert found[0] is symbols[0]
    assert found[2] is symbols[2]
    np.testing.assert_array_equal(found[1], factors.filled(symbols, 0, [True, False, False])[1])


def test_as_many_levels_are_covered_as_are_small_enough() -> None:
    shapes = [(24, 4, 4), (12, 8, 8), (8, 16, 16), (4, 32, 32), (2, 64, 64)]
    assert covered(shapes) == tuple(shapes[:4])
    assert covered([(MOST_NUMBERS + 1, 1, 1)]) == ()
    two = replace(random_factors(), shapes=SHAPES[:2])
    count = sum(int(np.prod(shape)) for shape in SHAPES[:2])
    two = replace(two, mean=two.mean[:count], noise=two.noise[:count], loadings=two.loadings[:count])
    two = replace(two, steps=two.steps[:, : sum(FIXED.latent_channels[:2])])
    symbols = random_symbols()
    found = two.filled(symbols, 1, [True, False, False])
    assert found[2] is symbols[2]
    assert not np.array_equal(found[1], symbols[1])


def coded(codec: Codec, symbols: list[Any], progressive: bool = False) -> bytes:
    return codec.write(symbols, 2, None, progressive=progressive)


def test_cut_and_unasked_levels_are_filled_and_whole_files_are_not(folder: Path, codec: Codec) -> None:
    symbols = random_symbols()
    whole, plain = coded(codec, symbols, progressive=True), coded(codec, symbols)
    ends = container.cut_points(codec.prior.info.id_bytes, whole)
    exact = codec.painted(list(symbols), 2, None)
    for data in (whole, plain):
        content, found = codec.read(data)
        assert np.array_equal(codec.painted(codec.residuals(content, found), 2, None), exact)
    for number, end in enumerate(ends[:-1], start=1):
        there = [level < number for level in range(len(symbols))]
        zeroed = [level if known else np.zeros_like(level) for level, known in zip(symbols, there, strict=True)]
        content, found = codec.read(whole[:end], partial=True)
        filled = random_factors().filled(zeroed, 2, there)
        for one, other in zip(codec.residuals(content, found), filled, strict=True):
            np.testing.assert_array_equal(one, other)
        shown = codec.decompress(whole[:end], partial=True)
        assert shown.tobytes() == codec.decompress(whole, levels=number).tobytes()
        assert shown.tobytes() == codec.decompress(plain, levels=number).tobytes()
        assert difference(Decoder(folder).decompress(whole[:end], partial=True), shown) <= 1


def test_levels_that_were_never_coded_stay_zero(codec: Codec) -> None:
    symbols = random_symbols()
    symbols[2][:] = 0
    for progressive in (False, True):
        content, found = codec.read(coded(codec, symbols, progressive))
        assert content.levels == 0b011
        for level, same in zip(codec.residuals(content, found), symbols, strict=True):
            np.testing.assert_array_equal(level, same)
        residuals = codec.residuals(content, found, 1)
        assert residuals[1].any()
        assert not residuals[2].any()
    symbols = random_symbols()
    symbols[0][:] = 0  # known to be zero, and so given
    content, found = codec.read(coded(codec, symbols))
    assert content.levels == 0b110
    expected = random_factors().filled(symbols, 2, [True, True, False])
    np.testing.assert_array_equal(codec.residuals(content, found, 2)[2], expected[2])


def test_a_prior_without_factors_leaves_missing_levels_zero(tmp_path: Path) -> None:
    codec = Codec(untrained(tmp_path / "p", FIXED), "cpu")
    symbols = random_symbols()
    residuals = codec.residuals(Container(codec.prior.info.id_bytes, 2, b""), symbols, 1)
    assert codec.prior.factors is None
    np.testing.assert_array_equal(residuals[0], symbols[0])
    assert not any(level.any() for level in residuals[1:])
    picture = codec.sample(1)[0]
    drawn = draw_symbols(codec.prior.tables, None, SHAPES, RATES // 2, (0, 0))
    assert picture.tobytes() == codec.decompress(codec.write(drawn, RATES // 2, None)).tobytes()


def test_draws_depend_on_seed_and_index_alone(codec: Codec) -> None:
    several = codec.sample(3, seed=4)
    assert several[1].tobytes() != codec.sample(1, seed=5)[0].tobytes()
    (alone,) = (image for _, image in samples(codec, Sampling.of(codec), [2], seed=4))
    assert several[2].tobytes() == alone.tobytes()
    assert several[0].tobytes() != several[1].tobytes()
    mean = codec.sample(2, psi=(0, 0))
    assert mean[0].tobytes() == mean[1].tobytes() == codec.sample(1, psi=(0, 0), seed=9)[0].tobytes()
    with pytest.raises(UsageError, match="rate index"):
        codec.sample(1, rate=RATES)


@pytest.mark.parametrize("psi", [(1, 0.5), (-1, 1), (0, 9), (np.nan, np.nan), (0, np.inf)])
def test_an_impossible_truncation_is_refused(codec: Codec, psi: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="psi lies between 0 and 2"):
        codec.sample(1, psi=psi)


def test_a_folder_is_not_resumed_with_a_factor_analysis_that_was_fitted_anew(tmp_path: Path) -> None:
    folder = with_factors(untrained(tmp_path / "p", FIXED))
    arguments = ["sample", str(folder), "-n", "1", "-o", str(tmp_path / "drawn"), "--device", "cpu"]
    for options in ([], ["--resume"]):
        result = CliRunner().invoke(app, [*arguments, *options])
        assert result.exit_code == 0, result.output
    with_factors(folder, random_factors(seed=1))
    refused = CliRunner().invoke(app, [*arguments, "--resume"])
    assert (refused.exit_code, "other settings" in refused.output) == (2, True)


def test_levels_that_are_not_covered_are_drawn_as_zeros(codec: Codec) -> None:
    full = random_factors()
    count = sum(int(np.prod(shape)) for shape in SHAPES[:2])
    channels = sum(FIXED.latent_channels[:2])
    two = Factors(
        SHAPES[:2], full.mean[:count], full.noise[:count], full.loadings[:count], full.scale, full.steps[:, :channels]
    )
    drawn = [draw_symbols(codec.prior.tables, two, SHAPES, 2, (0, index), (0.0, 0.0)) for index in (1, 2)]
    assert [level.shape for level in drawn[0]] == list(SHAPES)
    assert drawn[0][0].any()
    assert not drawn[0][2].any()
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_array_equal(one, other)


def test_drawn_symbols_lie_within_the_tables(codec: Codec) -> None:
    drawn = draw_symbols(codec.prior.tables, codec.prior.factors, SHAPES, 0, (0, 3), (2.0, 2.0))
    for level, table in zip(drawn, codec.prior.tables, strict=True):
        assert level.dtype == np.int32
        assert np.abs(level).max() <= table.bound
    assert codec.decompress(codec.write(drawn, 0, None)).size == (32, 32)


def test_what_is_drawn_has_the_moments_of_the_model_but_for_weaker_noise() -> None:
    factors = random_factors()
    rng = np.random.default_rng(0)
    draws = np.array([np.concatenate([v.ravel() for v in factors.drawn(1, 1.0, rng)]) for _ in range(4000)])
    draws *= factors.units(1)
    np.testing.assert_allclose(draws.mean(axis=0), factors.mean, atol=0.15)
    variance = factors.noise * DRAWN_NOISE**2 + (factors.weights**2).sum(axis=1)
    assert np.abs(draws.var(axis=0) / variance - 1).max() < 0.15


@pytest.mark.slow
def test_an_exported_decoder_takes_them_along(folder: Path, codec: Codec, tmp_path: Path) -> None:
    export(folder, tmp_path / "decoder")
    assert (tmp_path / "decoder" / FACTORS).read_bytes() == (folder / FACTORS).read_bytes()
    data = coded(codec, random_symbols())
    shown = Decoder(tmp_path / "decoder").decompress(data, levels=1)
    assert difference(shown, codec.decompress(data, levels=1)) <= 1


HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "missing": lambda t: t.pop("scale"),
    "other": lambda t: t.update(more=np.zeros(1, np.float32)),
    "type": lambda t: t.update(loadings=t["loadings"].astype(np.float32)),
    "short": lambda t: t.update(mean=t["mean"][1:], noise=t["noise"][1:], loadings=t["loadings"][1:]),
    "steps": lambda t: t.update(steps=t["steps"][:, 1:]),
    "rates": lambda t: t.update(steps=t["steps"][1:]),
    "scale": lambda t: t.update(scale=t["scale"][:, None]),
    "NaN": lambda t: t["mean"].__setitem__(0, np.nan),
    "infinite": lambda t: t["scale"].__setitem__(0, np.inf),
    "no noise": lambda t: t["noise"].__setitem__(3, 0),
    "negative": lambda t: t["steps"].__setitem__((1, 1), -1),
    "many": lambda t: t.update(loadings=np.zeros((NUMBERS, 1025), np.int8), scale=np.zeros(1025, np.float32)),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_hostile_factors_are_refused(tmp_path: Path, how: str) -> None:
    folder = with_factors(untrained(tmp_path / "p", FIXED))
    tensors = random_factors().stored()
    HOSTILE[how](tensors)
    hashed(folder, FACTORS, safetensors.numpy.save(tensors))
    with pytest.raises(PriorError, match=r"factors.safetensors is damaged: .*; get the prior again$"):
        _ = Codec(folder, "cpu").prior.factors


def test_factors_with_another_hash_or_of_a_free_size_are_refused(tmp_path: Path) -> None:
    folder = with_factors(untrained(tmp_path / "p", FIXED))
    (folder / FACTORS).write_bytes(b"x")
    with pytest.raises(PriorError, match="its hash is not the one"):
        Codec(folder, "cpu").sample(1)
    folder = with_factors(untrained(tmp_path / "free", FREE))
    with pytest.raises(PriorError, match="a prior of free size has none"):
        Codec(folder, "cpu").sample(1)


def test_numbers_that_nobody_fitted_give_a_picture_or_a_sentence() -> None:
    """Factors that are the same one, as large as is accepted, in front of noise as small as is accepted."""
    factors = random_factors()
    factors = replace(
        factors,
        loadings=np.full_like(factors.loadings, 127),
        scale=np.full_like(factors.scale, 1e6),
        noise=np.full_like(factors.noise, LEAST),
        steps=np.full_like(factors.steps, LEAST),
    )
    with suppress(PriorError):
        found = factors.filled(random_symbols(), 0, [True, False, False])
        assert all(np.isfinite(level).all() for level in found)


def test_a_fit_finds_what_pictures_have_in_common(tiny: Codec, tiny_folder: Path, held_out: list[Image.Image]) -> None:
    factors = tiny.prior.factors
    assert factors is not None
    assert factors.shapes == tuple(tiny.prior.arch.table_shapes())
    assert factors.noise.min() >= np.float32(LEAST_NOISE)
    assert {name: getattr(factors, name).dtype.str for name in TYPES} == TYPES
    assert "expected" in (tiny_folder / "README.md").read_text()
    assert json.loads((tiny_folder / CARD).read_text())["files"][FACTORS]
    networks = Networks(FREE)
    assert fit_factors(networks, tiny.to_coded(held_out[0])[None].repeat(9, 1, 1, 1)) is None


def test_principal_components_are_those_of_the_covariance() -> None:
    rng = np.random.default_rng(0)
    for n, size in ((40, 12), (12, 40)):
        rows = rng.normal(size=(n, size)) * np.linspace(0.1, 3, size)
        rows -= rows.mean(axis=0)
        found = principal(rows, min(n, size) - 1)
        np.testing.assert_allclose(found @ found.T, rows.T @ rows / n, atol=0.1 if n > size else 1e-9)
        lengths = np.linalg.norm(found, axis=0)
        np.testing.assert_allclose(lengths[:3], np.linalg.svd(rows)[1][:3] / np.sqrt(n))


def test_missing_levels_of_shipped_priors_look_nearer_to_the_picture(faces: Codec) -> None:
    """The conditional mean against zeros, after the first two levels of a face."""
    picture = Image.open(Path(__file__).parent / "faces" / "face-1.png").convert("RGB")
    data = faces.compress(picture, steps=0, quality=60)
    content, symbols = faces.read(data)
    whole = faces.painted(list(symbols), content.rate, None)
    filled = faces.painted(faces.residuals(content, symbols, 2), content.rate, None)
    zeros = [level if index < 2 else np.zeros_like(level) for index, level in enumerate(symbols)]
    bare = faces.painted(zeros, content.rate, None)
    assert np.square(filled - whole).mean() < np.square(bare - whole).mean()
