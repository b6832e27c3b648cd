"""Drawing pictures for training folders: who is drawn depends on seed and index alone, and sizes agree."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from invcomp.errors import UsageError
from invcomp.pixels import to_tensor
from invcomp.priors.portraits.architecture import SynthesisShape
from invcomp.priors.portraits.mobile_stylegan import MappingNetwork, SynthesisNetwork
from invcomp.priors.portraits.sampling import draw_pictures, draw_styles, find_mean_style, paint, sizes

Networks = tuple[MappingNetwork, SynthesisNetwork]


@pytest.fixture(scope="module")
def small() -> Networks:
    """Random weights; pictures of 128 pixels."""
    torch.manual_seed(0)
    shape = SynthesisShape(widths=(16, 16, 16, 8, 8), style_size=12)
    return MappingNetwork(12, 2).eval(), SynthesisNetwork(shape).eval()


def test_styles_depend_on_seed_and_index_alone(small: Networks) -> None:
    mapping, mean = small[0], find_mean_style(small[0])
    styles = draw_styles(mapping, mean, 7, range(5), (0.5, 1.0))
    torch.testing.assert_close(draw_styles(mapping, mean, 7, [3, 1], (0.5, 1.0)), styles[[3, 1]])
    assert draw_styles(mapping, mean, 7, [], (0.5, 1.0)).shape == (0, 12)
    others = torch.cat([draw_styles(mapping, mean, 8, range(5), (0.5, 1.0)), styles])
    assert torch.pdist(others).min() > 0.01


def test_the_random_numbers_are_those_of_earlier_training_folders(small: Networks) -> None:
    mapping, mean = small[0], find_mean_style(small[0])
    rng = np.random.default_rng([7, 42])
    with torch.no_grad():
        w = mapping(torch.from_numpy(rng.standard_normal((1, 12), dtype=np.float32)))
    expected = mean + rng.uniform(0.7, 1.0) * (w - mean)
    torch.testing.assert_close(draw_styles(mapping, mean, 7, [42], (0.7, 1.0)), expected)


def test_truncation_draws_towards_the_mean(small: Networks) -> None:
    mapping, mean = small[0], find_mean_style(small[0])
    torch.testing.assert_close(draw_styles(mapping, mean, 0, [1], (0.0, 0.0))[0], mean)
    whole, half = (draw_styles(mapping, mean, 0, [1], (psi, psi)) for psi in (1.0, 0.5))
    torch.testing.assert_close(half, (mean + whole) / 2)


def test_every_size_is_the_largest_averaged(small: Networks) -> None:
    styles = draw_styles(small[0], find_mean_style(small[0]), 0, range(3), (1.0, 1.0))
    largest = paint(small[1], styles, 128)
    assert sizes(small[1]) == (32, 64, 128)
    for size in sizes(small[1]):
        torch.testing.assert_close(paint(small[1], styles, size), F.avg_pool2d(largest, 128 // size))


@pytest.mark.parametrize("size", [0, 16, 33, 48, 256])
def test_other_sizes_are_refused(small: Networks, size: int) -> None:
    with pytest.raises(UsageError, match="choose one of 32, 64, 128"):
        paint(small[1], torch.zeros(1, 12), size)


def test_pictures_come_one_by_one_and_again_the_same(small: Networks) -> None:
    mean = find_mean_style(small[0])
    drawn = draw_pictures(*small, mean, seed=1, indices=[0, 5, 9], psi=(0.7, 1.0), size=32)
    first = next(drawn)
    found = dict([first, *drawn])
    assert first[0] == 0
    assert list(found) == [0, 5, 9]
    assert {(picture.mode, picture.size) for picture in found.values()} == {("RGB", (32, 32))}
    ((_, again),) = draw_pictures(*small, mean, seed=1, indices=[9], psi=(0.7, 1.0), size=32)
    assert again.tobytes() == found[9].tobytes()


def test_the_wheels_sizes_agree(portraits: Networks) -> None:
    styles = draw_styles(portraits[0], find_mean_style(portraits[0]), 0, [0], (1.0, 1.0))
    picture = paint(portraits[1], styles, 128)
    torch.testing.assert_close(picture, F.avg_pool2d(paint(portraits[1], styles, 1024), 8), rtol=0, atol=1e-4)
    assert sizes(portraits[1]) == (32, 64, 128, 256, 512, 1024)


def test_other_seeds_give_other_people(portraits: Networks) -> None:
    mean = find_mean_style(portraits[0])

    def face(seed: int) -> torch.Tensor:
        ((_, picture),) = draw_pictures(*portraits, mean, seed=seed, indices=[0], psi=(0.7, 1.0), size=64)
        return to_tensor(picture)

    one, two = face(1), face(2)
    assert (one - two).abs().mean() > 0.05
    assert torch.equal(face(1), one)
