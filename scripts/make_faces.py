"""Draw synthetic faces from the imported generator: the training set of the shipped prior.

    pip install --no-deps random-face
    python scripts/make_faces.py -n 12000 -o faces --size 64 --seed 7

No picture of a real person is involved. It is nothing but `invcomp import-prior random-face` (once) and
`invcomp sample portraits`. Picture `i` of seed `s` depends on `(s, i)` alone, so a run that was interrupted continues
where it stopped, and runs with other seeds give other people.
"""

import argparse

from invcomp.cli import app
from invcomp.priors.portraits.importing import NAME
from invcomp.priors.registry import user_folder


def run(*arguments: str) -> None:
    """An `invcomp` command; if it fails, this program ends with its exit code."""
    try:
        app(arguments)
    except SystemExit as end:
        if end.code:
            raise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", default="12000", help="number of faces")
    parser.add_argument("-o", "--output", required=True, help="folder to fill")
    parser.add_argument("--size", default="64", help="32, 64, … 1024")
    parser.add_argument("--seed", default="7")
    parser.add_argument("--psi", default="0.7:1.0", help="truncation, LOW:HIGH (default 0.7:1.0)")
    parser.add_argument("--quick", action="store_true", help="in a third of the time, nearly the same; 128 or 256")
    args = parser.parse_args()
    if not (user_folder() / NAME).is_dir():
        run("import-prior", "random-face")
    faces = ["-n", args.n, "-o", args.output, "--size", args.size, "--seed", args.seed, "--psi", args.psi]
    run("sample", NAME, *faces, "--resume", *(["--quick"] if args.quick else []))


if __name__ == "__main__":
    main()
