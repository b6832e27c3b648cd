"""Make the shipped prior `faces`: nothing but calls, each of which goes on where it was stopped.

    pip install --no-deps random-face
    python scripts/train_faces.py -o my-faces

Draws faces, fetches photographs of other things from Debian's packages, trains at 64 x 64 and grows to 128 x 128.
On two cores: about 4 hours for 60,000 faces, 1.2 hours for the run at 64 and 2.3 hours for the one at 128.
The shipped prior then got its search's loss by `scripts/calibrate_prior.py --distortion`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DISTORTION = "65*mse + 0.65*lpips-squeeze + 35*face:mse + 0.35*face:lpips-squeeze"
ABOUT = {
    "--name": "faces",
    "--licence": "Apache-2.0",
    "--domain": "human faces, aligned as in FFHQ",
    "--data-note": "faces drawn by scripts/make_faces.py, photographs fetched by scripts/fetch_photographs.py",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the prior")
    parser.add_argument("-n", default="60000", help="number of faces to draw (default 60000)")
    parser.add_argument("--kimg", nargs=2, default=["140", "255"], help="thousands of pictures to see at 64 and at 128")
    args = parser.parse_args()
    output: Path = args.output
    faces, photographs, small = (output.with_name(f"{output.name}-{name}") for name in ("faces", "photographs", "64"))

    call(HERE / "make_faces.py", "-n", args.n, "-o", faces, "--size", "128", "--seed", "7")
    if not (photographs / "LICENCES.md").is_file():  # what is written last
        call(HERE / "fetch_photographs.py", "-o", photographs)
    common = ["--preset", "small", "--distortion", DISTORTION, "--augmentation", "photographs", "--adversarial", "0"]
    common += [text for option in ABOUT.items() for text in option]
    train(faces, small, photographs, "--image-size", "64", "--kimg", args.kimg[0], *common)
    train(faces, output, photographs, "--image-size", "128", "--kimg", args.kimg[1], "--from", small, *common)


def train(faces: Path, output: Path, photographs: Path, *options: str | Path) -> None:
    """`invcomp train-prior`, or the rest of it."""
    if (output / "prior.json").exists():
        return
    started = (output / "checkpoint.pt").exists()
    shared = ["-m", "invcomp.cli", "train-prior", faces, "-o", output, "--others", photographs]
    call(*shared, *(["--resume"] if started else options))


def call(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
