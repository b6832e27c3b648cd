"""The report of one picture as a page: one HTML file with all pictures inside; it asks for nothing from any network."""

from markupsafe import Markup

from invcomp.lab import picture_plots
from invcomp.lab.picture_report import PictureReport, figure_text
from invcomp.lab.report import environment


def page(report: PictureReport) -> str:
    """The whole page as HTML text, to be written as UTF-8."""
    return (
        environment()
        .get_template("picture.html.j2")
        .render(
            report=report,
            largest=max(1.0, *(share.bytes for share in (*report.levels, *report.rest))),
            cuts=any(share.cut_at is not None for share in report.levels),
            plots=[Markup(picture_plots.course(report, panel)) for panel in picture_plots.panels(report)],
            figures=[figure_text(metric, value) for metric, value in report.figures],
            explanation=picture_plots.explanation(report),
        )
    )
