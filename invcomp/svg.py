"""matplotlib figures as SVG to be put into a page: no background, text in `currentColor`, ids of their own.

The same drawing gives the same text in every run. Lengths are SVG units: about a CSS pixel each where the page shows a
figure at its natural width.
"""

import hashlib
import html
import io
import re
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 360  # about a phone's width, and a third of a desktop page's
INK = "#010203"  # drawn with this, replaced by currentColor
FAINT = 0.65  # opacity of secondary text
SMALL = 10.5  # font size of all but titles

TOP, BOTTOM = 46, 44  # room for the two title lines, and for ticks and their label

STYLE: Any = {  # versions of matplotlib differ in the type they want
    "svg.fonttype": "none",
    "svg.hashsalt": "invcomp",
    "text.parse_math": False,  # a dollar in a name is a dollar
    "font.family": "DejaVu Sans",  # matplotlib's own measures the text; the page then shows its font, which is narrower
    "font.size": SMALL,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.major.size": 0,
    "grid.color": INK,
    "grid.alpha": 0.14,
    "grid.linewidth": 0.8,
}
"""To be in force (`matplotlib.rc_context`) from `canvas` to `text_of`."""


def canvas(
    title: str, subtitle: str, height: float, left: float, right: float, below: float = 0
) -> tuple[Figure, Axes]:
    """A figure of `height` with its title, and axes that leave `left`, `right` and, under their label, `below` free."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, facecolor="none")
    _heading(figure, title, 2, height, fontsize=12.5, weight="bold")
    _heading(figure, subtitle, 20, height, fontsize=SMALL, alpha=FAINT)
    bottom = BOTTOM + below
    box = (left / WIDTH, bottom / height, 1 - (left + right) / WIDTH, 1 - (TOP + bottom) / height)
    return figure, figure.add_axes(box, facecolor="none")


def _heading(figure: Figure, text: str, y: float, height: float, fontsize: float, **font: Any) -> None:
    """A line of text `y` below the top of a figure, smaller where it would be wider than the figure."""
    fontsize /= max(1.0, text_width(text, fontsize=fontsize, **font) / WIDTH)
    figure.text(0, 1 - y / height, text, va="top", fontsize=fontsize, **font)


def text_width(text: str, **font: Any) -> float:
    """Width of one line of `text` in SVG units."""
    return float(Figure(dpi=72).text(0, 0, text, **font).get_window_extent().width)


def text_of(figure: Figure, name: str, description: str) -> str:
    """The SVG element of `figure`; `name` keeps its ids apart from those of others, `description` is read aloud."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # matplotlib's style sheet would apply to the whole page.
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<defs>\s*</defs>", "", text)
    text = text.replace("'DejaVu Sans'", "system-ui, sans-serif").replace(INK, "currentColor")
    text = _own_ids(text.replace("xlink:href", "href"), name)
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box[0]} role="img" aria-label="{html.escape(description)}" '
        'style="stroke-linejoin: round; stroke-linecap: butt">'
    )
    return head + text[text.index(">") + 1 :].strip()


def standalone(text: str) -> str:
    """A figure as a file of its own: dark on white and at its natural size, since no page gives it either."""
    box = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', text)
    assert box is not None
    size = f'width="{box[1]}" height="{box[2]}" style="color: #1c2128; background: #fff; '
    return text.replace('style="', size, 1)


def _own_ids(text: str, name: str) -> str:
    """Drops ids that nothing refers to and makes the others unlike those of any other figure."""
    prefix = "f" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "", text)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", text)
