"""A prior's design by measurement: short runs of equal length, each with one setting changed, on real pictures.

    python scripts/trial_design.py TRAINING REAL -o trials --list        # the runs, without running any
    python scripts/trial_design.py TRAINING REAL -o trials               # all of them, one after another
    python scripts/trial_design.py TRAINING REAL -o trials --only critic-0,seed-1
    python scripts/trial_design.py TRAINING REAL -o trials --from RUN --others PHOTOGRAPHS

Every run is nothing but a call of `invcomp train-prior`; options that this script does not know go to all of them. A
finished run is kept, a stopped one goes on, one that fails is named at the end (with `--from` those of other widths).
Each is then measured on REAL, which no run saw, as `scripts/measure_slices.py` does, the encoder alone, against the
reference. What `seed-1` and `seed-2`, the reference with other seeds, differ by is chance.

For a run of 10,000 pictures of 64 pixels with the preset small two idle cores take about 7 minutes: half of it for the
pictures, at 50 a second, and as long for tables and card at its end. All 16 runs, two of them with other presets, and
what is measured of them take about two and a half hours.
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from measure_slices import Pictures, Points, table
from rich.console import Console

from invcomp import Codec
from invcomp.errors import InvcompError
from invcomp.priors.architecture import PRESETS, from_preset
from invcomp.priors.info import read_info
from invcomp.writing import write_whole

REFERENCE = "reference"
SETTINGS, FIGURES, TABLE = "trial.json", "figures.json", "trials.md"
INTERRUPTED = 130
PACE, END_SECONDS = 50, 270  # pictures a second, and what tables, card and measurement take: for the estimate
Options = dict[str, str]


def trials(preset: str, image_size: int) -> dict[str, Options]:
    """What each run changes of the reference."""
    latents = from_preset(preset, image_size).latent_channels

    def scaled(factor: float) -> str:
        return ",".join(str(max(1, round(factor * channels))) for channels in latents)

    changes = {
        REFERENCE: {},
        "seed-1": {"--seed": "1"},
        "seed-2": {"--seed": "2"},
        "critic-0": {"--adversarial": "0"},
        "critic-0.2": {"--adversarial": "0.2"},
        "mse-alone": {"--distortion": "100*mse"},
        "more-lpips": {"--distortion": "100*mse + 3*lpips-squeeze"},
        "critic-features": {"--distortion": "100*mse + 1*lpips-squeeze + 1*critic"},
        "face-terms": {"--distortion": "65*mse + 0.65*lpips-squeeze + 35*face:mse + 0.35*face:lpips-squeeze"},
        "photographs": {"--augmentation": "photographs"},
        "latents-half": {"--latents": scaled(0.5)},
        "latents-double": {"--latents": scaled(2)},
        "lambda-narrow": {"--lambda": "1e-5:1e-3"},
        "lambda-wide": {"--lambda": "1e-6:5e-3"},
    }
    return changes | {f"preset-{name}": {"--preset": name} for name in PRESETS if name != preset}


def trained(folder: Path, data: Path, options: Options, more: list[str]) -> bool:
    """Train a trial, or the rest of it; whether its prior is there. Exits if the run is interrupted."""
    settings = json.dumps({"data": str(data), "options": options, "more": more}, indent=1)
    if (folder / SETTINGS).exists() and (folder / SETTINGS).read_text() != settings:
        sys.exit(f"{folder} is of other settings (see its {SETTINGS}): give another folder with -o")
    if (folder / "prior.json").exists():
        return True
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / SETTINGS, settings.encode())
    started = (folder / "checkpoint.pt").exists()
    process = subprocess.Popen(command(data, folder, options, more) + (["--resume"] if started else []))
    try:
        code = process.wait()
    except KeyboardInterrupt:
        code = process.wait() or INTERRUPTED  # it writes its checkpoint
    if code == INTERRUPTED:
        sys.exit(INTERRUPTED)
    return code == 0


def command(data: Path, folder: Path, options: Options, more: list[str]) -> list[str]:
    given = [text for option in options.items() for text in option]
    return [sys.executable, "-m", "invcomp.cli", "train-prior", str(data), "-o", str(folder), *given, *more]


def points(folder: Path, pictures: Pictures) -> Points:
    """What a trial's prior makes of real pictures; kept beside the prior."""
    codec, path = Codec(folder, "cpu"), folder / FIGURES
    key = {"prior": codec.prior.info.id, "pictures": pictures.digest, "metrics": [m.key for m in pictures.metrics]}
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if known.get("of") == key:
        return list(known["points"])
    found = pictures.points(codec)
    write_whole(path, json.dumps({"of": key, "points": found}, indent=1).encode())
    return found


def changes_of(folder: Path, change: Options) -> str:
    """What a trial changes, or the reference's loss; and whether a loss became another than the one asked for."""
    own = read_info(folder).distortion
    text = " ".join(f"`{option} {value}`" for option, value in change.items()) or f"`{own}`"
    asked = change.get("--distortion")
    return text if asked in (None, own) else f"{text}, in fact `{own}`"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training", type=Path, help="pictures to train with: a folder, zip or tar")
    parser.add_argument("real", type=Path, help="pictures to measure on: a folder")
    parser.add_argument("-o", "--output", type=Path, default=Path("trials"), help="a folder of the runs' folders")
    parser.add_argument("--preset", default="small", help="of the reference")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--kimg", type=float, default=10, help="thousands of pictures that every run sees")
    parser.add_argument("--only", help="names with commas; the reference is always there")
    parser.add_argument("--most", type=int, default=64, help="real pictures")
    parser.add_argument("--list", action="store_true", help="say what would be run")
    args, more = parser.parse_known_args()

    everything = trials(args.preset, args.image_size)
    names = list(everything) if args.only is None else [REFERENCE, *args.only.split(",")]
    if unknown := [name for name in names if name not in everything]:
        parser.error(f"there is no trial {', '.join(unknown)}; there are {', '.join(everything)}")
    shared = {"--preset": args.preset, "--image-size": str(args.image_size), "--kimg": f"{args.kimg:g}"}
    chosen = {name: shared | everything[name] for name in dict.fromkeys(names)}
    if args.list:
        for name, options in chosen.items():
            print(shlex.join(["python", *command(args.training, args.output / name, options, more)[1:]]))
        hours = len(chosen) * (1000 * args.kimg / PACE + END_SECONDS) / 3600
        print(f"{len(chosen)} runs; about {hours:.1f} hours on two cores at 64 pixels, preset small")
        return

    say = Console(stderr=True).print
    done = []
    for number, (name, options) in enumerate(chosen.items(), start=1):
        say(f"{number} of {len(chosen)}: {name}")
        if trained(args.output / name, args.training, options, more):
            done.append(name)
        elif name == REFERENCE:
            sys.exit("the reference failed, and there is nothing to compare with")
    pictures = Pictures(args.real, args.image_size, args.most)
    results = {name: points(args.output / name, pictures) for name in done}
    notes = {name: f"{name} | {changes_of(args.output / name, everything[name])}" for name in done}
    text = table(results, pictures.metrics, notes, "trial | changes")
    write_whole(args.output / TABLE, (text + "\n").encode())
    print(text)
    for note in pictures.judge.notes:
        say(note)
    if failed := [name for name in chosen if name not in done]:
        sys.exit(f"these runs failed: {', '.join(failed)}")


if __name__ == "__main__":
    try:
        main()
    except InvcompError as error:
        sys.exit(str(error))
