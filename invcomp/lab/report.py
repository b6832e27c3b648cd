"""The lab's page: one HTML file with all pictures, plots and figures inside; it asks for nothing from any network."""

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from invcomp.lab import plots
from invcomp.lab.results import BjontegaardRate, Comparison, Effect, Metric, Panel, Report

MISSING = "–"
FIGURES_BELOW_A_PICTURE = 2


@dataclass(frozen=True)
class Shown:
    """A panel as the page shows it."""

    choice: str
    """What selects it; the codec, unless a budget has that codec twice."""
    panel: Panel
    excess: int
    """Bytes that it has more than the file it is matched to, if it does not fit."""


@dataclass(frozen=True)
class RateTable:
    """Bjøntegaard rates of one codec: rows are anchors, columns metrics."""

    codec: str
    metrics: list[Metric]
    rows: dict[str, list[BjontegaardRate | None]]


@dataclass(frozen=True)
class EffectTable:
    """Marginal effects: rows are (factor, value, reference), columns metrics."""

    metrics: list[Metric]
    rows: dict[tuple[str, str, str], dict[str, Effect]]


def render(report: Report) -> str:
    """The whole page as HTML text, to be written as UTF-8."""
    metrics = [m for m in report.metrics if any(m.key in result.mean for result in report.results)]
    drawn = [result for result in report.results if not report.drawn or result.codec in report.drawn]
    affected = [m for m in report.metrics if any(effect.metric == m.key for effect in report.effects)]
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            metrics=metrics,
            curves=[
                Markup(plots.rate_distortion(drawn, metric, report.first_codec))
                for metric in metrics
                if plots.has_values(drawn, metric)
            ],
            effects=[Markup(plots.effects(report.effects, metric)) for metric in affected],
            effect_table=effect_table(report, affected),
            rate_tables=rate_tables(report),
            choices=choices(report.comparisons),
            budgets=list(dict.fromkeys(label for comparison in report.comparisons for label in comparison.budgets)),
            below=figures_below(report),
            missing=MISSING,
        )
    )
    return page.encode("utf-8", "replace").decode("utf-8")  # names of files may hold what UTF-8 cannot


def environment() -> Environment:
    """Templates of the lab, with the filters that they use."""
    found = Environment(
        loader=PackageLoader("invcomp.lab"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(number=number, signed=signed, percent=percent, data_uri=data_uri, shown=shown)
    return found


def shown(panels: list[Panel]) -> list[Shown]:
    """The panels of one byte budget, each with a choice of its own and its excess over the first."""
    codecs = [panel.codec for panel in panels]
    return [
        Shown(
            panel.codec if codecs.count(panel.codec) == 1 else f"{panel.codec}, {panel.setting}",
            panel,
            0 if panel.fits else panel.bytes - panels[0].bytes,
        )
        for panel in panels
    ]


def choices(comparisons: Iterable[Comparison]) -> list[str]:
    """What can be chosen for one side of the pictures, besides the original."""
    every = (
        one.choice for comparison in comparisons for panels in comparison.budgets.values() for one in shown(panels)
    )
    return list(dict.fromkeys(every))


def figures_below(report: Report) -> list[Metric]:
    """The first metrics that panels have: what is said below a picture."""
    panels = [panel for c in report.comparisons for panels in c.budgets.values() for panel in panels]
    had = [metric for metric in report.metrics if any(metric.key in panel.figures for panel in panels)]
    return had[:FIGURES_BELOW_A_PICTURE]


def rate_tables(report: Report) -> list[RateTable]:
    """One table for every codec that has Bjøntegaard rates."""
    rates = {(rate.codec, rate.anchor, rate.metric): rate for rate in report.rates}
    metrics = [metric for metric in report.metrics if any(key[2] == metric.key for key in rates)]
    tables: dict[str, RateTable] = {}
    for rate in report.rates:
        table = tables.setdefault(rate.codec, RateTable(rate.codec, metrics, {}))
        table.rows[rate.anchor] = [rates.get((rate.codec, rate.anchor, metric.key)) for metric in metrics]
    return list(tables.values())


def effect_table(report: Report, metrics: list[Metric]) -> EffectTable:
    """The numbers of the plots of effects."""
    rows: dict[tuple[str, str, str], dict[str, Effect]] = {}
    for effect in report.effects:
        rows.setdefault((effect.factor, effect.value, effect.reference), {})[effect.metric] = effect
    return EffectTable(metrics, rows)


def number(value: float | None, decimals: int) -> str:
    """A figure with a true minus and commas between thousands; a dash for one that is missing."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:,.{decimals}f}".replace("-", "−")


def signed(value: float, decimals: int) -> str:
    """A difference with its sign."""
    return f"{value:+,.{decimals}f}".replace("-", "−")


def percent(value: float) -> str:
    """A difference in per cent with its sign, as in "−30.4 %"."""
    return f"{signed(value, 1)} %"


def data_uri(image: Image.Image) -> str:
    """`image` as a lossless WebP inside an address."""
    buffer = io.BytesIO()
    colours = image.convert("RGBA" if image.has_transparency_data else "RGB")
    colours.save(buffer, format="WEBP", lossless=True, quality=50, method=3)  # more effort: 8 times slower, 0 % smaller
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
