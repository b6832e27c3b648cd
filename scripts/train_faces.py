"""Make the shipped prior `faces`: draw the faces, then train. Nothing but calls; both steps resume where they stopped.

    python scripts/train_faces.py -o my-faces        (about 45 minutes of drawing and an hour of training on two cores)

The drawing needs `pip install openvino` and `pip install --no-deps random-face`, the training LPIPS-squeeze.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the prior")
    parser.add_argument("-n", type=int, default=10_304, help="number of faces")
    parser.add_argument("--kimg", default="98", help="thousands of pictures to see")
    args = parser.parse_args()
    faces = args.output.with_name(f"{args.output.name}-pictures")
    draw = [str(HERE / "make_faces.py"), "-n", str(args.n), "-o", str(faces), "--size", "128", "--seed", "7"]
    train = ["-m", "invcomp.cli", "train-prior", str(faces), "-o", str(args.output), "--image-size", "64"]
    train += ["--preset", "small", "--kimg", args.kimg, "--name", "faces", "--licence", "Apache-2.0"]
    train += ["--domain", "human faces, aligned as in FFHQ", "--data-note", "faces drawn by scripts/make_faces.py"]
    train += ["--resume"] if (args.output / "checkpoint.pt").exists() else []
    for command in (draw, train):
        subprocess.run([sys.executable, *command], check=True)


if __name__ == "__main__":
    main()
