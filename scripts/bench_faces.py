"""The figures of the README and of docs/priors.md: priors against all peers, on one or several folders of faces.

    python scripts/bench_faces.py FOLDER... -o OUT --figures docs
    python scripts/bench_faces.py FOLDER... -o OUT --prior faces --prior portraits --size 128 --steps 100

Writes for every folder a page, JSON and CSV to OUT, and curves for the README; prints tables. The same as
`invcomp bench FOLDER`, and Bjøntegaard rates in windows of bytes besides.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from invcomp.commands.parsing import parse_numbers, parse_range
from invcomp.lab.bench import BEST_PEER, BenchRequest, bench
from invcomp.lab.codecs import QUALITIES
from invcomp.lab.curves import at_bytes, level_at_end
from invcomp.lab.output import rates_table, write_figures, write_report
from invcomp.lab.peers import PEERS as OTHER_PEERS
from invcomp.lab.results import Report
from invcomp.terminal import progress_bar

FIGURES = ("psnr", "lpips_alex", "lpips_squeeze", "identity_distance")
BYTES = (60, 80, 100, 150, 200, 300, 400, 600, 800)
PEERS = ("webp", "jxl", "avif", "jpeg", "jpeg-shared", "pca")


def values(report: Report) -> list[Table]:
    """Every metric of every codec at a few sizes, read off the curves."""
    tables = []
    peers = {*OTHER_PEERS, *PEERS}
    ours = [codec for codec in dict.fromkeys(r.codec for r in report.results) if codec not in peers]
    for metric in report.metrics:
        table = Table("codec", *(f"{size} B" for size in BYTES), title=metric.label)
        for codec in (*ours, *PEERS):
            points = level_at_end([r for r in report.results if r.codec == codec], metric)
            found = [at_bytes(points, size) for size in BYTES]
            table.add_row(codec, *("–" if v is None else f"{v:.{metric.decimals}f}" for v in found))
        tables.append(table)
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, default=Path("bench"))
    parser.add_argument("--prior", action="append", help="may be repeated (default faces)")
    parser.add_argument("--qualities", default=",".join(map(str, QUALITIES)), help="of invcomp, with commas")
    parser.add_argument("--most", type=int, default=None, help="pictures taken of a folder")
    parser.add_argument("--size", type=int, default=None)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rates", type=parse_range, help="range of bytes for Bjøntegaard rates, like 80:600")
    parser.add_argument("--pca-data", type=Path, default=None, help="folder that PCA is fitted to, at another size")
    parser.add_argument("--figures", type=Path, default=None, help="folder for the figures of the README")
    args = parser.parse_args()

    if len({folder.name for folder in args.folders}) < len(args.folders):
        parser.error("two folders have the same name, and so would their results")
    out, console = args.output, Console(width=150)
    for folder in args.folders:
        request = BenchRequest(
            folder,
            tuple(args.prior or ["faces"]),
            args.size,
            qualities=parse_numbers(args.qualities, "--qualities"),
            steps=args.steps,
            rates=args.rates,
            pca_data=args.pca_data,
            most=args.most,
            cache=out / "settings",
        )
        with progress_bar("bench", 1000) as done:
            report = bench(
                request,
                console.print,
                lambda text, share, done=done: done(1000 * share, text),
            )
        files = {kind: out / f"{folder.name}.{kind}" for kind in ("json", "html", "csv")}
        write_report(report, json_file=files["json"], html_file=files["html"], csv_file=files["csv"])
        if args.figures:
            write_figures(report, args.figures, folder.name, FIGURES)
        title, heads, rows = rates_table(report)
        table = Table(*heads, title=f"{folder.name}: {title}")
        for row in sorted(rows, key=lambda row: BEST_PEER not in row[0]):
            table.add_row(*row)
        for item in (*report.notes, table, *values(report)):
            console.print(item)


if __name__ == "__main__":
    main()
