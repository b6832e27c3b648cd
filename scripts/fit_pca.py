"""PCA for `invcomp bench`: eigen-images of the pictures that a prior was trained on.

    python scripts/fit_pca.py DATA -o pretrained/faces/pca.safetensors --size 64 --held-out 128

`--held-out` leaves out as many pictures as the training did, the first in order of name. The file is found by `bench`
beside the prior; 768 components take about as much space as the generator, so both sides know equally much.
"""

import argparse
from pathlib import Path

from invcomp.lab import pca
from invcomp.training.data import load_training_set
from invcomp.writing import write_whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path(pca.FILE))
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--held-out", type=int, default=0)
    parser.add_argument("--components", type=int, default=pca.COMPONENTS)
    args = parser.parse_args()

    pictures = load_training_set(args.data, args.size, aligned=True).pictures[args.held_out :]
    codec = pca.fit(pictures, args.components)
    data = codec.to_bytes()
    write_whole(args.output, data)
    print(f"{args.output}: {codec.note}")


if __name__ == "__main__":
    main()
