"""Relaxations: each is what its source says, and ends where rounding is."""

import numpy as np
import pytest
import torch
from PIL import Image

from invcomp.codec import Codec
from invcomp.inversion.losses import build_loss
from invcomp.inversion.optimise import Search
from invcomp.inversion.rate import CodeLengths
from invcomp.inversion.relaxations import ANNEALED
from invcomp.inversion.relaxations.admm import Admm
from invcomp.inversion.relaxations.base import StandIn
from invcomp.inversion.relaxations.gumbel import GumbelAnnealing
from invcomp.inversion.relaxations.soft_rounding import SoftRounding, kumaraswamy, soft_round
from invcomp.inversion.relaxations.straight_through import straight_through
from invcomp.inversion.relaxations.uniform_noise import UniformNoise

LOSS = "100*mse"


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def draws(relaxation: StandIn, value: float, progress: float, count: int = 20_000) -> torch.Tensor:
    return relaxation.stand_in(torch.full((count,), value), progress)


def test_straight_through_rounds_and_has_the_gradient_of_the_identity() -> None:
    values = torch.tensor([0.4, -1.6, 2.5], requires_grad=True)
    rounded = straight_through(values)
    assert torch.equal(rounded, values.round())
    assert torch.autograd.grad(rounded.sum(), values)[0].eq(1).all()


def test_uniform_noise_is_as_wide_as_the_error_of_rounding() -> None:
    noise = draws(UniformNoise(generator()), 0.4, 0.0) - 0.4
    assert noise.min() >= -0.5
    assert noise.max() <= 0.5
    assert noise.abs().mean().item() == pytest.approx(0.25, abs=0.01)


def test_soft_rounding_sharpens_and_keeps_whole_and_half_numbers() -> None:
    values = torch.tensor([0.4, -1.6, 2.2], requires_grad=True)
    soft, hard = soft_round(values, 0.3), soft_round(values, 0.1)
    assert ((hard - values.round()).abs() < (soft - values.round()).abs()).all()
    assert (torch.autograd.grad(soft.sum(), values)[0] > 0).all()
    kept = torch.tensor([-1.0, -0.5, 0.0, 0.5, 3.0])
    assert torch.allclose(soft_round(kept, 0.2), kept, atol=1e-6)


def test_kumaraswamy_noise_is_uniform_for_1_and_has_its_mode_in_the_middle() -> None:
    uniform = torch.rand(200_000, generator=generator())
    assert torch.allclose(kumaraswamy(uniform, 1.0), uniform, atol=1e-6)
    counts, edges = np.histogram(kumaraswamy(uniform, 2.0).numpy(), bins=20, range=(0, 1))
    assert edges[counts.argmax()] == pytest.approx(0.5, abs=0.06)
    assert counts[0] < counts.max() / 4


def test_soft_rounding_with_noise_anneals_towards_rounding() -> None:
    errors = [(draws(SoftRounding(generator()), 0.1, p) - 0.0).abs().median().item() for p in (0.0, 1.0)]
    assert errors[1] < errors[0]


def test_gumbel_annealing_falls_to_the_nearer_neighbour_at_last_and_has_a_gradient() -> None:
    relaxation = GumbelAnnealing(generator())
    for value, chance in ((1.1, 0.0), (1.5, 0.5), (1.9, 1.0)):
        found = draws(relaxation, value, 1.0)
        assert found.min() >= 1
        assert found.max() <= 2
        assert (found > 1.5).float().mean().item() == pytest.approx(chance, abs=0.02)
    first = draws(relaxation, 1.3, 0.0)
    assert 0.05 < (first > 1.5).float().mean() < 0.45  # at first by chance
    values = torch.tensor([1.2, 1.999999, 2.0, -0.3], requires_grad=True)
    (gradient,) = torch.autograd.grad(relaxation.stand_in(values, 0.5).sum(), values)
    assert gradient.isfinite().all()


@pytest.fixture
def search(tiny: Codec, held_out: list[Image.Image]) -> Search:
    pictures = torch.stack([tiny.to_coded(image) for image in held_out])
    rates = [3] * len(pictures)
    lengths = CodeLengths(tiny.prior.tables, rates, tiny.prior.arch.latent_shapes(*pictures.shape[2:]))
    loss = build_loss(LOSS, lambda: pytest.fail("no critic is needed"), torch.device("cpu"))
    weights = torch.full((len(pictures),), 1e-3)
    return Search(tiny.prior.generator, loss, lengths, pictures, torch.tensor(rates).float(), weights)


def test_admm_chooses_whole_symbols_by_distance_and_bits_and_adds_up_what_remains(search: Search) -> None:
    values = [torch.randn(x.shape, generator=generator()) for x in search.lengths.classes]
    relaxation = Admm(generator())
    weak, strong = (relaxation.objective(search, values, progress) for progress in (0.0, 1.0))
    assert (strong > weak).all()  # the spring has grown
    for whole, value in zip(relaxation.whole, values, strict=True):
        assert torch.equal(whole, whole.round())
        assert ((whole - value).abs() < 1).logical_or(whole == 0).all()
    nearest = search.lengths.total([v.round() for v in values])
    assert (search.lengths.total(relaxation.whole) < nearest).all()  # zeros are cheaper than what is near
    before = [v - w for v, w in zip(values, relaxation.whole, strict=True)]
    relaxation.choose(search, values, 30.0)
    assert any((u.abs() > 0).any() for u in relaxation.left)
    assert all(b.shape == u.shape for b, u in zip(before, relaxation.left, strict=True))


@pytest.mark.parametrize("name", ANNEALED)
def test_levels_that_are_not_used_are_not_disturbed(search: Search, name: str) -> None:
    search.lengths.limits = [0] * len(search.lengths.limits)
    nothing = [torch.zeros(x.shape) for x in search.lengths.classes]
    found = ANNEALED[name](generator()).objective(search, nothing, 0.0)
    assert torch.equal(found, ANNEALED[name](generator().manual_seed(1)).objective(search, nothing, 0.0))


@pytest.mark.parametrize("name", ANNEALED)
def test_every_objective_has_gradients_for_all_levels(search: Search, name: str) -> None:
    values = [0.5 * torch.randn(x.shape, generator=generator()) for x in search.lengths.classes]
    values = [v.requires_grad_() for v in values]
    relaxation = ANNEALED[name](generator())
    for progress in (0.0, 0.5, 0.99):
        gradients = torch.autograd.grad(relaxation.objective(search, values, progress).sum(), values)
        assert all(g.isfinite().all() and g.abs().sum() > 0 for g in gradients)
