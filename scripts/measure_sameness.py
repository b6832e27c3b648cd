"""How far decoded pictures differ with threads, batch, memory format, oneDNN and determinism: all 32 settings;
and with ONNX Runtime in place of torch.

python scripts/measure_sameness.py 067fd180 5b6c714b b6402a70    # priors by their name in tests/golden/priors.json
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for tests

from invcomp import Codec, Decoder  # noqa: E402
from invcomp.exporting import export  # noqa: E402
from tests.golden_files import golden_priors, plain_files, prior_folder  # noqa: E402
from tests.sameness import CELLS, FIRST, TOGETHER, Cell, Decoded, decode, decode_without_torch  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("priors", nargs="+")
    args = parser.parse_args()
    print("| prior | setting | symbols | largest difference, of 255 | share of values that differ |")
    print("|---|---|---|---|---|")
    for name in args.priors:
        files = [path.read_bytes() for path in plain_files(name)[:TOGETHER]]
        with tempfile.TemporaryDirectory() as place:
            folder = prior_folder(golden_priors()[name], Path(place))
            codec = Codec(folder, "cpu")
            expected = decode(codec, files, FIRST)
            for cell in CELLS:
                print(row(codec, str(cell), decode(codec, files, cell), expected), flush=True)
            export(folder, Path(place) / "decoder")
            found = decode_without_torch(Decoder(Path(place) / "decoder"), files)
            print(row(codec, "ONNX Runtime", found, expected), flush=True)
            if torch.cuda.is_available():
                for batch in (1, TOGETHER):
                    found = decode(Codec(folder, "cuda"), files, Cell(batch=batch))
                    print(row(codec, f"GPU, batch {batch}", found, expected), flush=True)


def row(codec: Codec, setting: str, found: Decoded, expected: Decoded) -> str:
    most, share = found.difference(expected)
    symbols = "equal" if found.same_symbols(expected) else "DIFFER"
    return f"| {codec.prior.info.name} | {setting} | {symbols} | {most} | {share:.1e} |"


if __name__ == "__main__":
    main()
