"""Fit how the coarse levels of a prior hang together, for samples and for levels that are missing.

    python scripts/make_faces.py -n 1500 -o faces --size 128 --seed 7         # drawn as those of its training
    python scripts/make_faces.py -n 300 -o held-out --size 128 --seed 9001    # and others
    python scripts/fit_factors.py pretrained/faces faces --held-out held-out

Training does the same at its end; this is for priors of fixed size that were trained before. Writes
`factors.safetensors`, names it in `prior.json`, and remakes the card's `samples.png` and, with pictures that are
`--held-out`, `cuts.png`; the prior's id and its other files stay as they are. About 3 minutes on one core for `faces`.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from measure_gap import read

from invcomp.codec import Codec
from invcomp.exact import exact
from invcomp.pictures import png_bytes
from invcomp.priors.factors import FACTORS
from invcomp.priors.files import write_factors
from invcomp.priors.generator import Generator
from invcomp.priors.info import CARD
from invcomp.training.card import CUTS, SAMPLES, SHOWN, cuts, samples
from invcomp.training.factors import fit_factors
from invcomp.training.step import Networks
from invcomp.writing import write_whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prior", type=Path)
    parser.add_argument("pictures", type=Path, help="of the domain, aligned, as for training")
    parser.add_argument("--held-out", type=Path, help="of the domain, not used in training")
    args = parser.parse_args()

    codec = Codec(args.prior, "cpu")
    prior = codec.prior
    assert isinstance(prior.generator, Generator)
    networks = Networks(prior.generator.arch)
    networks.coding["generator"], networks.coding["encoder"] = prior.generator, prior.encoder
    pictures = read(codec, args.pictures)
    with exact():
        factors = fit_factors(networks, pictures)
        if factors is None:
            parser.error(f"{args.prior} is of free size, or these are too few pictures")
        middle = prior.arch.rates // 2
        shown = {SAMPLES: samples(prior.generator, prior.tables, factors, middle, pictures[:1])}
        if args.held_out:
            held_out = read(codec, args.held_out, SHOWN)
            shown[CUTS] = cuts(networks, prior.tables, factors, middle, held_out)
    digest = write_factors(args.prior, factors)
    for name, picture in shown.items():
        write_whole(args.prior / name, png_bytes(picture))
    info = replace(prior.info, files=prior.info.files | {FACTORS: digest})
    write_whole(args.prior / CARD, info.to_json().encode())
    size = (args.prior / FACTORS).stat().st_size
    print(f"{args.prior / FACTORS}: {len(factors.scale)} factors of {len(factors.mean):,} numbers, {size:,} bytes;")
    total = factors.noise.sum() + np.square(factors.weights).sum()
    print(f"fitted to {len(pictures):,} pictures; noise is {factors.noise.sum() / total:.0%} of the variance")


if __name__ == "__main__":
    main()
