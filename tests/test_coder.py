"""Range coding with integer tables, against an independent implementation in whole numbers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from invcomp.entropy import coder
from invcomp.entropy.chain import Symbols, ideal_bits
from invcomp.entropy.fitting import fit
from invcomp.entropy.tables import LevelTables, integer_frequencies
from invcomp.errors import FormatError

SHAPES = [(3, 2, 2), (2, 4, 4), (1, 8, 8)]
PRECISION = 24


def some_tables(seed: int = 0, rates: int = 2) -> list[LevelTables]:
    rng = np.random.default_rng(seed)
    tables = []
    for level, shape in enumerate(SHAPES):
        weights = rng.random((5, 2 * (level + 2) + 1)) ** 4 + 1e-6
        tables.append(
            LevelTables(integer_frequencies(weights), rng.integers(0, 5, size=(rates, *shape), dtype=np.uint8))
        )
    return tables


def some_symbols(tables: list[LevelTables], seed: int) -> Symbols:
    rng = np.random.default_rng(seed)
    return [
        rng.integers(-table.bound, table.bound + 1, size=shape).astype(np.int32)
        for table, shape in zip(tables, SHAPES, strict=True)
    ]


def same(left: Symbols, right: Symbols) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def reference_decode(tables: list[LevelTables], payload: coder.Payload, rate: int) -> Symbols:
    """The format in whole numbers: a range decoder with 32-bit words, a 64-bit state and 24-bit probabilities."""
    endless = payload.data + bytes([payload.tail << 6]) + bytes(399 - len(payload.data))
    words = iter(np.frombuffer(endless, dtype=">u4").tolist())

    def word() -> int:
        return next(words)

    lower, span, point = 0, (1 << 64) - 1, word() << 32 | word()
    symbols = []
    for table, shape in zip(tables, SHAPES, strict=True):
        found = []
        count = table.cumulative.shape[1]
        for row in table.chosen(rate, shape).ravel():
            starts = [int(c) * ((1 << PRECISION) - count) // (1 << 16) + i for i, c in enumerate(table.cumulative[row])]
            ends = [*starts[1:], 1 << PRECISION]
            scale = span >> PRECISION
            quantile = ((point - lower) % (1 << 64)) // scale
            symbol = next(i for i, end in enumerate(ends) if quantile < end)
            lower = (lower + scale * starts[symbol]) % (1 << 64)
            span = scale * (ends[symbol] - starts[symbol])
            if span < 1 << 32:
                lower, span, point = (lower << 32) % (1 << 64), span << 32, (point << 32 | word()) % (1 << 64)
            found.append(symbol - table.bound)
        symbols.append(np.array(found, dtype=np.int32).reshape(shape))
    return symbols


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_symbols_survive_and_cost_at_most_a_byte_more_than_ideal(seed: int) -> None:
    tables = some_tables(seed)
    symbols = some_symbols(tables, seed + 1)
    payload = coder.encode(tables, symbols, 1, [True] * 3)[0]
    assert same(coder.decode(tables, payload, SHAPES, 1, [True] * 3), symbols)
    assert len(payload.data) <= sum(ideal_bits(tables, symbols, 1)) / 8 + 0.8


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_an_independent_integer_decoder_reads_the_same_symbols(seed: int) -> None:
    tables = some_tables(seed)
    symbols = some_symbols(tables, seed + 1)
    for payload in coder.encode(tables, symbols, 0, [True] * 3):
        assert same(reference_decode(tables, payload, 0), symbols)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 3))
def test_any_payload_decodes_to_symbols_within_the_bounds_or_is_refused(payload: bytes, tail: int) -> None:
    tables = some_tables()
    try:
        symbols = coder.decode(tables, coder.Payload(payload, tail), SHAPES, 0, [True] * 3)
    except FormatError:
        return
    for table, level in zip(tables, symbols, strict=True):
        assert np.abs(level).max() <= table.bound


def test_payloads_do_not_change_with_versions_of_the_coder() -> None:
    tables = some_tables(0)
    payload = coder.encode(tables, some_symbols(tables, 1), 1, [True, True, True])[0].data
    assert payload.hex() == (
        "78125e9f032271388ae94822a2798841acc71b32db88728556c47186fa1d67e82edd2271e827"
        "828b44368da1de5206a9a5a27c7f8f5f833341cdaa2bf5d3167d3e73dfdc1b8082f67ecaa28e94"
    )


def test_levels_that_are_not_coded_cost_nothing_and_come_back_as_zero() -> None:
    tables = some_tables()
    symbols = some_symbols(tables, 3)
    symbols[2][:] = 0
    payload = coder.encode(tables, symbols, 0, [True, True, False])[0]
    assert len(payload.data) < len(coder.encode(tables, symbols, 0, [True] * 3)[0].data)
    assert same(coder.decode(tables, payload, SHAPES, 0, [True, True, False]), symbols)


def test_fitted_tables_come_close_to_the_entropy() -> None:
    rng = np.random.default_rng(0)
    scales = np.exp(rng.normal(size=(1, 6, 4, 4, 1)))
    symbols = np.clip(np.round(rng.laplace(scale=scales, size=(1, 6, 4, 4, 2000))), -8, 8).astype(int) + 8
    counts = np.stack([(symbols == value).sum(axis=-1) for value in range(17)], axis=-1)
    table = fit(counts)
    spent = (counts * table.lengths()[table.index]).sum()
    shares = counts / counts.sum(axis=-1, keepdims=True)
    entropy = -(counts * np.log2(np.where(shares > 0, shares, 1))).sum()
    assert entropy <= spent <= 1.02 * entropy


def test_what_is_always_zero_costs_next_to_nothing() -> None:
    """Thousands of symbols at the finest level are zero at small sizes: together they may take a byte, not ten."""
    histograms = np.zeros((1, 1, 2, 2, 21), dtype=np.int64)
    histograms[..., 10] = 2000
    tables = fit(histograms)
    zero = ideal_bits([tables], [np.zeros((1, 2, 2), dtype=np.int32)], rate=0)[0] / 4
    assert 8192 * zero < 16
    assert tables.lengths().max() <= 16


def test_frequencies_are_positive_and_sum_to_sixteen_bits() -> None:
    table = fit(np.zeros((2, 3, 4, 4, 9), dtype=np.int64))
    assert (table.frequencies() >= 1).all()
    assert (table.frequencies().sum(axis=1) == 1 << 16).all()
    assert table.problem() is None
