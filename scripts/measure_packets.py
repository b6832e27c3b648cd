"""What packets cost, and what is left of progressive files when some are lost, as Markdown tables.

    invcomp compress FACES -o packed/ --progressive --max-bytes 200 --schedule fast
    python scripts/measure_packets.py packed/

Drops packets at random, `--trials` times each file, joins what is left with `--partial`, and counts files that are
whole, files of which something can be shown, and levels.
"""

import argparse
import random
from pathlib import Path

import numpy as np

from invcomp.carriers.joining import choose, join, sort_out
from invcomp.carriers.packets import HEADER, MOST, split
from invcomp.container import level_ends
from invcomp.errors import FormatError

MTUS = (51, 115, 222, 237, 340)
SIZES = (100, 200, 400, 888)
LOSSES = (0.05, 0.1, 0.2)


def levels_left(data: bytes, packets: list[bytes]) -> int:
    """Of a file, when only these packets of it arrive."""
    try:
        received = sort_out(((str(number), packet) for number, packet in enumerate(packets)), print)
        return len(level_ends(join(choose(received, print), partial=True).data) or ())
    except FormatError:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="progressive .inv files")
    parser.add_argument("--trials", type=int, default=1000)
    args = parser.parse_args()

    print("| `--mtu` |" + "".join(f" {size} bytes |" for size in SIZES) + " largest file |")
    print("|---" * (len(SIZES) + 2) + "|")
    for mtu in MTUS:
        counts = [-(-size // (mtu - HEADER)) for size in SIZES]
        cells = [f"{n} ({100 * n * HEADER / size:.0f} %)" for n, size in zip(counts, SIZES, strict=True)]
        print(f"| {mtu} | {' | '.join(cells)} | {MOST * (mtu - HEADER):,} |")

    files = [path.read_bytes() for path in sorted(args.folder.glob("*.inv"))]
    rng = random.Random(0)
    print(f"\n{len(files)} files of {np.mean([len(data) for data in files]):.0f} bytes:\n")
    print("| `--mtu` | packets | lost | whole | something to show | levels |\n|---|---|---|---|---|---|")
    for mtu in MTUS[:1] + MTUS[-2:-1]:
        cut = [split(data, mtu) for data in files]
        for loss in LOSSES:
            left = [
                (levels_left(data, [packet for packet in packets if rng.random() >= loss]), len(level_ends(data) or ()))
                for data, packets in zip(files, cut, strict=True)
                for _ in range(args.trials)
            ]
            levels, had = np.array(left).T
            print(
                f"| {mtu} | {np.mean([len(packets) for packets in cut]):.1f} | {loss:.0%} | "
                f"{(levels == had).mean():.0%} | {(levels > 0).mean():.0%} | {levels.mean():.1f} of {had.mean():.1f} |"
            )


if __name__ == "__main__":
    main()
