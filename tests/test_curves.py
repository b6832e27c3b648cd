"""Pareto fronts, Bjøntegaard rates and clipping."""

import pytest

from invcomp.lab.curves import at_bytes, bjontegaard_rate, clip, curve, level_at_end, pareto_front
from invcomp.lab.results import Metric, Result

PSNR = Metric("psnr", "PSNR, dB", True)
LPIPS = Metric("lpips", "LPIPS", False)
SIZES = [50.0, 100.0, 200.0, 400.0, 800.0]


def line(factor: float = 1.0, offset: float = 0.0) -> list[tuple[float, float]]:
    return [(size * factor, 20 + 3 * n + offset) for n, size in enumerate(SIZES)]


def test_the_front_leaves_out_what_is_beaten() -> None:
    points = [(100, 20.0), (50, 18.0), (120, 19.0), (100, 21.0), (200, 25.0)]
    assert pareto_front(points, True) == [1, 3, 4]
    assert pareto_front([(b, -v) for b, v in points], False) == [1, 3, 4]


def test_results_without_the_metric_are_no_points() -> None:
    results = [Result("a", "", [], {"bytes": 10, "psnr": 20}), Result("a", "", [], {"bytes": 20})]
    assert curve(results, PSNR) == [(10, 20)]


@pytest.mark.parametrize(("factor", "percent"), [(1.0, 0.0), (0.5, -50.0), (2.0, 100.0)])
def test_a_known_factor_of_bytes_is_found(factor: float, percent: float) -> None:
    rate = bjontegaard_rate("ours", line(factor), "theirs", line(), PSNR)
    assert rate.percent == pytest.approx(percent, abs=0.01)
    assert "100% of the shorter curve" in rate.remark


def test_distances_fall_with_bytes() -> None:
    theirs = [(size, 0.4 / (n + 1)) for n, size in enumerate(SIZES)]
    ours = [(size * 0.75, value) for size, value in theirs]
    assert bjontegaard_rate("ours", ours, "theirs", theirs, LPIPS).percent == pytest.approx(-25, abs=0.01)


def test_curves_that_do_not_meet_are_undefined_not_extrapolated() -> None:
    apart = bjontegaard_rate("ours", line(offset=40), "theirs", line(), PSNR)
    assert apart.percent is None
    assert "ours is better throughout" in apart.remark
    little = bjontegaard_rate("ours", line(offset=9), "theirs", line(), PSNR)
    assert little.percent is None
    assert "25%" in little.remark
    few = bjontegaard_rate("ours", line()[:3], "theirs", line(), PSNR)
    assert few.percent is None
    assert "3 points" in few.remark


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    bjontegaard_rate("ours", line(), "theirs", line(), PSNR)
    assert capsys.readouterr() == ("", "")


def test_clipping_interpolates_the_ends() -> None:
    clipped = clip(line(), 100, 282.8427)
    assert [round(b) for b, _ in clipped] == [100, 200, 283]
    assert clipped[-1][1] == pytest.approx(27.5, abs=1e-3)
    assert clip(line(), 900, 1000) == []


def test_no_value_outside_a_curve() -> None:
    assert at_bytes(line(), 100) == pytest.approx(23)
    assert at_bytes(line(), 49) is None
    assert at_bytes(line(), 801) is None


def test_a_best_value_is_read_off_up_to_the_largest_size() -> None:
    share = Metric("share", "same person", True)
    found = [(50.0, 0.25), (150.0, 1.0), (240.0, 1.0), (600.0, 1.0)]
    results = [Result("a", "", [], {"bytes": size, "share": value}) for size, value in found]
    assert curve(results, share) == found[:2]
    assert level_at_end(results, share) == [*found[:2], found[-1]]
    assert at_bytes(level_at_end(results, share), 200) == 1
    assert at_bytes(level_at_end(results, share), 601) is None
    assert level_at_end(results[:2], share) == found[:2]
    assert level_at_end([], share) == []
