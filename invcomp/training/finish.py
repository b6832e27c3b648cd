"""From trained networks to a prior on disk: integer tables, calibration, model card."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invcomp.entropy.chain import Symbols, ideal_bits
from invcomp.entropy.fitting import fit, fit_contexts, histogram, smallest_bound
from invcomp.entropy.tables import LevelTables
from invcomp.errors import LossError
from invcomp.exact import exact
from invcomp.inversion.losses import LPIPS_TERMS, TERMS, build_loss, cached_lpips, parse_loss, whole
from invcomp.priors.calibration import quantiles
from invcomp.priors.domain import DOMAIN, Domain
from invcomp.priors.factors import FACTORS
from invcomp.priors.files import CRITIC, ENCODER, half, write_domain, write_factors, write_networks
from invcomp.priors.info import CARD, PriorInfo
from invcomp.priors.lpips import is_cached
from invcomp.priors.reading import GENERATOR
from invcomp.training.calibration import calibration, distortions, domain_and_scores, with_changed
from invcomp.training.card import watts, write_card
from invcomp.training.config import TrainingConfig
from invcomp.training.factors import fit_factors
from invcomp.training.loop import augmentation
from invcomp.training.monitor import LOG, decode_held_out
from invcomp.training.step import Networks
from invcomp.writing import staged, write_whole

TABLE_PICTURES = 2000
HEADER_BYTES = 5.5  # header, checksum and half a byte of coder termination


@dataclass(frozen=True)
class About:
    """What only the person who trains knows."""

    name: str
    domain: str
    licence: str
    data: str
    limits: str = "Not stated: look at decoded pictures of your own before relying on it."


def store_as_half(networks: Networks) -> None:
    """Round weights to fp16, as they will be stored, so that everything below is fitted to what decodes."""
    for network in (networks.generator, networks.encoder, networks.critic):
        stored = half(network)
        network.load_state_dict({k: torch.from_numpy(v.astype(np.float32)) for k, v in stored.items()})


def fit_tables(
    networks: Networks, pictures: Tensor, say: Callable[[str], None] = lambda _: None
) -> tuple[LevelTables, ...]:
    """Integer tables for the rounded symbols of training pictures (N, 3, S, S) in [0, 1], at every rate index."""
    arch = networks.generator.arch
    aligned = arch.image_size is not None
    by_rate: list[list[np.ndarray]] = []
    for rate in range(arch.rates):
        say(f"symbols at rate {rate}")
        symbols, _ = decode_held_out(networks, pictures, rate)
        by_rate.append([level.to(torch.int32).cpu().numpy() for level in symbols])
    tables = []
    for level in range(arch.levels):
        bound = max(smallest_bound(rate[level]) for rate in by_rate)
        tables.append(fit(np.stack([histogram(rate[level], bound, aligned) for rate in by_rate])))
    say("contexts")
    return tuple(fit_contexts(tables, by_rate))


def clamped(symbols: list[Tensor], tables: tuple[LevelTables, ...], picture: int) -> Symbols:
    return [
        level[picture].clamp(-table.bound, table.bound).to(torch.int32).cpu().numpy()
        for level, table in zip(symbols, tables, strict=True)
    ]


def calibrate(
    networks: Networks, tables: tuple[LevelTables, ...], held_out: Tensor, distortion: str
) -> tuple[dict[str, list[float]], list[float], list[float]]:
    """Held-out means at every rate index, encoder only: every loss term that can be had, file bytes, PSNR."""
    device = held_out.device
    in_training = {whole(name) for _, name in parse_loss(distortion)}
    terms = {}
    for name in TERMS:
        if name in LPIPS_TERMS and name not in in_training and not is_cached(LPIPS_TERMS[name]):
            continue  # no download for a mean: `Codec.rate_weight` has a stand-in
        try:
            terms[name] = build_loss(name, lambda: networks.critic, device)
            terms[name].distance(held_out[:1], terms[name].reference(held_out[:1]))
        except LossError:
            terms.pop(name, None)
    means: dict[str, list[float]] = {name: [] for name in terms}
    sizes, psnrs = [], []
    for rate in range(networks.generator.arch.rates):
        symbols, decoded = decode_held_out(networks, held_out, rate)
        bits = [sum(ideal_bits(tables, clamped(symbols, tables, n), rate)) for n in range(len(held_out))]
        sizes.append(float(np.mean(bits)) / 8 + HEADER_BYTES)
        mse = (decoded - held_out).square().mean(dim=(1, 2, 3)).clamp(min=1e-10)
        psnrs.append(float((-10 * mse.log10()).mean()))
        for name, loss in terms.items():
            values = [
                loss.distance(d, loss.reference(h))
                for d, h in zip(torch.split(decoded, 32), torch.split(held_out, 32), strict=True)
            ]
            means[name].append(float(torch.cat(values).mean()))
    return means, sizes, psnrs


def write_prior(
    folder: Path,
    networks: Networks,
    config: TrainingConfig,
    about: About,
    pictures: np.ndarray,
    held_out: np.ndarray,
    provenance: dict[str, Any],
    others: np.ndarray | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> PriorInfo:
    """Fit, calibrate and write a prior into `folder`. `pictures`, `held_out` and `others`, of other things, are uint8
    (N, 3, S, S)."""
    device = next(networks.parameters()).device
    distortion = config.distortion if not config.pure_gan else "100*mse + 0.1*critic"
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.permutation(len(pictures))[:TABLE_PICTURES])
    x = torch.from_numpy(pictures[chosen]).to(device).float() / 255
    y = torch.from_numpy(held_out).to(device).float() / 255
    with exact():
        store_as_half(networks)
        tables = fit_tables(networks, x, say)
        say("how coarse levels hang together")
        factors = fit_factors(networks, x)
        say("calibration on held-out pictures")
        means, sizes, psnrs = calibrate(networks, tables, y, config.distortion)
        carried = {
            LPIPS_TERMS[name]: cached_lpips(name)
            for name in {whole(name) for _, name in parse_loss(config.distortion)}
            if name in LPIPS_TERMS
        }
        say("what is usual")
        change = augmentation(config, others)
        usual = with_changed(y, change, config.seed)
        found = distortions(networks, usual, build_loss(distortion, lambda: networks.critic, device))
        domain: Domain | None = None
        scores: list[float] = []
        if carried and networks.generator.arch.image_size is not None:
            network = carried[sorted(carried)[0]]
            domain, scores = domain_and_scores(network, pictures, others, usual, change, config.seed)
        # at last the card, without which a folder is no prior, and before it the generator, whose hash is in it
        with staged(folder, last=(GENERATOR, CARD)) as place:
            hashes = write_networks(
                place, networks.generator, tables, {ENCODER: networks.encoder, CRITIC: networks.critic}, carried
            )
            if domain is not None:
                hashes[DOMAIN] = write_domain(place, domain)
            if factors is not None:
                hashes[FACTORS] = write_factors(place, factors)
            info = PriorInfo(
                name=about.name,
                id=hashes[GENERATOR],
                domain=about.domain,
                licence=about.licence,
                lambdas=tuple(config.lambdas(networks.generator.arch.rates)),
                distortion=distortion,
                term_means=means,
                rate_bytes=sizes,
                files=hashes,
                training={
                    "config": config.to_json(),
                    "data": about.data,
                    "limits": about.limits,
                    "watts": watts(device),
                    **provenance,
                },
                calibration=calibration(len(usual), found, quantiles(scores) if scores else []),
                results={"held_out": len(held_out), "psnr": psnrs, "bytes": sizes},
            )
            write_card(place, info, networks, tables, factors, y, folder / LOG)
            write_whole(place / CARD, info.to_json().encode())
    return info


def hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU threads ({platform.machine()})"
