"""Loss expressions and their terms."""

from pathlib import Path

import numpy as np
import pytest
import skimage.metrics
import torch
import torchvision

from invcomp.errors import LossError
from invcomp.inversion import losses
from invcomp.inversion.losses import build_loss, parse_loss
from invcomp.inversion.lpips import LpipsTerm, UnitDistance
from invcomp.pixels import to_tensor
from invcomp.priors.architecture import from_preset
from invcomp.priors.critic import Critic
from invcomp.priors.lpips import BACKBONE_FILES, download_lpips, make, restored, stored
from tests.conftest import windows

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (2, 3, 64, 64), and the same with noise."""
    x = torch.stack([to_tensor(image.resize((64, 64))) for image in windows(2)])
    return x, (x + 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


def critic() -> Critic:
    return Critic(from_preset("tiny", 64))


@pytest.mark.parametrize("name", losses.FREE_TERMS)
def test_every_term_is_zero_for_equal_pictures_and_positive_otherwise(
    name: str, pair: tuple[torch.Tensor, torch.Tensor]
) -> None:
    x, y = pair
    loss = build_loss(name, critic, CPU)
    assert loss.distance(x, loss.reference(x)).abs().max() < 1e-5
    assert loss.distance(y, loss.reference(x)).min() > 1e-5


@pytest.mark.parametrize("name", losses.FREE_TERMS)
def test_a_face_term_sees_the_face_alone(name: str, pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = pair
    face = (..., slice(19, 55), slice(14, 50))  # of 64
    inside, outside = x.clone(), y.clone()
    inside[face], outside[face] = y[face], x[face]
    same = critic()
    loss, part = build_loss(f"face:{name}", lambda: same, CPU), build_loss(name, lambda: same, CPU)
    assert loss.distance(outside, loss.reference(x)).abs().max() < 1e-5
    found = loss.distance(inside, loss.reference(x))
    assert torch.allclose(found, part.distance(y[face], part.reference(x[face])))
    assert found.min() > 1e-5


@pytest.mark.parametrize("name", losses.FREE_TERMS)
def test_every_term_has_a_gradient(name: str, pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = pair
    y = y.clone().requires_grad_()
    loss = build_loss(name, critic, CPU)
    (gradient,) = torch.autograd.grad(loss.distance(y, loss.reference(x)).sum(), y)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_a_face_of_too_small_a_picture_is_refused() -> None:
    loss = build_loss("face:critic", critic, CPU)
    with pytest.raises(LossError, match="32 pixels or more, not 16"):
        loss.reference(torch.rand(1, 3, 16, 16))


def test_ssim_agrees_with_scikit_image(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = pair
    expected = skimage.metrics.structural_similarity(
        x[0].permute(1, 2, 0).numpy(),
        y[0].permute(1, 2, 0).numpy(),
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert 1 - float(losses.ssim(y, x)[0]) == pytest.approx(expected, abs=0.01)


def test_expressions_are_read() -> None:
    assert parse_loss("1*mse + 0.5*lpips-squeeze+critic") == [(1.0, "mse"), (0.5, "lpips-squeeze"), (1.0, "critic")]
    assert parse_loss("1e+2*mse") == [(100.0, "mse")]
    assert parse_loss("0.5 * face:ssim") == [(0.5, "face:ssim")]


@pytest.mark.parametrize(
    "text", ["mze", "1*mse + ", "", "x*mse", "-1*mse", "nan*mse", "0*mse", "1*mse 2*l1", "face:", "face:face:mse"]
)
def test_wrong_expressions_are_refused_with_the_terms_or_the_fact(text: str) -> None:
    with pytest.raises(LossError) as caught:
        parse_loss(text)
    assert repr(text) in str(caught.value)


def test_a_wrong_term_lists_the_right_ones() -> None:
    with pytest.raises(LossError, match=r"mse, l1, charbonnier, ssim, ms-ssim, critic, lpips-alex"):
        parse_loss("1*mze")


def test_lpips_agrees_with_the_lpips_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """With a backbone of random weights, so that nothing is downloaded."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    backbone = torchvision.models.squeezenet1_1().state_dict()
    torch.save(backbone, folder / BACKBONE_FILES["squeeze"])
    x, y = pair
    loss = build_loss("lpips-squeeze", critic, CPU)
    large = [torch.nn.functional.interpolate(p, scale_factor=2.0, mode="bilinear") for p in (x, y)]
    expected = download_lpips("squeeze")(large[0] * 2 - 1, large[1] * 2 - 1).flatten()
    np.testing.assert_allclose(loss.distance(y, loss.reference(x)).numpy(), expected.numpy(), rtol=1e-4)


def test_the_gradient_of_lpips_that_is_written_out_is_the_numerical_one() -> None:
    torch.manual_seed(0)
    x, y = (torch.randn(2, 5, 3, 4, dtype=torch.float64) for _ in range(2))
    weight = torch.rand(5, dtype=torch.float64)
    v = weight.view(1, -1, 1, 1) * torch.nn.functional.normalize(y, dim=1)
    assert torch.autograd.gradcheck(UnitDistance.apply, (x.requires_grad_(), v, weight))


def test_a_carried_lpips_network_measures_like_the_original(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.manual_seed(0)
    original = make("squeeze", pretrained=False)
    carried = restored("squeeze", stored(original))
    x, y = pair
    first, second = LpipsTerm(original), LpipsTerm(carried)
    assert torch.allclose(first.distance(x, first.reference(y)), second.distance(x, second.reference(y)), rtol=2e-2)


def test_missing_lpips_weights_name_the_file_and_the_other_terms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(LossError) as caught:
        build_loss("lpips-alex", critic, CPU)
    assert "alexnet-owt-7be5be79.pth" in str(caught.value)
    assert "charbonnier" in str(caught.value)


def test_pictures_too_small_for_a_window_are_refused() -> None:
    x = torch.rand(1, 3, 8, 8)
    for name in ("ssim", "ms-ssim"):
        loss = build_loss(name, critic, CPU)
        with pytest.raises(LossError, match="at least"):
            loss.distance(x, loss.reference(x))
