"""The report of one picture as one picture: original, decoded, difference, what levels add, their bytes, the course."""

import io
import warnings
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from invcomp.lab import picture_plots
from invcomp.lab.picture_report import PictureReport, Share, figure_text
from invcomp.lab.plots import FIRST_COLOUR
from invcomp.lab.report import number
from invcomp.svg import FAINT, SMALL, STYLE, text_width

WIDTH, DPI = 12.0, 100  # inches, and pixels an inch
MARGIN, GAP = 0.45, 0.2  # inches
HEADING, CAPTION, CHARTS = 1.1, 0.66, 3.9  # inches of what is below one another, besides the pictures
ABOVE, BELOW = 0.75, 0.9  # inches of the charts for their titles, and for ticks and the names of lines
TALLEST = 6.0  # inches of a picture: a narrow one is not made as wide as a third of the sheet
FEWEST = 5  # levels that a row has room for
SMALLEST = 0.75  # of the usual size of letters, below which a line is cut
OTHER = "#808080"  # of bars of what is no level


def sheet(report: PictureReport) -> bytes:
    """The bytes of a PNG file, 1200 pixels wide."""
    shape, columns = report.original.height / report.original.width, max(FEWEST, len(report.levels))
    views, steps = min(TALLEST, shape * column(3)), min(TALLEST / 2, shape * column(columns))
    pictures = [
        (report.original, "original", report.facts["picture"].split(";")[0]),
        (report.decoded, "decoded", ", ".join(figure_text(*figure) for figure in report.figures)),
        (report.difference, "difference", f"absolute, × {report.factor}; black is none"),
    ]
    levels = [
        (level.image, f"and {level.label}" if number else f"level {level.label}", f"{level.bytes:,.1f} bytes")
        for number, level in enumerate(report.levels)
        if level.image
    ]
    height = HEADING + views + steps + 2 * CAPTION + CHARTS
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters of a file's name that the font does not have
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
        heading(figure, report)
        strip(figure, pictures, height - HEADING, views, column(3))
        strip(figure, levels, CHARTS + CAPTION + steps, steps, column(columns))
        charts(figure, report)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def column(columns: int) -> float:
    """Inches that a picture is wide where there is room for so many."""
    return (WIDTH - 2 * MARGIN - GAP * (columns - 1)) / columns


def heading(figure: Figure, report: PictureReport) -> None:
    """Name, bytes and prior, and what was asked."""
    height = figure.get_figheight()
    lines: list[tuple[str, float, float, dict[str, Any]]] = [
        (report.title, 0.28, 17, {"weight": "bold"}),
        (f"{report.bytes:,} bytes with the prior {report.prior}", 0.62, 12, {}),
        (f"{report.facts['asked for']}; {report.facts['search']}", 0.86, SMALL, {"alpha": FAINT}),
    ]
    for line, down, size, wanted in lines:
        text, font = fitted(line, WIDTH - 2 * MARGIN, wanted, size)
        figure.text(MARGIN / WIDTH, 1 - down / height, text, va="center", **font)


def strip(figure: Figure, pictures: list[tuple[Image.Image, str, str]], top: float, tall: float, across: float) -> None:
    """Pictures side by side, with a name and a line below each: `tall` inches high, at most `across` wide, their upper
    edge `top` inches above the sheet's lower one."""
    whole = figure.get_figheight()
    for index, (image, name, text) in enumerate(pictures):
        wide = min(across, tall * image.width / image.height)
        left, bottom = MARGIN + index * (across + GAP), top - tall
        axes = figure.add_axes((left / WIDTH, bottom / whole, wide / WIDTH, tall / whole))
        axes.imshow(image, interpolation="lanczos", aspect="auto")
        axes.set_axis_off()
        lines: list[tuple[str, float, dict[str, Any]]] = [
            (name, 0.14, {"weight": "bold"}),
            (text, 0.32, {"alpha": FAINT}),
        ]
        for line, down, wanted in lines:
            fitting, font = fitted(line, across, wanted)
            figure.text(left / WIDTH, (bottom - down) / whole, fitting, va="center", **font)


def charts(figure: Figure, report: PictureReport) -> None:
    """At the lower edge bars of the bytes, then the panels of the course, in equal parts of the width; names below."""
    panels = picture_plots.panels(report)
    shares = [*report.levels, *report.rest]
    names = [f"{share.label}  ({share.resolution})" if share.resolution else share.label for share in shares]
    across, whole = (WIDTH - MARGIN) / (1 + max(1, len(panels))), figure.get_figheight()

    def part(index: int, left: float, title: str, subtitle: str) -> Axes:
        """Axes of one part of the width, `left` inches of it free for their names."""
        start, wide = MARGIN + index * across, across - left - 0.35
        tall = CHARTS - ABOVE - BELOW
        axes = figure.add_axes(((start + left) / WIDTH, BELOW / whole, wide / WIDTH, tall / whole))
        titled(axes, title, subtitle, left, across - 0.2)
        return axes

    left = max(text_width(name) for name in names) / 72 + 0.1
    bars(part(0, left, "Bytes per level", f"{report.bytes:,} in all"), shares, names)
    named: dict[str, Artist] = {}
    for index, panel in enumerate(panels):
        axes = part(index + 1, 0.55, panel.title, panel.subtitle)
        picture_plots.draw(axes, report, panel)
        handles, labels = axes.get_legend_handles_labels()
        named.update(zip(map(str, labels), handles, strict=True))
    if panels:
        place = ((MARGIN + across) / WIDTH, 0.15 / whole)
        look: dict[str, Any] = {"frameon": False, "borderaxespad": 0, "borderpad": 0, "ncols": len(named)}
        figure.legend(list(named.values()), list(named), loc="lower left", bbox_to_anchor=place, **look)
    else:
        text = "No step was made: the file is of the search's start."
        figure.text((MARGIN + across) / WIDTH, (CHARTS - 0.5) / whole, text, va="center", alpha=FAINT)


def fitted(text: str, width: float, font: dict[str, Any], size: float = SMALL) -> tuple[str, dict[str, Any]]:
    """A line of text and its font, smaller where it would be wider than `width` inches, and cut where too small."""
    scale = 72 * width / max(1.0, text_width(text, **{**font, "fontsize": size}))
    if scale < SMALLEST:
        text, scale = f"{text[: int(len(text) * scale / SMALLEST) - 1]}…", SMALLEST
    return text, {**font, "fontsize": size * min(1.0, scale)}


def titled(axes: Axes, title: str, subtitle: str, left: float, width: float) -> None:
    """Two lines of `width` inches at most above axes, beginning `left` inches left of them."""
    offset: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    text, font = fitted(subtitle, width, {"alpha": FAINT})
    axes.annotate(title, (0, 1), (-72 * left, 22), weight="bold", fontsize=12.5, **offset)
    axes.annotate(text, (0, 1), (-72 * left, 8), **offset, **font)


def bars(axes: Axes, shares: list[Share], names: list[str]) -> None:
    """A bar a share, the coarsest level on top."""
    values = [max(0.0, share.bytes) for share in shares]
    axes.barh(range(len(shares)), values, color=[FIRST_COLOUR if s.symbols else OTHER for s in shares], height=0.7)
    axes.set_yticks(range(len(shares)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.35 * max(1.0, *values))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    for row, share in enumerate(shares):
        axes.annotate(number(share.bytes, 1), (values[row], row), (4, 0), textcoords="offset points", va="center")
