"""The study behind the search's defaults in `docs/ablation.md`: relaxations x steps x starts.

    python scripts/ablation_search.py FOLDER -o OUT --figures docs

With the prior's own loss: every combination of relaxation and start at 100 steps, and around the default each by itself
at 500. All at two qualities, compared at equal bytes. A rerun computes only what is missing.
"""

import argparse
from itertools import product
from pathlib import Path

from rich.console import Console

from invcomp.cli import progress_bar
from invcomp.inversion.relaxations import RELAXATIONS
from invcomp.inversion.schedules import Schedule
from invcomp.lab.ablate import AblateRequest, Cell, ablate
from invcomp.lab.output import write_figures, write_report

FEW, MANY = 100, 500  # steps
STARTS = ("encoder", "best-of-8", "mean")
QUALITIES = (24.0, 48.0)
FIGURES = ("psnr", "lpips_squeeze")


def study(prior: str) -> list[Cell]:
    """The cells, the reference first."""
    first = Schedule.relaxation
    cells = [Cell("prior", first, MANY, STARTS[0], prior)]
    cells += [Cell("prior", relaxation, MANY, STARTS[0], prior) for relaxation in RELAXATIONS]
    cells += [Cell("prior", first, MANY, start, prior) for start in STARTS]
    cells += [Cell("prior", relaxation, FEW, start, prior) for relaxation, start in product(RELAXATIONS, STARTS)]
    return list(dict.fromkeys(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("ablation-search"))
    parser.add_argument("--prior", default="faces-64")
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
            study(args.prior),
        )
    out = args.output
    write_report(report, json_file=out / "results.json", html_file=out / "report.html", csv_file=out / "files.csv")
    if args.figures:
        write_figures(report, args.figures, "ablation-search", FIGURES)
    console.print(f"wrote {out}/report.html, results.json and files.csv")


if __name__ == "__main__":
    main()
