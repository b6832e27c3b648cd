"""Write the golden files of the shipped prior: `tests/golden/`. Existing ones are never changed.

python scripts/make_golden.py v1
"""

import argparse
import hashlib
import json
from pathlib import Path

from PIL import Image

from invcomp import Codec
from invcomp.pictures import encode_image, read_picture, write_whole

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="prefix of the names, like v1")
    parser.add_argument("--prior", default="faces")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "tests" / "golden")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    codec = Codec(args.prior, "cpu")
    index = args.output / "symbols.json"
    digests = json.loads(index.read_text()) if index.exists() else {}
    faces = [read_picture(path).image for path in sorted((ROOT / "tests" / "faces").glob("*.png"))]
    cases = {f"q{quality}-{n}": (faces[n], quality) for quality in (0, 36, 100) for n in range(2)}
    cases["wide"] = (faces[2].resize((90, 40), Image.Resampling.LANCZOS), 36)
    cases["large"] = (faces[3].resize((200, 200), Image.Resampling.LANCZOS), 20)
    for name, (image, quality) in cases.items():
        path = args.output / f"{args.version}-{args.prior}-{name}.inv"
        if path.exists():
            continue
        data = codec.compress(image, quality=quality, steps=50)
        _, symbols = codec.read(data)
        write_whole(path, data)
        write_whole(path.with_suffix(".png"), encode_image(codec.decompress(data)))
        digests[path.stem] = hashlib.sha256(b"".join(level.astype("<i4").tobytes() for level in symbols)).hexdigest()
        print(f"{path.name}: {len(data)} bytes")
    write_whole(index, json.dumps(digests, indent=1).encode())


if __name__ == "__main__":
    main()
