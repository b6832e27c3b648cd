"""How many pictures of each folder `compress` takes for none of a prior's domain, as a Markdown table.

    python scripts/measure_mismatch.py FOLDER… --prior faces --prior faces-64

A picture stands where its encoder's guess does, at the rate index of its file, so the search changes nothing and is
left out: 0 steps, at several qualities. Of a prior without an encoder only looks are counted, at one quality.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import track

from invcomp.codec import DEFAULT_QUALITY, Codec
from invcomp.pictures import extensions, read_picture
from invcomp.priors.calibration import UNUSUAL

QUALITIES = (0.0, 20.0, DEFAULT_QUALITY, 60.0, 90.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--prior", action="append", help="name or folder; several may be given (default: faces)")
    args = parser.parse_args()
    priors: list[str] = args.prior or ["faces"]
    print("| prior | pictures | | flagged | by their looks | distortion beyond 99 % | highest percentile of looks |")
    print("|---|---|---|---|---|---|---|")
    for prior in priors:
        codec = Codec(prior, "cpu")
        for folder in args.folders:
            print(f"| {prior} | {folder.name} | {row(codec, folder)} |", flush=True)


def row(codec: Codec, folder: Path) -> str:
    """Cells of the table for the pictures of a folder."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in extensions())
    images = [read_picture(path).image for path in files]
    qualities = QUALITIES if codec.prior.encoder else (DEFAULT_QUALITY,)
    found = [
        [result.standing for result in codec.compress_batch(images, quality=quality, steps=0)]
        for quality in track(qualities, description=folder.name, transient=True, console=Console(stderr=True))
    ]
    standings = [standing for series in found for standing in series]
    looks = sum((standing.domain or 0) > UNUSUAL for standing in found[0])
    distorted = [sum((standing.distortion or 0) > UNUSUAL for standing in series) for series in found]
    flagged = [sum(standing.mismatch for standing in series) for series in found]
    shares = [f"{100 * number / len(images):.0f}" for number in flagged]
    shown = shares[0] if len(set(shares)) == 1 else f"{min(shares, key=float)} to {max(shares, key=float)}"
    return (
        f"{len(images)} | {shown} % | {looks} | {', '.join(map(str, distorted))} | "
        f"{100 * max(standing.domain or 0 for standing in standings):.1f}"
    )


if __name__ == "__main__":
    main()
