"""The study behind the search's defaults in `docs/ablation.md`: relaxations x steps x starts.

    python scripts/ablation_search.py FOLDER -o OUT --figures docs

Every combination, with the prior's own loss, at two qualities, compared at equal bytes. A rerun computes only what is
missing.
"""

import argparse
from itertools import product
from pathlib import Path

from rich.console import Console

from invcomp.cli import parse_whole_numbers, progress_bar
from invcomp.inversion.relaxations import RELAXATIONS
from invcomp.inversion.schedules import Schedule
from invcomp.lab.ablate import AblateRequest, Cell, ablate
from invcomp.lab.output import write_figures, write_report

STARTS = ("encoder", "best-of-8", "mean")
QUALITIES = (24.0, 48.0)
FIGURES = ("psnr", "lpips_squeeze")


def study(prior: str, steps: tuple[int, ...]) -> list[Cell]:
    """The cells, the reference first."""
    first = Schedule.relaxation
    relaxations = (first, *(name for name in RELAXATIONS if name != first))
    return [Cell("prior", *values, prior) for values in product(relaxations, steps, STARTS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("ablation-search"))
    parser.add_argument("--prior", default="faces-64")
    parser.add_argument("--steps", type=lambda text: parse_whole_numbers(text, "--steps"), default=(500, 100))
    parser.add_argument("--most", type=int, default=6, help="pictures")
    parser.add_argument("--figures", type=Path, default=None, help="folder for the figures of docs/ablation.md")
    args = parser.parse_args()

    request = AblateRequest(
        args.folder, priors=(args.prior,), qualities=QUALITIES, most=args.most, cache=args.output / "cells"
    )
    console = Console(stderr=True)
    with progress_bar("ablation", 1000) as done:
        report = ablate(
            request,
            console.print,
            lambda text, share: done(1000 * share, text),
            study(args.prior, args.steps),
        )
    out = args.output
    write_report(report, json_file=out / "results.json", html_file=out / "report.html", csv_file=out / "files.csv")
    if args.figures:
        write_figures(report, args.figures, "ablation-search", FIGURES)
    console.print(f"wrote {out}/report.html, results.json and files.csv")


if __name__ == "__main__":
    main()
