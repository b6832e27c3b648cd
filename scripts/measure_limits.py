"""The figures of docs/limits.md: who is still recognised at which size, and whom the codec serves worse.

    python scripts/measure_limits.py FOLDER... -o OUT --drawn FOLDER --strip docs/limits.png

Every face of the folders becomes files of at most so many bytes, for each of several sizes, which are kept in OUT: an
interrupted run goes on where it was. Writes limits.json and limits.md (tables) to OUT, and the strip of faces.
Groups are thirds of every folder by the skin tone of the cheeks (`invcomp.lab.skin`), so that the kinds of pictures are
the same in each. Intervals are at 95 % (`invcomp.lab.intervals`). `--drawn` is a folder of pictures like those that the
prior was trained on (`scripts/make_faces.py -n 256 -o FOLDER --size 128 --seed 7`), whose skin is measured too.
"""

import argparse
import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from invcomp import Codec
from invcomp.inversion.losses import cached_lpips
from invcomp.lab.folder import PictureSet, load_pictures
from invcomp.lab.identity import SAME_PERSON, FaceRecognition
from invcomp.lab.intervals import mean_interval, share_interval
from invcomp.lab.metrics import lpips_measure, psnr
from invcomp.lab.skin import SkinMeter, skin_colour, tone, typology_angle
from invcomp.pictures import encode_image, grid
from invcomp.pixels import to_tensor
from invcomp.writing import write_whole

TOGETHER = 8  # pictures between files that are kept
GROUPS = ("darkest third", "middle third", "lightest third")
CLASSES = {  # of the typology, two by two: single ones have too few faces here
    "brown or dark": ("brown", "dark"),
    "tan or intermediate": ("tan", "intermediate"),
    "light or very light": ("light", "very light"),
}
QUALITY = ("distance", "same", "lpips_alex", "lpips_squeeze", "psnr")
SHARES = ("same", "nearest")
FIGURES = {
    "distance": 2,
    "same": 2,
    "nearest": 2,
    "lpips_alex": 3,
    "lpips_squeeze": 3,
    "psnr": 1,
    "angle_shift": 1,
    "lightness_shift": 1,
}
"""Decimals."""
STRIP = (60, 100, 200, 400)  # bytes of the strip

Row = dict[str, Any]
"""Figures of an original face, or of one of its files."""


def compressed(codec: Codec, pictures: PictureSet, folder: Path, max_bytes: int, schedule: str) -> list[bytes]:
    """Files of at most `max_bytes`; those that are in `folder` as they are."""
    paths = [folder / f"{name}.inv" for name in pictures.names]
    missing = [index for index, path in enumerate(paths) if not path.is_file()]
    for first in range(0, len(missing), TOGETHER):
        batch = missing[first : first + TOGETHER]
        results = codec.compress_batch([pictures.images[i] for i in batch], max_bytes=max_bytes, schedule=schedule)
        for index, result in zip(batch, results, strict=True):
            paths[index].parent.mkdir(parents=True, exist_ok=True)
            write_whole(paths[index], result.data)
    return [path.read_bytes() for path in paths]


class Meter:
    """All figures of faces; the face and its skin are sought in the originals alone."""

    def __init__(self) -> None:
        self.recognition, self.skin = FaceRecognition(), SkinMeter()
        self.measures: dict[str, Callable[..., torch.Tensor]] = {"psnr": psnr}
        for net in ("alex", "squeeze"):
            self.measures[f"lpips_{net}"] = lpips_measure(cached_lpips(f"lpips-{net}"))

    def original(self, image: Image.Image) -> Row | None:
        """None if dlib finds no face."""
        box = self.recognition.find(image)
        if box is None:
            return None
        cheeks = self.skin.cheeks(image, box)
        return {"image": image, "box": box, "cheeks": cheeks, **self.seen(image, box, cheeks)}

    def seen(self, image: Image.Image, box: Any, cheeks: NDArray[np.bool_]) -> Row:
        """Descriptor and skin of a face."""
        lightness, _, yellowness = skin_colour(image, cheeks)
        angle = typology_angle(lightness, yellowness)
        return {"descriptor": self.recognition.descriptor(image, box), "lightness": float(lightness), "angle": angle}

    @torch.no_grad()
    def decoded(self, image: Image.Image, data: bytes, index: int, originals: list[Row]) -> Row:
        """Figures of a decoded face against the original `index` of its folder, and against all others of it."""
        own = originals[index]
        row = self.seen(image, own["box"], own["cheeks"])
        distances = [float(np.linalg.norm(row["descriptor"] - face["descriptor"])) for face in originals]
        new, old = to_tensor(image)[None], to_tensor(own["image"])[None]
        return {
            "bytes": len(data),
            "distance": distances[index],
            "same": float(distances[index] < SAME_PERSON),
            "nearest": float(distances[index] == min(distances)),
            "angle_shift": row["angle"] - own["angle"],
            "lightness_shift": row["lightness"] - own["lightness"],
            **{key: float(measure(new, old)) for key, measure in self.measures.items()},
        }


def shown(key: str, values: list[float], others: list[float] | None = None) -> str:
    """`0.57 [0.53, 0.61]`: the mean, or with a sign its difference to that of others."""
    measure = share_interval if key in SHARES else mean_interval
    mean, low, high = measure(values, others)
    sign, decimals = "" if others is None else "+", FIGURES[key]
    return f"{mean:{sign}.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


def table(title: str, heads: list[str], rows: list[list[str]]) -> str:
    lines = [f"**{title}**", "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def of(rows: list[Row], key: str, **wanted: Any) -> list[float]:
    """A figure of the files that are what is wanted."""
    return [row[key] for row in rows if all(row[name] == value for name, value in wanted.items())]


def identity_table(files: list[Row], folders: list[str], sizes: list[int]) -> str:
    keys = ("same", "distance", "nearest")
    rows = []
    for size in sizes:
        row = [f"{size} B"]
        for folder in folders:
            at = {"folder": folder, "max_bytes": size}
            row += [f"{np.mean(of(files, 'bytes', **at)):.0f}", *(shown(key, of(files, key, **at)) for key in keys)]
        rows.append(row)
    heads = [f"{folder}: {what}" for folder in folders for what in ("bytes", *keys)]
    return table("Identity by size", ["at most", *heads], rows)


def pairs_table(originals: dict[str, list[Row]]) -> str:
    rows = []
    for folder, faces in originals.items():
        d = [float(np.linalg.norm(a["descriptor"] - b["descriptor"])) for a, b in combinations(faces, 2)]
        below = sum(x < SAME_PERSON for x in d)
        rows.append([folder, str(len(d)), str(below), f"{below / len(d):.3f}", f"{min(d):.2f}", f"{np.mean(d):.2f}"])
    return table("Different faces among the originals", ["", "pairs", "below 0.6", "share", "nearest", "mean"], rows)


def members_table(faces: list[Row], names: list[str]) -> str:
    rows = []
    for name in names:
        members = [face for face in faces if name in (face["group"], face["class"])]
        angles, folders = sorted(face["angle"] for face in members), [face["folder"] for face in members]
        counts = ", ".join(f"{folders.count(folder)} of {folder}" for folder in dict.fromkeys(folders))
        rows.append([name, str(len(members)), counts, f"{angles[0]:.0f}° to {angles[-1]:.0f}°"])
    return table("Groups", ["", "faces", "", "ITA"], rows)


def quality_table(title: str, files: list[Row], key: str, groups: list[str], sizes: list[int]) -> str:
    """Every figure of every group, and the first group less the last."""
    rows = []
    for size in sizes:
        for group in groups:
            found = [of(files, figure, **{key: group, "max_bytes": size}) for figure in QUALITY]
            rows.append([f"{size} B", group, *map(shown, QUALITY, found)])
        ends = [[of(files, k, **{key: groups[end], "max_bytes": size}) for end in (0, -1)] for k in QUALITY]
        differences = [shown(figure, *end) for figure, end in zip(QUALITY, ends, strict=True)]
        rows.append([f"{size} B", f"{groups[0]} - {groups[-1]}", *differences])
    return table(title, ["at most", "", *QUALITY], rows)


def shift_table(title: str, files: list[Row], figure: str, sizes: list[int]) -> str:
    rows = [[f"{s} B", *(shown(figure, of(files, figure, group=g, max_bytes=s)) for g in GROUPS)] for s in sizes]
    return table(title, ["at most", *GROUPS], rows)


def skin_table(angles: dict[str, list[float]], sought: dict[str, int]) -> str:
    rows = []
    for name, found in angles.items():
        quarters = [f"{angle:.0f}°" for angle in np.quantile(found, (0.25, 0.5, 0.75))]
        dark = np.mean([tone(angle) in CLASSES["brown or dark"] for angle in found])
        rows.append([name, f"{len(found)} of {sought[name]}", *quarters, f"{dark:.2f}"])
    heads = ["", "faces found", "a quarter below", "half below", "three quarters below", "brown or dark"]
    return table("Skin tone (ITA)", heads, rows)


def strip(codec: Codec, sets: dict[str, PictureSet], chosen: list[str], folder: Path) -> Image.Image:
    """Originals above their decoded files, from the largest to the smallest; 256 colours, dithered, for a page."""
    pairs = [name.split("/", 1) for name in chosen]
    rows = [[sets[f].images[sets[f].names.index(name)] for f, name in pairs]]
    for size in sorted(STRIP, reverse=True):
        paths = [folder / f / str(size) / f"{name}.inv" for f, name in pairs]
        rows.append([codec.decompress(path.read_bytes()) for path in paths])
    sheet = grid([image for row in rows for image in row], columns=len(chosen))
    colours = sheet.quantize(256, kmeans=2)  # the palette alone: Pillow dithers only to a given one
    return sheet.quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, default=Path("limits"))
    parser.add_argument("--prior", default="faces")
    parser.add_argument("--schedule", default="fast")
    parser.add_argument("--sizes", default="100,60,200,400,45,150", help="bytes, with commas")
    parser.add_argument("--drawn", type=Path, help="a folder of faces drawn like those of the training")
    parser.add_argument("--samples", type=int, default=128, help="faces drawn from the prior, whose skin is measured")
    parser.add_argument("--strip", type=Path, help="file for the picture of faces")
    parser.add_argument("--shown", default="", help="of the strip: FOLDER/NAME, with commas")
    args = parser.parse_args()

    if len({folder.name for folder in args.folders}) < len(args.folders):
        parser.error("two folders have the same name, and so would their results")
    codec = Codec(args.prior)
    side = codec.prior.arch.coded_size
    sets = {folder.name: load_pictures(folder, side) for folder in args.folders}
    kept = args.output / f"{args.prior}-{args.schedule}"
    sizes = [int(size) for size in args.sizes.split(",")]
    made = {}
    for size in sizes:
        for name, pictures in sets.items():
            made[name, size] = compressed(codec, pictures, kept / name / str(size), size, args.schedule)
            print(f"{name}, {size} bytes: {np.mean([len(data) for data in made[name, size]]):.1f}", flush=True)

    meter, sizes = Meter(), sorted(sizes)
    originals: dict[str, list[Row]] = {}
    files: list[Row] = []
    for name, pictures in sets.items():
        found = [meter.original(image) for image in pictures.images]
        faces = [face for face in found if face is not None]
        angles = sorted(face["angle"] for face in faces)
        for face in faces:
            face["group"] = GROUPS[len(GROUPS) * angles.index(face["angle"]) // len(faces)]
            face["class"] = next(c for c, tones in CLASSES.items() if tone(face["angle"]) in tones)
            face["folder"] = name
        originals[name] = faces
        for size in sizes:
            data = [d for d, face in zip(made[name, size], found, strict=True) if face is not None]
            for index, file in enumerate(data):
                row = meter.decoded(codec.decompress(file), file, index, faces)
                own = {key: faces[index][key] for key in ("folder", "group", "class")}
                files.append({"max_bytes": size, **own, **row})
        print(f"{name}: {len(faces)} of {len(found)} faces measured", flush=True)

    others = {"drawn by the prior": codec.sample(args.samples)}
    if args.drawn:
        others["drawn as for the training"] = load_pictures(args.drawn, side).images
    looked = {name: [face["angle"] for face in faces] for name, faces in originals.items()}
    sought = {name: len(pictures.images) for name, pictures in sets.items()}
    for name, images in others.items():
        looked[name] = [face["angle"] for image in images if (face := meter.original(image)) is not None]
        sought[name] = len(images)
    everyone = [face for faces in originals.values() for face in faces]
    at = [size for size in sizes if size in STRIP]
    tables = [
        identity_table(files, list(sets), sizes),
        pairs_table(originals),
        members_table(everyone, [*GROUPS, *CLASSES]),
        quality_table("Quality by third", files, "group", list(GROUPS), at),
        quality_table("Quality by class", files, "class", list(CLASSES), at),
        shift_table("Change of the ITA in degrees", files, "angle_shift", at),
        shift_table("Change of L*", files, "lightness_shift", at),
        skin_table(looked, sought),
    ]
    write_whole(args.output / "limits.md", "\n".join(tables).encode())
    facts = [{key: face[key] for key in ("folder", "angle", "group", "class")} for face in everyone]
    write_whole(args.output / "limits.json", json.dumps({"faces": facts, "skin": looked, "files": files}).encode())
    if args.strip:
        chosen = args.shown.split(",") if args.shown else [f"{n}/{s.names[0]}" for n, s in sets.items()]
        write_whole(args.strip, encode_image(strip(codec, sets, chosen, kept), args.strip))
    print("\n".join(tables))


if __name__ == "__main__":
    main()
