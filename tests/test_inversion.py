"""The search: never worse than its start, the same for the same seed, better with more steps."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from invcomp.batch import Compressed
from invcomp.codec import Codec
from invcomp.entropy.chain import Symbols, ideal_bits
from invcomp.errors import UsageError
from invcomp.inversion.losses import build_loss
from invcomp.inversion.optimise import Search
from invcomp.inversion.polish import sensitivities
from invcomp.inversion.rate import CodeLengths
from invcomp.inversion.relaxations import RELAXATIONS
from invcomp.inversion.schedules import SCHEDULES, Schedule
from invcomp.inversion.starts import schedule_for

LOSS = "100*mse"
SLOW = pytest.mark.slow


@pytest.mark.parametrize("relaxation", RELAXATIONS)
@pytest.mark.parametrize("quality", [pytest.param(0, marks=SLOW), 50, pytest.param(100, marks=SLOW)])
def test_no_picture_ends_worse_than_it_started(
    tiny: Codec, held_out: list[Image.Image], relaxation: str, quality: float
) -> None:
    for loss in (LOSS, "1*l1", "critic"):
        for result in tiny.compress_batch(held_out, quality=quality, steps=20, relaxation=relaxation, loss=loss):
            assert result.objective <= result.start_objective


def test_the_search_lowers_the_objective(tiny: Codec, held_out: list[Image.Image]) -> None:
    results = tiny.compress_batch(held_out, steps=60, loss=LOSS)
    assert np.mean([r.objective for r in results]) < 0.97 * np.mean([r.start_objective for r in results])


def test_the_objective_is_that_of_the_decoded_file(tiny: Codec, held_out: list[Image.Image]) -> None:
    """lambda * bits + distortion, computed again from the file alone."""
    for image, result in zip(held_out, tiny.compress_batch(held_out, steps=10, loss=LOSS), strict=True):
        _, symbols = tiny.read(result.data)
        assert sum(ideal_bits(tiny.prior.tables, symbols, result.rate)) == pytest.approx(result.ideal_bits)
        painted = tiny.paint([symbols], [result.rate])[0]
        distortion = 100 * float((painted - tiny.to_coded(image)).square().mean())
        assert distortion == pytest.approx(result.distortion, rel=1e-3)
        weight = tiny.rate_weight(LOSS, 36 / 100 * (tiny.prior.arch.rates - 1))
        assert result.objective == pytest.approx(weight * result.ideal_bits + distortion, rel=1e-3)


def test_the_same_seed_gives_the_same_file(tiny: Codec, held_out: list[Image.Image]) -> None:
    def compress(seed: int) -> bytes:
        return tiny.compress(held_out[0], steps=12, relaxation="uniform-noise", seed=seed, loss=LOSS)

    assert compress(1) == compress(1)


def test_more_quality_gives_larger_and_better_files(tiny: Codec, held_out: list[Image.Image]) -> None:
    found = [tiny.compress_batch(held_out, quality=q, steps=10, loss=LOSS) for q in (0, 50, 100)]
    sizes = [np.mean([r.bytes for r in results]) for results in found]
    distortions = [np.mean([r.distortion for r in results]) for results in found]
    assert sizes[0] < sizes[1] < sizes[2]
    assert distortions[0] > distortions[1] > distortions[2]


def test_code_lengths_are_those_of_the_tables_at_whole_numbers(tiny: Codec) -> None:
    shapes = tiny.prior.arch.latent_shapes(32, 32)
    lengths = CodeLengths(tiny.prior.tables, [2], shapes)
    rng = np.random.default_rng(0)
    symbols = [
        rng.integers(-table.bound, table.bound + 1, size=shape).astype(np.int32)
        for table, shape in zip(tiny.prior.tables, shapes, strict=True)
    ]
    values = [torch.from_numpy(level)[None].float() for level in symbols]
    rows = lengths.tables(values)
    bits = [float(lengths.bits(level, values[level], rows[level]).sum()) for level in range(len(values))]
    assert bits == pytest.approx(ideal_bits(tiny.prior.tables, symbols, 2), rel=1e-5)


def test_the_rate_pulls_to_zero_from_both_sides(tiny: Codec) -> None:
    shapes = tiny.prior.arch.latent_shapes(32, 32)
    lengths = CodeLengths(tiny.prior.tables, [0], shapes)
    for start in (0.3, -0.3):
        values = [torch.full((1, *shape), start, requires_grad=True) for shape in shapes]
        rows = lengths.tables(values)[-1]
        (gradient,) = torch.autograd.grad(lengths.bits(len(shapes) - 1, values[-1], rows).sum(), values[-1])
        assert (gradient.sign() == np.sign(start)).float().mean() > 0.95


def test_polish_goes_on_until_no_single_move_pays_and_can_be_left_out(tiny: Codec, held_out: list[Image.Image]) -> None:
    options = {"steps": 8, "loss": LOSS, "quality": 40}
    without, some, settled = (tiny.compress_batch(held_out[:2], **options, polish=p) for p in (False, None, True))
    for bare, shared, end in zip(without, some, settled, strict=True):
        assert end.objective < shared.objective
        assert end.objective < bare.objective
    # nothing that a single symbol could do helps any more, but for one in a hundred that chance has left out
    image, end = held_out[0], settled[0]
    _, symbols = tiny.read(end.data)
    search, values = one_search(tiny, image, end, symbols)
    here = search.judge(values).objective
    rng, pays = np.random.default_rng(0), 0
    for _ in range(100):
        level = int(rng.integers(len(values)))
        moved = [v.clone() for v in values]
        at = int(rng.integers(moved[level].numel()))
        moved[level].view(-1)[at] += float(rng.choice([-1, 1]))
        if (moved[level].abs() <= search.lengths.limits[level]).all():
            pays += bool(search.judge(moved).objective < here - 1e-6)
    assert pays <= 2


def one_search(codec: Codec, image: Image.Image, result: Compressed, symbols: Symbols) -> tuple[Search, list[Tensor]]:
    """The search of one picture at the rate of its file, and the symbols of the file."""
    loss = build_loss(LOSS, lambda: pytest.fail("no critic is needed"), torch.device("cpu"))
    picture = codec.to_coded(image)[None]
    lengths = CodeLengths(codec.prior.tables, [result.rate], codec.prior.arch.latent_shapes(*picture.shape[2:]))
    position = 0.4 * (codec.prior.arch.rates - 1)
    weight = torch.tensor([codec.rate_weight(LOSS, position)])
    search = Search(codec.prior.generator, loss, lengths, picture, torch.tensor([float(result.rate)]), weight)
    return search, [torch.from_numpy(s)[None].float() for s in symbols]


def test_presets_differ_in_steps_and_what_is_told_comes_before_them() -> None:
    fast, default, best = (schedule_for(name, "encoder", True) for name in SCHEDULES)
    assert fast.steps < default.steps < best.steps
    assert best.settle
    told = schedule_for("best", "encoder", True, steps=7, relaxation="gumbel", polish=False)
    assert (told.steps, told.relaxation, told.settle, told.gradient_steps) == (7, "gumbel", False, 7)
    assert schedule_for("default", "mean", True).far
    assert schedule_for("default", "encoder", False).far


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": -1}, "0 or more"),
        ({"relaxation": "magic"}, "straight-through, uniform-noise"),
        ({"schedule": "magic"}, "fast, default, best"),
        ({"quality": 101}, "between 0 and 100"),
        ({"quality": float("nan")}, "between 0 and 100"),
        ({"batch_size": 0}, "1 or more"),
    ],
)
def test_wrong_arguments_are_refused(tiny: Codec, held_out: list[Image.Image], options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        tiny.compress_batch(held_out, **options)


def test_whole_moves_improve_on_gradient_steps(tiny: Codec, held_out: list[Image.Image]) -> None:
    prior, index = tiny.prior, 3
    pictures = torch.stack([tiny.to_coded(image) for image in held_out])
    rate = torch.full((len(pictures),), float(index))
    loss = build_loss(LOSS, lambda: prior.critic, torch.device("cpu"))
    lengths = CodeLengths(prior.tables, [index] * len(pictures), prior.arch.latent_shapes(32, 32))
    weight = torch.full((len(pictures),), tiny.rate_weight(LOSS, index))
    search = Search(prior.generator, loss, lengths, pictures, rate, weight)
    start, _ = prior.encoder(pictures, prior.generator, rate, lambda _, residual: residual.round())
    before = search.run(start, Schedule(steps=30, polish_share=0.0)).best
    after = search.run(start, Schedule(steps=80, polish_share=5 / 8)).best
    assert (after.objective <= before.objective + 1e-6).all()
    assert after.objective.mean() < 0.995 * before.objective.mean()
    again = search.judge(after.symbols)
    assert torch.allclose(again.objective, after.objective, rtol=1e-4)
    for level, symbols in enumerate(after.symbols):
        assert torch.equal(symbols, symbols.round())
        assert symbols.abs().max() <= lengths.bounds[level]


def test_sensitivities_are_the_diagonal_of_the_jacobian_squared() -> None:
    """For a linear generator the expected value is known; the probes come close on average."""
    matrix = torch.randn(3 * 8 * 8, 2 * 4 * 4, generator=torch.Generator().manual_seed(0))

    class Linear:
        rate = torch.zeros(1)

        @staticmethod
        def generator(levels: list[torch.Tensor], _rate: torch.Tensor) -> torch.Tensor:
            return (levels[0].flatten(1) @ matrix.T).view(1, 3, 8, 8)

    random = torch.Generator().manual_seed(1)
    found = [sensitivities(Linear, [torch.zeros(1, 2, 4, 4)], random)[0] for _ in range(200)]  # type: ignore[arg-type]
    expected = matrix.square().sum(dim=0)
    assert torch.stack(found).mean().item() == pytest.approx(expected.mean().item(), rel=0.05)
