"""Say of a prior what is usual for it: how held-out pictures of its domain are distributed, and what tells the domain.

    python scripts/make_faces.py -n 1500 -o faces --size 128 --seed 7         # pictures that it was trained with
    python scripts/make_faces.py -n 300 -o held-out --size 128 --seed 9001    # and others
    python scripts/fetch_photographs.py -o photographs
    python scripts/calibrate_prior.py pretrained/faces faces held-out photographs

Training does the same at its end; this is for priors that were trained before, or augmented less than what they are
used on. Writes `domain.safetensors` and `prior.json` into the folder; the prior's id and its files stay as they are.
About 5 minutes on two cores for `faces`.

    python scripts/calibrate_prior.py PORTRAITS faces held-out photographs --domain-of pretrained/faces \
        -o pretrained/portraits

`--distortion LOSS` gives the prior another loss for its searches at once, and says what is usual in that one. Networks
and lambdas stay. The search of `faces` gives LPIPS twice the weight that it had in training (docs/ablation.md):

    python scripts/calibrate_prior.py pretrained/faces faces held-out photographs \
        --distortion "65*mse + 1.3*lpips-squeeze + 35*face:mse + 0.7*face:lpips-squeeze"

An imported prior, PORTRAITS as `invcomp import-prior` wrote it, has no encoder: it is searched with `--steps` for
`--most` of the held-out pictures, each at one rate index, and their distortions, divided by the mean at that index,
make one distribution for all. What tells the domain it takes from another prior of the same pictures. About 15 minutes.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from invcomp.codec import Codec
from invcomp.errors import DataError
from invcomp.exact import exact
from invcomp.pictures import read_picture
from invcomp.pixels import to_image
from invcomp.priors.calibration import quantiles
from invcomp.priors.domain import DOMAIN
from invcomp.priors.files import load_prior, write_domain
from invcomp.priors.generator import Generator
from invcomp.priors.info import CARD
from invcomp.priors.registry import SUPPLEMENT_CARD
from invcomp.training.calibration import calibration, distortions, domain_and_scores, with_changed
from invcomp.training.config import AUGMENTATIONS, TrainingConfig
from invcomp.training.data import load_others, named_files
from invcomp.training.loop import augmentation
from invcomp.training.step import Networks
from invcomp.writing import write_whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prior", type=Path)
    parser.add_argument("pictures", type=Path, help="of the domain, aligned, as for training")
    parser.add_argument("held_out", type=Path, help="of the domain, not used in training")
    parser.add_argument("others", type=Path, help="photographs of other things")
    parser.add_argument("--steps", type=int, default=100, help="of the search, for a prior without an encoder")
    parser.add_argument("--most", type=int, default=24, help="held-out pictures that are searched then")
    parser.add_argument("--distortion", help="the loss that searches lower from now on (default: as it is)")
    parser.add_argument("--domain-of", type=Path, help="a prior whose knowledge of the domain is taken over")
    parser.add_argument("-o", "--output", type=Path, help="folder (default: the prior's)")
    args = parser.parse_args()

    codec = Codec(args.prior, "cpu")
    distortion: str = args.distortion or codec.prior.info.distortion
    codec.check_search(distortion)
    config = replace(TrainingConfig(), **AUGMENTATIONS["photographs"])
    held_out = load(codec, args.held_out)
    others = load_others(args.others, held_out.shape[-1], config.seed)
    change = augmentation(config, others)
    usual = with_changed(torch.from_numpy(held_out).float() / 255, change)
    output: Path = args.output or args.prior
    with exact():
        if args.domain_of:
            known = load_prior(args.domain_of)
            assert known.domain is not None
            domain, scores = known.domain, known.info.calibration["domain"]
        else:
            network = codec.prior.domain_network
            assert network is not None
            domain, values = domain_and_scores(network, load(codec, args.pictures), others, usual, change)
            scores = quantiles(values)
        found = (
            encoded(codec, usual, distortion)
            if codec.prior.encoder
            else searched(codec, usual, distortion, args.steps, args.most)
        )
    card = calibration(len(usual), found, scores, 0 if codec.prior.encoder else args.steps)
    digest = write_domain(output, domain)
    if (output / SUPPLEMENT_CARD).exists():
        supplement = json.loads((output / SUPPLEMENT_CARD).read_text())
        supplement |= {"domain": digest, "info": supplement["info"] | {"calibration": card, "distortion": distortion}}
        write_whole(output / SUPPLEMENT_CARD, json.dumps(supplement, indent=1).encode())
    else:
        files = codec.prior.info.files | {DOMAIN: digest}
        info = replace(codec.prior.info, calibration=card, distortion=distortion, files=files)
        write_whole(output / CARD, info.to_json().encode())
    print(f"{output}: {card['pictures']} pictures; quantiles of the domain's scores {scores}")


def load(codec: Codec, folder: Path) -> np.ndarray:
    """The pictures of a folder as the prior codes them, uint8 (N, 3, S, S)."""
    images = [read_picture(fetch(), name).image for name, fetch in named_files(folder)]
    if not images:
        raise DataError(f"{folder} has no pictures")
    return np.stack([(codec.to_coded(image) * 255).round().to(torch.uint8).numpy() for image in images])


def encoded(codec: Codec, pictures: Tensor, distortion: str) -> list[list[float]]:
    """Distortions [R][N] by the encoder alone."""
    prior = codec.prior
    assert isinstance(prior.generator, Generator)
    networks = Networks(prior.generator.arch)
    networks.coding["generator"], networks.coding["encoder"] = prior.generator, prior.encoder
    return distortions(networks, pictures, codec.loss(distortion))


def searched(codec: Codec, pictures: Tensor, distortion: str, steps: int, most: int) -> list[list[float]]:
    """Distortions [R][N] that searches of N pictures end with, each at one rate index and scaled to the others."""
    rates = len(codec.prior.info.lambdas)
    usual = codec.usual(distortion)
    ratios = []
    chosen = np.random.default_rng(0).permutation(len(pictures))[:most]
    for number, index in enumerate(track(chosen, description="searching")):
        quality = 100 * (number % rates) / (rates - 1)
        (result,) = codec.compress_batch([to_image(pictures[index])], quality=quality, steps=steps, loss=distortion)
        ratios.append(result.distortion / usual[result.rate])
    return [[float(ratio * mean) for ratio in ratios] for mean in usual]


if __name__ == "__main__":
    main()
