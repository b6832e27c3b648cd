"""`compress --report`: whether the report can be written, before anything is computed, and the report as a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invcomp.errors import OutputError, UsageError
from invcomp.jobs import Job, Targets
from invcomp.lab.output import check_places

if TYPE_CHECKING:
    from invcomp.lab.picture_report import PictureReport

SUFFIXES = (".html", ".png")


def check_report(path: Path, jobs: Sequence[Job], targets: Targets) -> None:
    """Raises `UsageError` for a report that these jobs cannot have, `OutputError` for one that cannot be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--report takes a name that ends in {' or '.join(SUFFIXES)}, not {str(path)!r}")
    check_single(len(jobs), "pictures")
    for place, what in ((jobs[0].source, "the picture"), (jobs[0].target, "the output")):
        if place is not None and same(path, place):
            raise UsageError(f"the report would overwrite {what} {place}: give --report another name")
    target = jobs[0].target
    if targets.skip and target is not None and target.is_file():
        if not path.is_file():
            raise OutputError(f"{target} exists, and its report {path} does not: give --force to make both anew")
        return
    targets.check(path)
    check_places(path)


def check_single(count: int, what: str) -> None:
    """Raises `UsageError` if there is more than one of what a report is of."""
    if count > 1:
        raise UsageError(f"--report is of one picture, and there are {count} {what} here: compress one of them alone")


def same(one: Path, other: Path) -> bool:
    """Whether two names are of one file, which need not exist."""
    try:
        return one.samefile(other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


def rendered(report: PictureReport, path: Path) -> bytes:
    """A report as a file: a page, or for `.png` a sheet."""
    if path.suffix.lower() == ".png":
        from invcomp.lab.picture_sheet import sheet

        return sheet(report)
    from invcomp.lab.picture_page import page

    return page(report).encode("utf-8")
