"""Contexts: whole numbers, nothing that is not decoded yet, the same in the search as in the coder."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invcomp.entropy import chain, coder
from invcomp.entropy.chain import Symbols
from invcomp.entropy.fitting import fit, fit_contexts, histogram
from invcomp.entropy.tables import LevelTables
from invcomp.errors import FormatError
from invcomp.inversion.rate import CodeLengths

SHAPES = [(3, 2, 3), (2, 4, 6), (2, 8, 12)]
BOUND = 4


def fields(n: int, seed: int, rates: int = 2) -> list[Symbols]:
    """Symbols (N, C, H, W) by rate index and level: smooth fields whose spread differs from region to region."""
    rng = np.random.default_rng(seed)
    found = []
    for rate in range(rates):
        spread = rng.gamma(0.7, 1.0 + rate, size=(n, 1, 1, 1))
        levels = []
        for channels, height, width in SHAPES:
            noise = rng.normal(size=(n, channels, height + 1, width + 1))
            smooth = noise[..., 1:, 1:] + 0.8 * noise[..., :-1, 1:] + 0.8 * noise[..., 1:, :-1]
            levels.append(np.clip(np.round(spread * smooth), -BOUND, BOUND).astype(np.int32))
        found.append(levels)
    return found


def plain_tables(symbols: list[Symbols]) -> list[LevelTables]:
    return [
        fit(np.stack([histogram(rate[level], BOUND, aligned=True) for rate in symbols]), bank=8)
        for level in range(len(SHAPES))
    ]


@pytest.fixture(scope="module")
def training() -> list[Symbols]:
    return fields(300, 0)


@pytest.fixture(scope="module")
def plain(training: list[Symbols]) -> list[LevelTables]:
    return plain_tables(training)


@pytest.fixture(scope="module")
def tables(plain: list[LevelTables], training: list[Symbols]) -> list[LevelTables]:
    return fit_contexts(plain, training)


def one(symbols: list[Symbols], rate: int, picture: int) -> Symbols:
    return [level[picture] for level in symbols[rate]]


def mean_bits(tables: list[LevelTables], symbols: list[Symbols], rate: int) -> float:
    return float(
        np.mean([sum(chain.ideal_bits(tables, one(symbols, rate, n), rate)) for n in range(len(symbols[0][0]))])
    )


def test_fitted_contexts_fit_together(tables: list[LevelTables]) -> None:
    coarser = 0
    for table in tables:
        assert table.problem(coarser) is None
        coarser = table.index.shape[1]


def test_contexts_save_what_neighbours_tell(
    plain: list[LevelTables], tables: list[LevelTables], training: list[Symbols]
) -> None:
    others = fields(100, 1)
    for rate in range(2):
        assert mean_bits(tables, others, rate) < 0.85 * mean_bits(plain, others, rate)


def test_contexts_cost_next_to_nothing_where_neighbours_tell_nothing() -> None:
    rng = np.random.default_rng(2)

    def independent(n: int) -> list[Symbols]:
        return [
            [np.clip(np.round(rng.laplace(scale=0.7, size=(n, *s))), -BOUND, BOUND).astype(np.int32) for s in SHAPES]
        ]

    training, others = independent(300), independent(100)
    without = plain_tables(training)
    assert mean_bits(fit_contexts(without, training), others, 0) < 1.005 * mean_bits(without, others, 0)


@given(seed=st.integers(0, 1000), rate=st.integers(0, 1), coded=st.tuples(*[st.booleans()] * 3))
@settings(max_examples=30, deadline=None)
def test_what_is_encoded_is_decoded(
    tables: list[LevelTables], seed: int, rate: int, coded: tuple[bool, bool, bool]
) -> None:
    symbols = [level * present for level, present in zip(one(fields(1, seed), rate, 0), coded, strict=True)]
    bits = [b * present for b, present in zip(chain.ideal_bits(tables, symbols, rate), coded, strict=True)]
    payload = coder.encode(tables, symbols, rate, coded)[0]
    assert len(payload.data) <= sum(bits) / 8 + 0.8
    for found, level in zip(coder.decode(tables, payload, SHAPES, rate, coded), symbols, strict=True):
        assert np.array_equal(found, level)


def test_any_bytes_give_symbols_within_the_bounds(tables: list[LevelTables]) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        payload = coder.Payload(rng.bytes(int(rng.integers(0, 60))), int(rng.integers(0, 4)))
        try:
            symbols = coder.decode(tables, payload, SHAPES, 1, [True] * 3)
        except FormatError:
            continue
        for level, shape in zip(symbols, SHAPES, strict=True):
            assert level.shape == shape
            assert np.abs(level).max() <= BOUND


def test_a_table_depends_on_nothing_that_comes_later(tables: list[LevelTables]) -> None:
    symbols = one(fields(1, 4), 1, 0)
    before = chain.rows(tables, symbols, 1)
    for level, shape in enumerate(SHAPES):
        order = chain.in_order(tables[level], np.arange(np.prod(shape)).reshape(shape))
        for at in (0, len(order) // 2, len(order) - 1):
            changed = [x.copy() for x in symbols]
            changed[level].flat[order[at]] = BOUND if changed[level].flat[order[at]] <= 0 else -BOUND
            after = chain.rows(tables, changed, 1)
            for coarser in range(level):
                assert np.array_equal(after[coarser], before[coarser])
            assert np.array_equal(after[level].ravel()[order[: at + 1]], before[level].ravel()[order[: at + 1]])


def test_the_search_sees_the_tables_of_the_coder(tables: list[LevelTables]) -> None:
    symbols = fields(5, 5)[0]
    found = CodeLengths(tables, [0] * 5, SHAPES).tables([torch.from_numpy(level).float() + 0.3 for level in symbols])
    for picture in range(5):
        for level, rows in enumerate(chain.rows(tables, [level[picture] for level in symbols], 0)):
            assert np.array_equal(found[level][picture].numpy(), rows)


def test_drawn_symbols_resemble_those_the_tables_were_fitted_to(
    plain: list[LevelTables], tables: list[LevelTables], training: list[Symbols]
) -> None:
    drawn, alone = (chain.draw(kind, 1, 200, SHAPES, seed=0)[2] for kind in (tables, plain))

    def likeness(level: np.ndarray) -> float:
        """Correlation of horizontal neighbours."""
        return float(np.corrcoef(level[..., 1:].ravel(), level[..., :-1].ravel())[0, 1])

    real = training[1][2]
    assert likeness(real) > 0.3
    assert abs(likeness(alone)) < 0.03
    assert likeness(drawn) > 0.5 * likeness(real)
    assert np.abs(drawn).mean() == pytest.approx(np.abs(real).mean(), rel=0.1)


def test_levels_that_are_kept_stay(tables: list[LevelTables]) -> None:
    kept = [level.astype(np.int64) for level in fields(4, 6)[0][:2]]
    drawn = chain.draw(tables, 0, 4, SHAPES, seed=1, kept=kept)
    for level, found in zip(kept, drawn, strict=False):
        assert np.array_equal(level, found)
    assert drawn[2].any()


def test_damaged_contexts_are_noticed(tables: list[LevelTables]) -> None:
    table, context = tables[1], tables[1].context
    assert context is not None
    ahead = context.activity.copy()
    ahead[0, 0, 1] = 1
    heavy = np.full_like(context.activity, 32767)
    heavy[:, 0] = 0
    for damage, words in (
        ({"activity": ahead}, "not decoded yet"),
        ({"activity": heavy}, "too large"),
        ({"lean_bounds": context.lean_bounds[::-1]}, "out of order"),
        ({"scale": context.scale[:-1]}, "wrong shape"),
        ({"activity_bounds": context.activity_bounds[:-1]}, "context"),
    ):
        found = replace(table, context=replace(context, **damage)).problem(SHAPES[0][0])
        assert found is not None
        assert words in found
