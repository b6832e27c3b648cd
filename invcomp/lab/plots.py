"""What the lab draws: rate–distortion curves and marginal effects, as SVG text for a page."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from invcomp.lab.curves import pareto_front
from invcomp.lab.results import Effect, Metric, Result
from invcomp.svg import BOTTOM, INK, STYLE, TOP, WIDTH, canvas, text_of, text_width

HEIGHT = 280
LEFT = 42  # of the axes of a curve, for its ticks
PITCH = 15  # between two lines of text
SAMPLE = 26  # a piece of a line and the gap to the name after it

# After Okabe and Ito, for colour-blind readers; changed in lightness to be seen on white and on black.
FIRST_COLOUR = "#D55E00"
COLOURS = ("#1C82C4", "#009E73", "#CC79A7", "#B98500", "#808080")
MARKERS = ("s", "^", "D", "v", "P", "X", "<", ">", "p")
DASHES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)))
BETTER, WORSE = "#1C82C4", "#D55E00"


@dataclass(frozen=True)
class Look:
    """How a codec is drawn, the same in every plot."""

    colour: str
    marker: str
    dashes: Any = "-"
    line_width: float = 1.3
    marker_size: float = 4.0


def looks(results: Sequence[Result], first_codec: str) -> dict[str, Look]:
    """The look of every codec in `results` by order of appearance; `first_codec` is thick and has its own colour."""
    others = [codec for codec in dict.fromkeys(result.codec for result in results) if codec != first_codec]
    found = {first_codec: Look(FIRST_COLOUR, "o", line_width=2.8, marker_size=5.5)}
    for index, codec in enumerate(others):
        dashes = DASHES[index // len(COLOURS) % len(DASHES)]
        found[codec] = Look(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], dashes)
    return found


def has_values(results: Sequence[Result], metric: Metric) -> bool:
    """Whether `rate_distortion` has a point to draw."""
    return any(math.isfinite(result.mean.get(metric.key, math.nan)) for result in results)


def rate_distortion(results: Sequence[Result], metric: Metric, first_codec: str) -> str:
    """`metric` against mean bytes (log axis) as SVG: a line through every codec's Pareto front, other settings faint.

    Infinite and missing values are left out. Raises `ValueError` if nothing is left.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        value = result.mean.get(metric.key, math.nan)
        if math.isfinite(value):
            points.setdefault(result.codec, []).append((result.mean["bytes"], value))
    if not points:
        raise ValueError(f"no result has a finite {metric.key}")
    every_look = looks(results, first_codec)
    with matplotlib.rc_context(STYLE):
        names_width = max(text_width(codec, weight="bold") for codec in points)
        beside = names_width <= WIDTH / 3
        names_height = PITCH * sum(1 if beside else _wrapped(codec).count("\n") + 1 for codec in points)
        height = max(HEIGHT, TOP + BOTTOM + names_height) if beside else HEIGHT + names_height
        right, below = (names_width + SAMPLE + 8, 0) if beside else (12, names_height)
        figure, axes = canvas(metric.label, _direction(metric), height, LEFT, right, below)
        axes.set_xscale("log")
        axes.margins(0.05, 0.07)
        ends = {}
        for codec, pairs in points.items():
            front = pareto_front(pairs, metric.higher_is_better)
            rest = [pair for index, pair in enumerate(pairs) if index not in front]
            _curve(axes, [pairs[index] for index in front], rest, every_look[codec], in_front=codec == first_codec)
            ends[codec] = pairs[front[-1]][1]
        _byte_ticks(axes)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel("mean bytes of a file")
        axes.grid(True)
        _names(axes, _beside(axes, ends) if beside else _below(ends), every_look, first_codec)
        description = f"{metric.label} against mean bytes for {', '.join(points)}; {_direction(metric)}"
        return text_of(figure, f"rate-distortion {metric.key}", description)


def effects(effects: Sequence[Effect], metric: Metric) -> str:
    """Marginal effects on `metric` as SVG: a dot and its 95 % interval for every value, grouped by factor.

    A group begins with the value that the others are compared with. Blue is better, orange worse, grey an interval that
    has zero in it. Raises `ValueError` if no effect is on `metric`.
    """
    factors: dict[str, list[Effect]] = {}
    for effect in effects:
        if effect.metric == metric.key:
            factors.setdefault(effect.factor, []).append(effect)
    if not factors:
        raise ValueError(f"no effect on {metric.key}")
    rows: list[tuple[str, bool, Effect | None]] = []  # text, whether it heads a group, effect
    for factor, group in factors.items():
        rows += [(factor, True, None), (f"{group[0].reference} (reference)", False, None)]
        rows += [(effect.value, False, effect) for effect in group]
    texts = [textwrap.fill(text, 22) for text, _, _ in rows]
    extents = [PITCH * (text.count("\n") + 1.6) for text in texts]
    with matplotlib.rc_context(STYLE):
        subtitle = f"difference to the reference; {_direction(metric)}"
        figure, axes = canvas(metric.label, subtitle, TOP + BOTTOM + sum(extents), left=154, right=14)
        axes.set_ylim(sum(extents), 0)
        axes.set_yticks([])
        top = 0.0
        for (_, head, found), text, extent in zip(rows, texts, extents, strict=True):
            middle = top + extent / 2
            place: dict[str, Any] = {"xycoords": ("figure points", "data"), "va": "center"}
            axes.annotate(text, (0 if head else 10, middle), weight="bold" if head else "normal", **place)
            if not head:
                _interval(axes, found, metric, middle)
            top += extent
        axes.axvline(0, color=INK, linewidth=1, alpha=0.6, zorder=2)
        axes.margins(x=0.08)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:+.4g}".replace("-", "−") if x else "0"))
        axes.grid(True, axis="x")
        description = f"effects of {', '.join(factors)} on {metric.label}, with 95 % intervals; {_direction(metric)}"
        return text_of(figure, f"effects {metric.key}", description)


def _direction(metric: Metric) -> str:
    return "higher is better" if metric.higher_is_better else "lower is better"


def _curve(
    axes: Axes, front: list[tuple[float, float]], rest: list[tuple[float, float]], look: Look, in_front: bool
) -> None:
    order = 10 if in_front else 3
    shape: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markeredgewidth": 0}
    line: dict[str, Any] = {"linewidth": look.line_width, "linestyle": look.dashes, "markersize": look.marker_size}
    axes.plot(*zip(*front, strict=True), zorder=order, **shape, **line)
    if rest:
        axes.plot(*zip(*rest, strict=True), zorder=2, **shape, linestyle="none", markersize=3, alpha=0.4)


def _byte_ticks(axes: Axes) -> None:
    """Ticks at 1, 2 and 5 times powers of ten as plain numbers; at others where the axis is shorter than that."""
    low, high = axes.get_xlim()
    ticks = [step * 10.0**power for power in range(9) for step in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    if len(ticks) > 7:
        ticks = [tick for tick in ticks if f"{tick:.0f}"[0] == "1"]
    elif len(ticks) < 3:
        ticks = [tick for tick in MaxNLocator(4, integer=True).tick_values(low, high) if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))


def _beside(axes: Axes, ends: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Places right of the axes, each as near to the height of its curve's end as the others allow."""
    extent = axes.get_window_extent()
    low, high = axes.get_ylim()
    wanted = sorted((extent.height * (value - low) / (high - low), codec) for codec, value in ends.items())
    heights: list[float] = []
    for height, _ in wanted:
        heights.append(max(height, heights[-1] + PITCH if heights else PITCH / 2))
    for index in range(len(heights) - 1, -1, -1):  # what was pushed out at the top comes back
        limit = heights[index + 1] - PITCH if index + 1 < len(heights) else extent.height
        heights[index] = min(heights[index], limit)
    return {codec: (extent.width + 8, height) for height, (_, codec) in zip(heights, wanted, strict=True)}


def _below(ends: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Places below the axes, in the order in which the curves end."""
    places: dict[str, tuple[float, float]] = {}
    top = float(-BOTTOM)
    for codec in sorted(ends, key=lambda codec: -ends[codec]):
        extent = PITCH * (_wrapped(codec).count("\n") + 1)
        places[codec] = (-LEFT, top - extent / 2)
        top -= extent
    return places


def _wrapped(name: str) -> str:
    """A codec's name in lines as long as a plot is wide."""
    return textwrap.fill(name, 48)


def _names(axes: Axes, places: dict[str, tuple[float, float]], every_look: dict[str, Look], first_codec: str) -> None:
    """Every codec's name with a piece of its line, at a place in SVG units from the axes' lower left corner."""
    extent = axes.get_window_extent()
    for codec, (left, height) in places.items():
        look = every_look[codec]
        x, y, sample = left / extent.width, height / extent.height, 18 / extent.width
        shape: dict[str, Any] = {"color": look.colour, "transform": axes.transAxes, "clip_on": False}
        axes.plot([x, x + sample], [y, y], linewidth=look.line_width, linestyle=look.dashes, **shape)
        axes.plot([x + sample / 2], [y], look.marker, markersize=look.marker_size, markeredgewidth=0, **shape)
        weight = "bold" if codec == first_codec else "normal"
        axes.annotate(
            _wrapped(codec), (x + sample, y), (5, 0), "axes fraction", "offset points", va="center", weight=weight
        )


def _interval(axes: Axes, effect: Effect | None, metric: Metric, y: float) -> None:
    """An effect's dot and interval; a ring at zero for the reference."""
    if effect is None:
        axes.plot(0, y, "o", color=INK, markersize=6, markerfacecolor="none", alpha=0.55, zorder=4)
        return
    sure = effect.low > 0 or effect.high < 0
    better = (effect.difference > 0) == metric.higher_is_better
    colour = (BETTER if better else WORSE) if sure else INK
    opacity = 1 if sure else 0.55
    axes.plot([effect.low, effect.high], [y, y], color=colour, linewidth=2, alpha=opacity, zorder=3)
    axes.plot(effect.difference, y, "o", color=colour, markersize=6, markeredgewidth=0, alpha=opacity, zorder=4)
