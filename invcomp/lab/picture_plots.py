"""What the report of one picture draws: the course of its search, on axes of a page or of a sheet."""

import itertools
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from invcomp.lab.picture_report import PictureReport
from invcomp.lab.plots import COLOURS, FIRST_COLOUR, LEFT
from invcomp.svg import INK, STYLE, canvas, text_of

HEIGHT, LEGEND = 250, 34  # of a plot and of the names below it, in SVG units
LOGARITHMIC = 30.0  # ratio of the largest to the smallest value above which an axis is logarithmic
STEPS: dict[str, Any] = {"color": FIRST_COLOUR, "linewidth": 1.8, "label": "gradient steps"}
MOVES: dict[str, Any] = {"color": COLOURS[0], "linewidth": 1.8, "linestyle": (0, (5, 1.2)), "label": "whole moves"}
WRITTEN: dict[str, Any] = {"marker": "o", "markersize": 5, "linestyle": "none", "color": INK, "label": "the file"}


@dataclass(frozen=True)
class Panel:
    """One figure of the course against the steps."""

    key: str
    """A field of `Stretch`."""
    title: str
    subtitle: str


def panels(report: PictureReport) -> list[Panel]:
    """What there is to draw; nothing of a search without steps."""
    if not any(stretch.steps for stretch in report.course):
        return []
    found = [
        Panel("bits", "Bits", "of the symbols, ideal code length"),
        Panel("distortion", "Distortion", report.distortion),
    ]
    return [Panel("objective", "Objective", "lambda * bits + distortion"), *found] if report.weighed else found


def course(report: PictureReport, panel: Panel) -> str:
    """A panel as SVG."""
    with matplotlib.rc_context(STYLE):
        figure, axes = canvas(panel.title, panel.subtitle, HEIGHT + LEGEND, LEFT + 6, 12, LEGEND)
        draw(axes, report, panel)
        handles, labels = axes.get_legend_handles_labels()
        place = (-(LEFT + 6) / axes.get_window_extent().width, -44 / axes.get_window_extent().height)
        axes.legend(
            handles, labels, loc="upper left", bbox_to_anchor=place, ncols=4, frameon=False, borderaxespad=0,
            handlelength=1.6, handletextpad=0.5, columnspacing=1.1, borderpad=0.4,
        )  # fmt: skip
        first, last = getattr(report.course[0], panel.key)[0], getattr(report.course[-1], panel.key)[-1]
        text = f"{panel.title} of the best candidate so far against the steps, from {first:.4g} to {last:.4g}"
        return text_of(figure, f"course {panel.key}", text)


def draw(axes: Axes, report: PictureReport, panel: Panel) -> None:
    """The lines of a panel: one a search, with its moves; a gap and a rule between two of them."""
    named: set[str] = set()

    def line(xs: list[int], ys: tuple[float, ...], look: dict[str, Any]) -> None:
        label = "_" if look["label"] in named else look["label"]
        named.add(look["label"])
        axes.plot(xs, ys, **{**look, "label": label, "zorder": 3})

    values = [getattr(stretch, panel.key) for stretch in report.course]
    starts = [0, *itertools.accumulate(stretch.steps for stretch in report.course)]
    for stretch, ys, start in zip(report.course, values, starts, strict=False):
        xs, turn = list(range(start, start + len(ys))), stretch.gradient_steps
        if turn:
            line(xs[: turn + 1], ys[: turn + 1], STEPS)
        if stretch.steps > turn:
            line(xs[turn:], ys[turn:], MOVES)
        if start:
            axes.axvline(start, color=INK, linewidth=0.8, alpha=0.35, zorder=1)
    for stretch, ys, end in zip(report.course, values, starts[1:], strict=True):
        if stretch.written:
            axes.plot([end], ys[-1:], **WRITTEN, zorder=5, clip_on=False)
    every = list(itertools.chain(*values))
    if report.limit and report.limit[0] == panel.key:
        every.append(report.limit[1])
        axes.axhline(report.limit[1], color=INK, linewidth=1, linestyle=(0, (1, 1.5)), alpha=0.7, label="allowed")
    low, high = min(every), max(every)
    if low > 0 and high / low > LOGARITHMIC:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1000 else (1,)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.4g}" if y < 1000 else f"{y:,.0f}"))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=panel.key == "bits"))
        if high >= 1000:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
        else:
            axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlim(0, max(1, starts[-1]) * 1.02)
    axes.margins(y=0.08)
    axes.set_xlabel("steps")
    axes.grid(True)


def explanation(report: PictureReport) -> str:
    """What must be known to read the panels, besides what is true of all."""
    if len(report.course) > 1:
        return (
            "Searches with several lambdas come first, then rounds of moves towards what is asked, after each of which "
            "the decoded file is judged; a rule parts them."
        )
    if report.limit is not None:
        return (
            "What is over the bits that are allowed is cut back before the moves, or where there are none at the end."
        )
    return ""
