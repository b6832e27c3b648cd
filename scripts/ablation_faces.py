"""The study behind `docs/ablation.md`: which loss, relaxation, number of steps and start the search should have.

    python scripts/ablation_faces.py FOLDER -o OUT --figures docs

Not the full grid, which would take most of a day on two cores, but two blocks around the defaults:

- every loss, from the encoder's guess, straight-through, at 50, 200 and 500 steps (and 0, where no loss matters);
- mean squared error with both relaxations and both starts, at the same numbers of steps.

Every cell is measured at two qualities and compared at equal bytes. A rerun computes only what is missing.
"""

import argparse
from itertools import product
from pathlib import Path

from rich.console import Console

from invcomp.lab.ablate import AblateRequest, Cell, ablate
from invcomp.lab.output import write_figures, write_report
from invcomp.terminal import progress_bar

LOSSES = (
    "prior",  # 100*mse + 1*lpips-squeeze
    "mse",
    "l1",
    "ssim",
    "ms-ssim",
    "lpips-squeeze",
    "lpips-alex",
    "critic",
    "300*mse + 1*lpips-squeeze",
    "100*mse + 1*lpips-alex",
    "100*mse + 3*critic",
    "100*mse + 1*lpips-squeeze + 2*critic",
    "100*mse + 2*ms-ssim",
)
CROSSED = {"mse": (500, 200, 50)}  # losses, and steps, with both relaxations and both starts
RELAXATIONS = ("straight-through", "uniform-noise")
STARTS = ("encoder", "mean")
STEPS = (500, 200, 50)
QUALITIES = (24.0, 48.0)
FIGURES = ("psnr", "ssim", "lpips_alex", "lpips_squeeze", "identity_distance")


def study(prior: str) -> list[Cell]:
    """The cells, the reference first."""
    cells = [Cell(loss, RELAXATIONS[0], steps, STARTS[0], prior) for loss, steps in product(LOSSES, STEPS)]
    cells += [Cell("prior", RELAXATIONS[0], 0, start, prior) for start in STARTS]
    cells += [
        Cell(loss, relaxation, steps, start, prior)
        for loss, numbers in CROSSED.items()
        for relaxation, start, steps in product(RELAXATIONS, STARTS, numbers)
    ]
    return list(dict.fromkeys(cells))


def write_study(
    args: argparse.Namespace, cells: list[Cell], qualities: tuple[float, ...], name: str, figures: tuple[str, ...]
) -> None:
    """Measure cells on the folder that is asked for, and write page, tables and the figures `name`-METRIC.svg."""
    request = AblateRequest(
        args.folder, priors=(args.prior,), qualities=qualities, most=args.most, cache=args.output / "cells"
    )
    console = Console(stderr=True)
    with progress_bar("ablation", 1000) as done:
        report = ablate(
            request,
            console.print,
            lambda text, share: done(1000 * share, text),
            cells,
        )
    out = args.output
    write_report(report, json_file=out / "results.json", html_file=out / "report.html", csv_file=out / "files.csv")
    if args.figures:
        write_figures(report, args.figures, name, figures)
    console.print(f"wrote {out}/report.html, results.json and files.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("ablation"))
    parser.add_argument("--prior", default="faces-64")
    parser.add_argument("--most", type=int, default=24, help="pictures")
    parser.add_argument("--figures", type=Path, default=None, help="folder for the figures of docs/ablation.md")
    args = parser.parse_args()

    write_study(args, study(args.prior), QUALITIES, "ablation", FIGURES)


if __name__ == "__main__":
    main()
