"""How far pictures drawn from a prior are from real ones: the Fréchet distance between their features.

    python scripts/measure_samples.py FOLDER --prior faces --prior faces-64

FOLDER holds pictures that no prior was trained on. Features are the mean-pooled last layer of AlexNet (ImageNet);
pictures are brought to the size of the first prior. The distance of one half of FOLDER to the other shows what the
small number of pictures alone makes of it.
"""

import argparse
from pathlib import Path

import numpy as np
import piq
import torch
from PIL import Image
from rich.console import Console

from invcomp import Codec
from invcomp.inversion.losses import cached_lpips
from invcomp.lab.metrics import pooled_features
from invcomp.pictures import extensions, read_picture
from invcomp.pixels import to_tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prior", action="append", help="may be repeated (default faces)")
    args = parser.parse_args()

    codecs = {name: Codec(name) for name in args.prior or ["faces"]}
    side = next(iter(codecs.values())).prior.arch.coded_size
    features = pooled_features(cached_lpips("lpips-alex"))

    @torch.no_grad()
    def of(images: list[Image.Image]) -> torch.Tensor:
        sized = [image.resize((side, side), Image.Resampling.LANCZOS) for image in images]
        return torch.cat([features(to_tensor(image)[None]) for image in sized])

    paths = sorted(path for path in args.folder.iterdir() if path.suffix.lower() in extensions())
    real = of([read_picture(path).image for path in paths])
    real = real[torch.from_numpy(np.random.default_rng(0).permutation(len(real)))]
    half = len(real) // 2
    console = Console()

    def distance(some: torch.Tensor, others: torch.Tensor) -> str:
        return f"{float(piq.FID().compute_metric(some, others)):.2f}"

    console.print(f"{half} pictures of {args.folder} to {half} others: {distance(real[:half], real[half:])}")
    for name, codec in codecs.items():
        drawn = of(codec.sample(len(real)))
        few, all_of_them = distance(drawn[:half], real[half:]), distance(drawn, real)
        console.print(f"{half} drawn from {name} to {half} of them: {few}; {len(real)} to {len(real)}: {all_of_them}")


if __name__ == "__main__":
    main()
