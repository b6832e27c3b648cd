"""The imported network: what it computes, what it accepts. A small one with random weights; no wheel is needed."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from invcomp.priors.portraits.architecture import SynthesisShape
from invcomp.priors.portraits.mobile_stylegan import SynthesisNetwork, inverse_haar

SHAPE = SynthesisShape(widths=(16, 16, 8), style_size=12)  # features at 4, 8, 16; pictures of 32


@pytest.fixture(scope="module")
def network() -> SynthesisNetwork:
    torch.manual_seed(0)
    network = SynthesisNetwork(SHAPE).double()
    for noise in network.buffers():
        noise.normal_()
    return network


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_wavelet_is_haars_and_has_the_right_gradient(layout: torch.memory_format) -> None:
    bands = normal(2, 12, 5, 4).contiguous(memory_format=layout).requires_grad_()
    low, high = torch.tensor([1.0, 1.0]).double(), torch.tensor([1.0, -1.0]).double()
    kernels = [torch.outer(down, right) for right in (low, high) for down in (low, high)]
    expected = sum(
        F.conv_transpose2d(band, kernel.expand(3, 1, 2, 2), stride=2, groups=3)
        for band, kernel in zip(bands.chunk(4, dim=1), kernels, strict=True)
    )
    torch.testing.assert_close(inverse_haar(bands), expected)
    assert torch.autograd.gradcheck(inverse_haar, (bands,))


def test_w_is_w_plus_with_one_vector_for_all_layers(network: SynthesisNetwork) -> None:
    w = normal(2, 12)
    torch.testing.assert_close(network(w), network(w[:, None].repeat(1, SHAPE.style_inputs, 1)))


def test_every_style_input_matters_and_has_a_gradient(network: SynthesisNetwork) -> None:
    styles = normal(2, SHAPE.style_inputs, 12).requires_grad_()
    network(styles).square().sum().backward()
    assert styles.grad is not None
    assert (styles.grad.abs().sum(dim=2) > 0).all()


def test_the_small_picture_is_the_large_one_averaged(network: SynthesisNetwork) -> None:
    w = normal(3, 12)
    assert network(w).shape == (3, 3, 32, 32)
    torch.testing.assert_close(network(w, 16), F.avg_pool2d(network(w, 32), 2))


def test_a_batch_gives_what_its_members_give(network: SynthesisNetwork) -> None:
    w = normal(3, 12)
    torch.testing.assert_close(network(w), torch.cat([network(one) for one in w.split(1)]))


def test_additions_reach_features_and_picture_and_have_gradients(network: SynthesisNetwork) -> None:
    w = normal(2, 12)
    additions = {4: normal(2, 16, 4, 4).requires_grad_(), 8: normal(1, 16, 1, 1).requires_grad_()}
    plain, moved = network.features(w, (4, 8)), network.features(w, (4, 8), additions)
    torch.testing.assert_close(moved[4], plain[4] + additions[4])
    only_late = network.features(w, (8,), {8: additions[8]})
    torch.testing.assert_close(only_late[8], plain[8] + additions[8])
    picture = network(w, additions=additions)
    assert (picture - network(w)).abs().amax() > 1e-3
    for gradient in torch.autograd.grad(picture.sum(), list(additions.values())):
        assert (gradient != 0).any()
    zeros = {resolution: torch.zeros_like(addition) for resolution, addition in additions.items()}
    torch.testing.assert_close(network(w, additions=zeros), network(w))


def test_kept_features_paint_the_picture(network: SynthesisNetwork) -> None:
    w = normal(1, 12)
    features = network.features(w, (8, 16))
    assert {side: tuple(h.shape) for side, h in features.items()} == {8: (1, 16, 8, 8), 16: (1, 8, 16, 16)}
    torch.testing.assert_close(network.paint(features[16], w), network(w))


def test_the_gradient_is_that_of_the_function(network: SynthesisNetwork) -> None:
    w = normal(1, SHAPE.style_inputs, 12).requires_grad_()
    addition = normal(1, 16, 8, 8).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda styles, h: network(styles, 16, {8: h}), (w, addition), fast_mode=True, atol=1e-4
    )


@pytest.mark.parametrize("shape", [(12,), (1, 11), (1, 7, 12), (1, 1, 8, 12)])
def test_styles_of_another_shape_are_refused(network: SynthesisNetwork, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="styles are"):
        network(torch.zeros(shape, dtype=torch.float64))


def test_unknown_sizes_and_resolutions_are_refused(network: SynthesisNetwork) -> None:
    w = normal(1, 12)
    with pytest.raises(ValueError, match="paints pictures"):
        network(w, 64)
    with pytest.raises(ValueError, match="features at"):
        network(w, additions={32: torch.zeros(1)})
    with pytest.raises(ValueError, match="features at"):
        network.features(w, ())
