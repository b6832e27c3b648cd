"""A report as files and as tables: JSON, CSV, the page."""

import csv
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from invcomp.errors import OutputError
from invcomp.lab.results import Report
from invcomp.writing import make_folder, unwritable, write_whole


def check_places(*paths: Path | None) -> None:
    """Make the folders of outputs and see that files can be made there, before time is spent. Raises `OutputError`."""
    for path in paths:
        if path is None:
            continue
        make_folder(path.parent)
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise unwritable(path, error) from None


def write_report(
    report: Report, *, json_file: Path | None = None, html_file: Path | None = None, csv_file: Path | None = None
) -> None:
    """Write the files that are asked for, each whole or not at all, also if another fails. Raises `OutputError`."""
    failed: list[str] = []
    for path, text in ((json_file, json_text), (csv_file, csv_text), (html_file, page)):
        try:
            if path:
                write(path, text(report))
        except OutputError as error:
            failed.append(str(error))
    if failed:
        raise OutputError("; ".join(failed))


def json_text(report: Report) -> str:
    return json.dumps(report.to_json(), indent=1)


def page(report: Report) -> str:
    from invcomp.lab.report import render

    return render(report)


def write_figures(report: Report, folder: Path, prefix: str, keys: Sequence[str]) -> None:
    """Figures of some metrics as SVG files: effects if the report has them, else curves. Raises `OutputError`."""
    from invcomp.lab import plots
    from invcomp.svg import standalone

    drawn = [r for r in report.results if not report.drawn or r.codec in report.drawn]
    for metric in report.metrics:
        if metric.key in keys:
            text = (
                plots.effects(report.effects, metric)
                if report.effects
                else plots.rate_distortion(drawn, metric, report.first_codec)
            )
            write(folder / f"{prefix}-{metric.key.replace('_', '-')}.svg", standalone(text))


def write(path: Path, text: str) -> None:
    make_folder(path.parent)
    write_whole(path, text.encode("utf-8", "replace"))


def csv_text(report: Report) -> str:
    """One row a codec, setting and picture."""
    keys = [m.key for m in report.metrics if any(m.key in f.figures for r in report.results for f in r.files)]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    factors = list(dict.fromkeys(name for result in report.results for name in result.factors))
    writer.writerow(["codec", "setting", *factors, "name", "bytes", *keys])
    for result in report.results:
        for file in result.files:
            levels = [result.factors.get(name, "") for name in factors]
            figures = [file.figures.get(key, "") for key in keys]
            writer.writerow([result.codec, result.setting, *levels, file.name, file.bytes, *figures])
    return buffer.getvalue()


def summary(report: Report) -> list[tuple[str, list[str], list[list[str]]]]:
    """Tables (title, columns, rows) for the terminal."""
    shown = [metric for metric in report.metrics if any(metric.key in r.mean for r in report.results)]
    rows = []
    for result in report.results:
        figures = [f"{result.mean[m.key]:.{m.decimals}f}" if m.key in result.mean else "–" for m in shown]
        seconds = [f"{result.mean[key]:.3f}" for key in ("encode_seconds", "decode_seconds")]
        rows.append([f"{result.codec}, {result.setting}", f"{result.mean['bytes']:.1f}", *figures, *seconds])
    columns = ["codec", "bytes", *(metric.label for metric in shown), "encode, s", "decode, s"]
    tables = [(report.title, columns, rows)]
    if report.rates:
        tables.append(rates_table(report))
    return tables


def rates_table(report: Report) -> tuple[str, list[str], list[list[str]]]:
    """Bjøntegaard rates: a row an anchor, a column a metric."""
    labels = {metric.key: metric.label for metric in report.metrics}
    keys = list(dict.fromkeys(rate.metric for rate in report.rates))
    pairs = list(dict.fromkeys((rate.codec, rate.anchor) for rate in report.rates))
    found = {(rate.codec, rate.anchor, rate.metric): rate.percent for rate in report.rates}
    rows = []
    for codec, anchor in pairs:
        values = [found.get((codec, anchor, key)) for key in keys]
        rows.append([f"{codec} against {anchor}", *("undefined" if v is None else f"{v:+.1f} %" for v in values)])
    return "Bytes at equal quality (Bjøntegaard rate)", ["", *(labels[key] for key in keys)], rows
