"""Write the priors of golden files as the web decoder reads them, for its tests.

The shipped ones whole, of the others the tables alone, with an empty generator; and an untrained one of free size with
some files and their pictures.

python scripts/export_golden_priors.py web/build/golden    # a folder for every name in tests/golden/priors.json
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for tests

from PIL import Image  # noqa: E402

from invcomp import Codec  # noqa: E402
from invcomp.exporting import described, export  # noqa: E402
from invcomp.pictures import encode_image  # noqa: E402
from invcomp.priors.info import CARD, read_info  # noqa: E402
from invcomp.priors.reading import GRAPH, TABLES, read_architecture, read_generator, tables_json  # noqa: E402
from invcomp.writing import write_whole  # noqa: E402
from tests.golden_files import UnavailableError, golden_priors, prior_folder  # noqa: E402
from tests.untrained import FREE, untrained  # noqa: E402


def export_tables(folder: Path, output: Path) -> None:
    """What decoding symbols takes of a prior."""
    info = read_info(folder)
    _, architecture, tensors = read_generator(folder, info)
    contents = {GRAPH: b"", TABLES: tables_json(read_architecture(architecture), tensors).encode()}
    contents[CARD] = described(info, {}, contents).to_json().encode()
    output.mkdir(parents=True)
    for name, data in contents.items():
        write_whole(output / name, data)


def export_free(output: Path) -> None:
    """A prior of free size, `.inv` files of it, and as `.png` what Python decodes them to."""
    with tempfile.TemporaryDirectory() as place:
        folder = untrained(Path(place) / "free", FREE)
        export(folder, output)
        codec = Codec(folder, "cpu")
        for width, height in ((23, 10), (1, 9), (64, 64)):
            image = Image.effect_noise((width, height), 70).convert("RGB")
            for progressive in (False, True):
                data = codec.compress(image, steps=0, quality=90, loss="mse", progressive=progressive)
                path = output / f"{width}x{height}{'-progressive' if progressive else ''}"
                write_whole(path.with_suffix(".inv"), data)
                write_whole(path.with_suffix(".png"), encode_image(codec.decompress(data)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    missing = {}
    for key, prior in golden_priors().items():
        with tempfile.TemporaryDirectory() as place:
            try:
                folder = prior_folder(prior, Path(place))
            except UnavailableError as error:
                missing[key] = str(error)
                continue
            shipped = ROOT / "pretrained" in folder.parents
            (export if shipped else export_tables)(folder, output / key)
    export_free(output / "free")
    write_whole(output / "missing.json", json.dumps(missing, indent=1).encode())
    for key, reason in missing.items():
        print(f"tests of golden files of {key} are left out: {reason}")


if __name__ == "__main__":
    main()
