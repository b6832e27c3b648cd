"""Metrics agree with other implementations and published values, and say when they cannot be had."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from invcomp.errors import LossError, MissingPackageError
from invcomp.inversion.losses import cached_lpips
from invcomp.lab import identity, metrics, peers
from invcomp.lab.folder import PictureSet
from invcomp.lab.identity import FaceRecognition
from invcomp.lab.metrics import Judge, lpips_measure, means
from invcomp.lab.peers import PEERS
from invcomp.lab.run import MOST_IDENTITIES, Run
from invcomp.lab.store import Store
from invcomp.priors.lpips import LpipsNetwork, is_cached
from tests.conftest import FACES, windows

has_dlib = find_spec("dlib") is not None


def noisy(image: Image.Image, sigma: float = 12.0, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, sigma, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


@pytest.fixture
def pixels_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No networks: neither LPIPS nor faces."""

    def missing(name: str) -> LpipsNetwork:
        raise LossError(f"{name} is not there")

    monkeypatch.setattr(metrics, "cached_lpips", missing)
    without_faces(monkeypatch)


def without_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise MissingPackageError("dlib is not there")

    monkeypatch.setattr(identity, "FaceRecognition", missing)


@pytest.mark.usefixtures("pixels_only")
@pytest.mark.parametrize("side", [48, 96])
def test_psnr_and_ssim_agree_with_scikit_image(side: int) -> None:
    originals = windows(3, side)
    decoded = [noisy(image, 6.0 * (n + 1), n) for n, image in enumerate(originals)]
    figures, _ = Judge(originals).measure(decoded)
    for original, other, found in zip(originals, decoded, figures, strict=True):
        a, b = np.asarray(original), np.asarray(other)
        ssim = structural_similarity(
            a, b, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
        assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=1e-3)
        assert found["ssim"] == pytest.approx(ssim, abs=1e-3)


@pytest.mark.usefixtures("pixels_only")
def test_equal_pictures_are_perfect_and_finite() -> None:
    originals = windows(2, 64)
    figures, _ = Judge(originals).measure(originals)
    assert all(f["psnr"] == pytest.approx(80) and f["ssim"] == pytest.approx(1) for f in figures)


@pytest.mark.usefixtures("pixels_only")
def test_pictures_of_different_sizes_are_judged_one_by_one() -> None:
    originals = [windows(1, 64)[0], windows(1, 48)[0], windows(1, 48, seed=1)[0]]
    together, _ = Judge(originals).measure([noisy(image) for image in originals])
    for image, figures in zip(originals, together, strict=True):
        alone, _ = Judge([image]).measure([noisy(image)])
        assert alone[0]["psnr"] == pytest.approx(figures["psnr"], abs=1e-4)


@pytest.mark.usefixtures("pixels_only")
def test_ms_ssim_is_measured_where_five_scales_fit() -> None:
    large, small = windows(1, 170)[0], windows(1, 64)[0]
    judge = Judge([large])
    figures, _ = judge.measure([noisy(large)])
    assert 0.5 < figures[0]["ms_ssim"] < 1
    assert "ms_ssim" not in [m.key for m in Judge([small]).metrics]
    assert any("MS-SSIM is left out" in note and "161" in note for note in Judge([small]).notes)


@pytest.mark.usefixtures("pixels_only")
def test_pictures_smaller_than_a_window_are_said_and_the_others_measured() -> None:
    judge = Judge([image.resize((9, 9)) for image in windows(2, 64)])
    assert judge.metrics[0].key == "psnr"
    assert "ssim" not in [m.key for m in judge.metrics]
    assert any(note.startswith("SSIM is left out: it needs 11 pixels") for note in judge.notes)
    mixed = [windows(1, 64)[0], windows(1, 64)[0].resize((9, 9))]
    judge = Judge(mixed)
    figures, _ = judge.measure(mixed)
    assert [set(f) for f in figures] == [{"psnr", "ssim"}, {"psnr"}]
    assert any(note.startswith("SSIM is left out of 1 of 2 pictures") for note in judge.notes)


def test_missing_weights_are_said_and_a_priors_own_network_serves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, faces
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *a, **k: pytest.fail("a download"))
    originals = windows(2, 64)
    without = Judge(originals)
    assert not any(m.key.startswith("lpips") for m in without.metrics)
    assert sum("LPIPS" in note and "left out" in note for note in without.notes) == 2
    having = Judge(originals, lpips=faces.prior.lpips)
    assert [m.key for m in having.metrics if m.key.startswith("lpips")] == ["lpips_squeeze"]
    figures, _ = having.measure([noisy(image) for image in originals])
    assert all(f["lpips_squeeze"] > 0.01 for f in figures)


@pytest.mark.skipif(not is_cached("squeeze"), reason="the weights of SqueezeNet are not in TORCH_HOME")
def test_lpips_agrees_with_the_value_that_torchmetrics_publishes() -> None:
    """Two pairs of the documentation of `torchmetrics.functional.image.lpips`, seed 42: 0.1024 and 0.0938."""
    generator = torch.Generator().manual_seed(42)
    left, right = (torch.rand(2, 3, 100, 100, generator=generator) * 2 - 1 for _ in range(2))
    network: LpipsNetwork = cached_lpips("lpips-squeeze")
    assert network(left, right).flatten().tolist() == pytest.approx([0.1024, 0.0938], abs=1e-4)
    larger = [torch.nn.functional.interpolate((x + 1) / 2, size=128) for x in (left, right)]
    direct = network(*(2 * x - 1 for x in larger)).flatten()
    assert lpips_measure(network)(*larger).tolist() == pytest.approx(direct.tolist(), abs=1e-5)


@pytest.mark.parametrize("side", [48, 49, 98, 103, 107, 127, 128, 200])
def test_pictures_are_enlarged_to_exactly_what_is_said(side: int) -> None:
    assert min(metrics.enlarge(torch.zeros(1, 3, side, side + 5)).shape[2:]) == max(side, metrics.LPIPS_SIDE)


@pytest.mark.slow
def test_frechet_needs_fifty_pictures_and_grows_with_damage(monkeypatch: pytest.MonkeyPatch, faces) -> None:
    without_faces(monkeypatch)
    originals = windows(50, 32)
    judge = Judge(originals, lpips=faces.prior.lpips)
    assert "frechet" in [m.key for m in judge.metrics]
    near, far = (judge.measure([noisy(i, s) for i in originals])[1]["frechet"] for s in (4.0, 40.0))
    assert 0 <= near < far
    few = Judge(originals[:49], lpips=faces.prior.lpips)
    assert any("Fréchet" in note and "49" in note for note in few.notes)


def test_means_are_over_the_pictures_that_have_a_figure() -> None:
    assert means([{"a": 1.0}, {"a": 3.0, "b": 5.0}]) == {"a": 2.0, "b": 5.0}


@pytest.mark.skipif(not has_dlib, reason="the extra `faces` is not installed")
def test_identity_tells_the_same_face_from_another() -> None:
    originals = [Image.open(path).convert("RGB") for path in FACES[:3]]
    judge = Judge(originals)
    same = judge.measure_identity([noisy(image, 3.0) for image in originals])
    assert all(f["identity"] == 1.0 and f["identity_distance"] < 0.4 for f in same)
    others = judge.measure_identity([*originals[1:], originals[0]])
    assert all(f["identity_distance"] > 0.4 for f in others)
    assert min(f["identity_distance"] for f in others) > max(f["identity_distance"] for f in same)


@pytest.mark.skipif(not has_dlib, reason="the extra `faces` is not installed")
def test_pictures_without_a_face_have_no_identity() -> None:
    flat = Image.new("RGB", (64, 64), "navy")
    judge = Judge([flat])
    assert judge.measure_identity([flat]) == [{}]
    assert any("0 of 1" in note for note in judge.notes)
    assert FaceRecognition().find(flat) is None


def test_without_dlib_identity_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    without_faces(monkeypatch)
    judge = Judge(windows(1, 64))
    assert any("Identity is left out" in note for note in judge.notes)
    assert judge.measure_identity(windows(1, 64)) == [{}]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("dlib") is None, reason="the extra `faces` is not installed")
def test_identity_is_measured_at_a_dozen_settings_of_a_curve(faces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "SCALES", peers.SCALES[:2])
    originals = [Image.open(path).convert("RGB").resize((64, 64)) for path in FACES[:2]]
    pictures = PictureSet(["a", "b"], originals, [])
    codec = PEERS["webp"]
    run = Run(pictures, Judge(originals, faces.prior.lpips), Store(None), lambda text, share: None)
    results = run.all_settings([(codec, 1.0)], 0)
    found = run.identities(results, [codec])
    measured = [r for r in found if "identity" in r.mean]
    assert len(measured) == MOST_IDENTITIES
    assert len({r.mean["bytes"] for r in measured}) == MOST_IDENTITIES
