"""The study behind the search's defaults in `docs/ablation.md`: relaxations x steps x starts.

    python scripts/ablation_search.py FOLDER -o OUT --figures docs

Every combination, with the prior's own loss, at two qualities, compared at equal bytes. A rerun computes only what is
missing.
"""

import argparse
from itertools import product
from pathlib import Path

from ablation_faces import write_study

from invcomp.commands.parsing import parse_whole_numbers
from invcomp.inversion.relaxations import RELAXATIONS
from invcomp.inversion.schedules import Schedule
from invcomp.lab.ablate import Cell

STARTS = "encoder,best-of-8,mean"
QUALITIES = (24.0, 48.0)
FIGURES = ("psnr", "lpips_squeeze")


def study(prior: str, steps: tuple[int, ...], starts: tuple[str, ...]) -> list[Cell]:
    """The cells, the reference first."""
    first = Schedule.relaxation
    relaxations = (first, *(name for name in RELAXATIONS if name != first))
    return [Cell("prior", *values, prior) for values in product(relaxations, steps, starts)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("ablation-search"))
    parser.add_argument("--prior", default="faces-64")
    parser.add_argument("--steps", type=lambda text: parse_whole_numbers(text, "--steps"), default=(500, 100))
    parser.add_argument("--starts", default=STARTS, help="with commas")
    parser.add_argument("--most", type=int, default=6, help="pictures")
    parser.add_argument("--figures", type=Path, default=None, help="folder for the figures of docs/ablation.md")
    args = parser.parse_args()

    write_study(
        args, study(args.prior, args.steps, tuple(args.starts.split(","))), QUALITIES, "ablation-search", FIGURES
    )


if __name__ == "__main__":
    main()
