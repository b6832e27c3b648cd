"""Write `web/decoder/test/vectors/`: what Python reads, decodes and resizes, for the tests of the web decoder.

python scripts/make_web_vectors.py
"""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from constriction import stream
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for tests

from invcomp import container  # noqa: E402
from invcomp.checksums import sealed  # noqa: E402
from invcomp.container import Container  # noqa: E402
from invcomp.decoder import Decoder  # noqa: E402
from invcomp.entropy.coder import seal  # noqa: E402
from invcomp.entropy.tables import integer_frequencies  # noqa: E402
from invcomp.errors import FormatError  # noqa: E402
from invcomp.fallback import encode  # noqa: E402
from invcomp.jxl import still_size  # noqa: E402
from invcomp.pictures import encode_image  # noqa: E402
from invcomp.priors.factors import FACTORS  # noqa: E402
from tests.golden_files import fields  # noqa: E402

VECTORS = ROOT / "web" / "decoder" / "test" / "vectors"
PRIOR_ID = bytes(range(32))
EVERY = 61  # of the numbers of a cut file one is kept
SIZES = (
    ((5, 7), (13, 4)),
    ((4, 4), (4, 9)),
    ((9, 3), (2, 3)),
    ((16, 16), (16, 16)),
    ((1, 1), (3, 2)),
    ((31, 17), (7, 5)),
    ((20, 20), (15, 10)),
    ((20, 21), (15, 10)),
)
LARGE = (((128, 128), (300, 211)), ((128, 128), (90, 40)), ((64, 64), (1, 1000)), ((400, 30), (33, 35)))


def coded(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Symbols, each with a table of its own, and the bytes that the library constriction makes of them."""
    found = []
    for count, length, sharpness in ((3, 1, 1.0), (3, 200, 9.0), (31, 40, 1.0), (201, 60, 20.0), (1023, 25, 5.0)):
        cumulative = integer_frequencies(rng.random((4, count)) ** sharpness + 1e-9)
        ends = np.concatenate([cumulative[:, 1:], np.full((4, 1), 1 << 16)], axis=1)
        frequencies = (ends.astype(np.int64) - cumulative).astype(np.float64)
        rows = rng.integers(0, 4, length)
        symbols = np.array([rng.choice(count, p=frequencies[row] / 65536) for row in rows], dtype=np.int32)
        encoder = stream.queue.RangeEncoder()
        encoder.encode(symbols, stream.model.Categorical(perfect=False), frequencies[rows])
        short = seal([(frequencies, symbols, rows)])[0]
        found.append(
            {
                "count": count,
                "cumulative": cumulative.ravel().tolist(),
                "rows": rows.tolist(),
                "symbols": symbols.tolist(),
                "words": encoder.get_compressed().astype(">u4").tobytes().hex(),
                "shortest": {"payload": short.data.hex(), "tail": short.tail},
            }
        )
    return found


def resized() -> list[dict[str, Any]]:
    """Pictures resized by Pillow 13 (others take rows and columns in another order); of large ones the hash."""
    found = []
    for (width, height), (to_width, to_height) in SIZES + LARGE:
        # of bytes that the test makes too
        pixels = np.array([(n * n * 7 + n * 31) % 251 for n in range(width * height * 3)], dtype=np.uint8)
        picture = Image.fromarray(pixels.reshape(height, width, 3))
        shown = picture.resize((to_width, to_height), Image.Resampling.LANCZOS).tobytes()
        large = ((width, height), (to_width, to_height)) in LARGE
        result = {"sha256": hashlib.sha256(shown).hexdigest()} if large else {"pixels": shown.hex()}
        found.append({"from": [width, height], "to": [to_width, to_height]} | result)
    return found


def damaged(rng: np.random.Generator) -> list[bytes]:
    """Files of the prior `PRIOR_ID`, whole ones and others; of some the checksum is right and the fields are not."""
    head = bytes([0xA0, 0x18, 0x00])
    files = [b"", b"\xa0", b"\x89PNG\r\n", b"\xa8\x00\x00\x00\x00", b"\xa0\x18\x01ab", head + b"\0\0"]
    whole = [
        container.serialise(Container(PRIOR_ID, 3, b"payload")),
        container.serialise(Container(PRIOR_ID, 3, b"payload", checksum=1)),
        container.serialise(Container(PRIOR_ID, 2, b"", size=(300, 200), levels=5, parts=(b"abc", b"d"))),
        container.serialise(Container(PRIOR_ID, 2, b"", levels=0, parts=())),
        container.serialise(Container(PRIOR_ID, 0, b"RIFF", size=(12, 7), foreign="webp")),
        container.serialise(Container(PRIOR_ID, 0, b"\xff\x0a", size=(9, 9), foreign="jxl", checksum=1)),
    ]
    files += whole + [data + bytes(n) for data in whole for n in (1, 2)]
    files += [data[:end] for data in whole for end in range(3, len(data))]
    for kinds in range(64):  # every combination of fields, before random bytes
        for size in (0, 4):
            body = (
                bytes([0xA0 | size, 0x98, 0x00, kinds])
                + rng.integers(0, 256, int(rng.integers(0, 24))).astype("u1").tobytes()
            )
            files.append(sealed(PRIOR_ID, body))
    small = (
        lambda: rng.integers(0, 128, 2).astype("u1").tobytes(),
        lambda: rng.integers(1, 9, 12).astype("u1").tobytes(),
    )
    for kinds in (1, 3, 8, 9, 11, 15, 33, 64, 128):  # plausible numbers
        for make in small * 3:
            files.append(sealed(PRIOR_ID, bytes([0xA0, 0x98 if kinds != 33 else 0x90, 0x00, kinds]) + make() * 2))
    return files


def read(data: bytes, partial: bool) -> dict[str, Any]:
    """What Python says of a file."""
    try:
        return {"fields": fields(container.read(data, PRIOR_ID, "x.inv", partial))}
    except FormatError as error:
        return {"error": str(error)}


def stills() -> list[dict[str, Any]]:
    """Heads of JPEG XL files and the sizes in them."""
    found = []
    for size in ((1, 1), (48, 32), (256, 256), (300, 100), (17, 513)):
        data = encode("jxl", Image.new("RGB", size, (9, 99, 200)), 40)[:48]
        found.append({"head": data.hex(), "size": list(still_size(data))})
    return found


def cuts() -> list[dict[str, Any]]:
    """What Python makes of golden files that are cut off after a level: the SHA-256 of the symbols, some of the numbers
    that it paints (of every level each `EVERY`th), and the picture."""
    found = []
    for name in ("faces", "faces-64"):
        decoder = Decoder(ROOT / "pretrained" / name)
        for case in ("progressive", "every-field"):
            stem = f"v1-{decoder.prior.info.id[:8]}-{case}"
            data = (ROOT / "tests" / "golden" / f"{stem}.inv").read_bytes()
            for end in container.cut_points(decoder.prior.info.id_bytes, data)[:-1]:
                content, symbols = decoder.read(data[:end], partial=True)
                painted = decoder.residuals(content, symbols)
                digest = hashlib.sha256(b"".join(level.astype("<i4").tobytes() for level in symbols)).hexdigest()
                picture = base64.b64encode(encode_image(decoder.decompress(data[:end], partial=True))).decode()
                numbers = [[round(float(number), 4) for number in level.ravel()[::EVERY]] for level in painted]
                found.append(
                    {"stem": stem, "bytes": end, "factors": decoder.prior.info.files[FACTORS], "symbols": digest}
                    | {"every": EVERY, "numbers": numbers, "picture": picture}
                )
    return found


def main() -> None:
    rng = np.random.default_rng(1)
    VECTORS.mkdir(parents=True, exist_ok=True)
    files = [{"file": data.hex(), "whole": read(data, False), "partial": read(data, True)} for data in damaged(rng)]
    for name, value in {
        "coded": coded(rng),
        "resized": resized(),
        "files": files,
        "stills": stills(),
        "cuts": cuts(),
    }.items():
        lines = [json.dumps(entry) for entry in value] if isinstance(value, list) else []
        text = "[\n" + ",\n".join(lines) + "\n]\n" if lines else json.dumps(value, indent=1) + "\n"
        (VECTORS / f"{name}.json").write_text(text)
        print(f"{name}.json: {len(text)} bytes")


if __name__ == "__main__":
    main()
