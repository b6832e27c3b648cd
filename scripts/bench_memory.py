"""How much memory a picture takes while it is inverted: what `--batch-size auto` counts with.

    python scripts/bench_memory.py           (on a CPU; a minute)

The peak of a process that inverts `--few` pictures together against one that inverts `--many`, for every prior, a few
steps each: the peak does not depend on their number.
"""

import argparse
import multiprocessing
import resource
from pathlib import Path

from invcomp import Codec
from invcomp.codec import LOSS_PIXELS, PIXEL_BYTES
from invcomp.pictures import read_picture

FACES = sorted((Path(__file__).resolve().parent.parent / "examples" / "faces").glob("*.*"))


def peak(prior: str, pictures: int, steps: int, loss: str | None) -> int:
    """Most bytes that this process has had once so many pictures are done."""
    images = [read_picture(FACES[n % len(FACES)]).image for n in range(pictures)]
    Codec(prior, "cpu").compress_batch(images, steps=steps, loss=loss, batch_size=pictures)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--priors", nargs="+", default=["faces-64", "faces"])
    parser.add_argument("--few", type=int, default=8)
    parser.add_argument("--many", type=int, default=32)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--loss", help="loss expression; by default the prior's own")
    options = parser.parse_args()
    fresh = multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1)  # a process a figure
    for prior in options.priors:
        few, many = (fresh.apply(peak, (prior, n, options.steps, options.loss)) for n in (options.few, options.many))
        side = Codec(prior, "cpu").prior.arch.coded_size or 0
        each = (many - few) / (options.many - options.few)
        counted = PIXEL_BYTES * max(LOSS_PIXELS, side * side)
        print(f"{prior}: {each / 1e6:.1f} MB a picture of {side} pixels a side; counted with {counted / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
