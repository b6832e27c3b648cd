"""Fit what ships of the imported prior: output heads, bases of the latent levels, tables, calibration.

    pip install --no-deps random-face
    python scripts/fit_portraits.py work/portraits              # about 45 minutes on two cores; stages resume
    python scripts/fit_portraits.py work/portraits --ship       # and put the result into pretrained/portraits

Every picture is drawn from the network itself. Heads: L1 to the network's own output, shrunken, on styles of W, of W
with an offset for each layer, and of two people mixed. Bases: J^T J of the picture under the training distortion
(random projections of pixels and of LPIPS features, propagated back), diagonalised for coordinates that vary as W
does, so that a unit of every coordinate changes the distortion by one. Tables: two-sided geometric with the predicted
spread of each coordinate, times a factor for 32 neighbours at a rate, found by inverting drawn pictures that were
turned, recoloured and covered in part, so that W alone does not hold them.
"""

import argparse
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from rich.progress import track
from torch import Tensor
from torch.nn import functional as F

from invcomp.codec import Codec
from invcomp.entropy.tables import LevelTables, integer_frequencies
from invcomp.errors import LossError
from invcomp.exact import exact
from invcomp.inversion.losses import FACE, FACE_PERCEPTUAL_SIDE, Loss, build_loss, face_of, mse
from invcomp.inversion.lpips import LpipsTerm
from invcomp.memory import keep_freed_memory
from invcomp.pixels import to_image
from invcomp.priors.critic import Critic
from invcomp.priors.files import MAPPING, load_prior, to_half, write_networks
from invcomp.priors.info import CARD, PriorInfo
from invcomp.priors.portraits.architecture import PortraitArchitecture
from invcomp.priors.portraits.generator import PortraitGenerator
from invcomp.priors.portraits.heads import Head
from invcomp.priors.portraits.importing import NAME, SUPPLEMENT, shipped_lpips, supplement_of
from invcomp.priors.portraits.sampling import find_mean_style
from invcomp.priors.portraits.wheel import load_networks, wheel_data
from invcomp.priors.reading import GENERATOR
from invcomp.priors.registry import SUPPLEMENT_CARD
from invcomp.training.augment import augment
from invcomp.writing import write_whole

ARCH: dict[str, Any] = {
    "style_size": 512,
    "style_channels": 256,
    "layer_channels": 640,
    "layer_components": 128,
    "feature_resolutions": (32,),
    "feature_channels": (8,),
    "heads": (128, 256),
    "image_size": 256,
    "rates": 8,
}
FACE_SHARE = 0.35  # of the distortion, besides its share of the whole picture
DISTORTION = " + ".join(
    f"{100 * share:g}*{part}mse + {share:g}*{part}lpips-squeeze"
    for share, part in ((1 - FACE_SHARE, ""), (FACE_SHARE, FACE))
)
FIRST_STEP, LAST_STEP = 0.4, 0.034  # quantisation steps at the first and the last rate index, in units of distortion
LAMBDA = 0.025  # rate weight as a multiple of the squared step: of 0.0125, 0.025, 0.05, 0.1 by hand the best on four
DRAWS = 50_000  # of W, for its components
POOL, HELD_OUT = 360, 24  # pictures that heads are fitted to, and those of them that are held out
HEAD_STEPS, HEAD_BATCH, HEAD_RATE = {128: 900, 256: 300}, {128: 6, 256: 2}, 1e-3
PROBED, PROBES = 130, 8  # pictures whose J^T J is probed, and probes of each
FITTED, FIT_STEPS = 5, 80  # pictures inverted at every rate for tables and calibration, and steps
FACTORS = (0.6, 0.9, 0.1)  # first guess of what levels vary by, as a share of what was predicted
TRIED = np.geomspace(0.03, 4, 80)  # factors tried in the end
TOGETHER = 32  # neighbouring channels that share a factor, if each has one symbol alone
BOUNDS = (511, 255, 7)  # of symbols
GRID = 64  # tables a level
SMALLEST = 0.1  # standard deviation of a table, in symbols
CALIBRATED = ("mse", "l1", "charbonnier", "ssim", "ms-ssim", "lpips-squeeze")


class Fitting:
    """The stages, each kept in the working folder when it is done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.mapping, self.synthesis = load_networks(wheel_data())
        self.mean = find_mean_style(self.mapping)
        self.arch = PortraitArchitecture(widths=self.synthesis.shape.widths, **ARCH)
        self.steps = np.geomspace(FIRST_STEP, LAST_STEP, self.arch.rates)

    def stage(self, name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The tensors of a stage, from the folder if they are there."""
        path = self.folder / f"{name}.pt"
        if not path.exists():
            print(f"stage {name}")
            buffer = io.BytesIO()
            torch.save(make(), buffer)
            write_whole(path, buffer.getvalue())
        found: dict[str, Tensor] = torch.load(path)
        return found

    # -- W -------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def components(self) -> dict[str, Tensor]:
        """Principal components of W (S, S), and the standard deviations along them (S,)."""
        z = torch.randn(DRAWS, self.arch.style_size, generator=torch.Generator().manual_seed(0))
        w = torch.cat([self.mapping(part) for part in z.split(5000)]) - self.mean
        _, values, vectors = torch.linalg.svd(w, full_matrices=False)
        return {"vectors": vectors, "deviations": values / DRAWS**0.5}

    def draw(self, kind: int, low: float = 0.7) -> Tensor:
        """A style W+ (1, L, S): plain, with offsets, or of two people, as `kind` modulo 3 says."""
        layers, size = self.arch.shape.style_inputs, self.arch.style_size

        def person() -> Tensor:
            w: Tensor = self.mapping(torch.randn(1, size))
            return self.mean + (low + (1 - low) * torch.rand(1)) * (w - self.mean)

        styles = person()[:, None].repeat(1, layers, 1)
        if kind % 3 == 1:
            basis = self.stage("components", self.components)
            whitened = torch.randn(1, layers, size) * basis["deviations"]
            styles = styles + 0.7 * torch.rand(1) * whitened @ basis["vectors"]
        if kind % 3 == 2:
            styles[:, int(torch.randint(1, layers, ())) :] = person()[:, None]
        return styles

    # -- heads ---------------------------------------------------------------------------------------------------

    def head(self, resolution: int) -> Head:
        head = Head(self.arch.shape, resolution)
        head.load_state_dict(self.stage(f"head-{resolution}", lambda: self.fit_head(resolution)))
        return head.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[no-any-return]

    def fit_head(self, resolution: int) -> dict[str, Tensor]:
        torch.manual_seed(resolution)
        styles = torch.cat([self.draw(number) for number in range(POOL)])
        low = self.synthesis.sizes[0]
        features, targets = [], []
        with torch.no_grad():
            for part in track(styles.split(4), description=f"pictures for the head at {resolution}"):
                kept = self.synthesis.features(part, (resolution, low))
                features += list(kept[resolution].half())
                targets.append(F.avg_pool2d(self.synthesis.paint(kept[low], part, low), low // resolution))
        target = torch.cat(targets)
        head = Head(self.arch.shape, resolution).to(memory_format=torch.channels_last)
        head.start_from(self.synthesis)
        optimiser = torch.optim.Adam(head.parameters(), HEAD_RATE, betas=(0.9, 0.99))
        steps = HEAD_STEPS[resolution]

        def painted(rows: Tensor) -> Tensor:
            x = torch.stack([features[row] for row in rows.tolist()]).float()
            return head(x.contiguous(memory_format=torch.channels_last), styles[rows], self.synthesis)

        for step in track(range(steps), description=f"head at {resolution}"):
            for group in optimiser.param_groups:
                group["lr"] = HEAD_RATE * min(1.0, step / 50) * (1 - step / steps)
            rows = torch.randint(0, POOL - HELD_OUT, (HEAD_BATCH[resolution],))
            optimiser.zero_grad()
            F.l1_loss(painted(rows), target[rows]).backward()
            optimiser.step()
        with torch.no_grad():
            held_out = torch.arange(POOL - HELD_OUT, POOL)
            errors = torch.cat([mse(painted(rows), target[rows]) for rows in held_out.split(2)])
        print(f"head at {resolution}: {float(-10 * errors.log10().mean()):.2f} dB to the network's own output")
        return dict(head.state_dict())

    # -- bases ---------------------------------------------------------------------------------------------------

    def probe(self) -> dict[str, Tensor]:
        """Squared sensitivities of the picture, under the training distortion: projections of J, and features."""
        torch.manual_seed(2)
        head, network = self.head(self.arch.coded_size), shipped_lpips()
        lpips, face_lpips = LpipsTerm(network), LpipsTerm(network, least=FACE_PERCEPTUAL_SIDE)
        basis = self.stage("components", self.components)
        resolutions = self.arch.feature_resolutions
        widths = dict(zip(self.synthesis.shape.resolutions, self.synthesis.shape.widths, strict=True))
        layers: list[Tensor] = []
        squares = {r: torch.zeros(widths[r], widths[r]) for r in resolutions}
        seen: dict[int, list[Tensor]] = {r: [] for r in resolutions}

        def measured(pictures: Tensor) -> list[Tensor]:
            """What the training distortion compares, scaled so that it is a sum of squares."""
            found = []
            for share, part, term in (
                (1 - FACE_SHARE, pictures, lpips),
                (FACE_SHARE, face_of(pictures), face_lpips),
            ):
                found.append(part * (100 * share / part[0].numel()) ** 0.5)
                for x, weight in zip(term.features(part), term.weights, strict=True):
                    unit = F.normalize(x, dim=1, eps=1e-10) * weight.sqrt()
                    found.append(unit * (share / (x.shape[2] * x.shape[3])) ** 0.5)
            return found

        for _ in track(range(PROBED), description="sensitivities"):
            styles = self.draw(0, low=0.6).requires_grad_()
            additions = {r: torch.zeros(1, widths[r], r, r, requires_grad=True) for r in resolutions}
            kept = self.synthesis.features(styles, (self.arch.coded_size, *resolutions), additions)
            values = measured(head(kept[self.arch.coded_size], styles, self.synthesis))
            for r in resolutions:
                seen[r].append(rows_of(kept[r].detach())[torch.randperm(r * r)[:128]])
            for number in range(PROBES):
                projection = torch.stack([(v * torch.randn_like(v)).sum() for v in values]).sum()
                inputs = [styles, *additions.values()]
                gradient, *others = torch.autograd.grad(projection, inputs, retain_graph=number < PROBES - 1)
                layers.append(gradient @ basis["vectors"].T)
                for r, other in zip(resolutions, others, strict=True):
                    rows = rows_of(other)
                    squares[r] += rows.T @ rows / (r * r) / (PROBED * PROBES)
        found = {f"squares-{r}": value for r, value in squares.items()}
        return found | {"layers": torch.cat(layers)} | {f"features-{r}": torch.cat(value) for r, value in seen.items()}

    def bases(self) -> dict[str, Tensor]:
        """The generator's parameters of the levels, and under `spread.L` what coordinates of level L vary by."""
        probed, w = self.stage("probe", self.probe), self.stage("components", self.components)
        arch, vectors, deviations = self.arch, w["vectors"], w["deviations"]
        gradients = probed["layers"]  # (M, L, S), in components
        unit = gradients.sum(dim=1).square().mean(dim=0).sqrt()[: arch.style_channels]
        found = {
            "mean_style": self.mean,
            "style_basis": vectors[: arch.style_channels] / unit[:, None],
            "spread.0": unit * deviations[: arch.style_channels],
            "components": (vectors * deviations[:, None])[: arch.layer_components],
        }
        whitened = (gradients * deviations)[..., : arch.layer_components]
        offsets = whitened - whitened.mean(dim=1, keepdim=True)  # what all layers share is the style's
        _, values, rows = torch.linalg.svd(offsets.flatten(1) / len(offsets) ** 0.5, full_matrices=False)
        spread = values[: arch.layer_channels]
        found["spread.1"] = spread
        found["layer_basis"] = (rows[: arch.layer_channels] / spread[:, None]).unflatten(1, offsets.shape[1:])
        for level, (r, channels) in enumerate(zip(arch.feature_resolutions, arch.feature_channels, strict=True), 2):
            features = probed[f"features-{r}"]
            covariance = torch.cov(features.T)
            root = torch.linalg.cholesky(covariance + 1e-4 * covariance.diagonal().mean() * torch.eye(len(covariance)))
            values, columns = torch.linalg.eigh(root.T @ probed[f"squares-{r}"] @ root)
            spread = values.flip(0)[:channels].sqrt()
            found[f"feature_bases.{r}"] = (root @ columns.flip(1)[:, :channels] / spread)[:, :, None, None]
            found[f"spread.{level}"] = spread
        return found

    # -- the whole -----------------------------------------------------------------------------------------------

    def generator(self) -> tuple[PortraitGenerator, list[Tensor]]:
        """The generator as it will be stored, in fp16, and the spread of every level's coordinates, (C,)."""
        bases = self.stage("bases", self.bases)
        state = {f"synthesis.{name}": value for name, value in self.synthesis.state_dict().items()}
        for resolution in self.arch.heads:
            state |= {f"heads.{resolution}.{name}": v for name, v in self.head(resolution).state_dict().items()}
        state |= {name: value for name, value in bases.items() if not name.startswith("spread.")}
        state["log_step.values"] = torch.from_numpy(np.log(self.steps))
        generator = PortraitGenerator(self.arch)
        generator.load_state_dict({name: to_half(value).float() for name, value in state.items()})
        return generator.eval().requires_grad_(False), [bases[f"spread.{level}"] for level in range(self.arch.levels)]

    def tables(self, spreads: list[Tensor], factors: list[np.ndarray]) -> tuple[LevelTables, ...]:
        """Two-sided geometric tables; `factors` [(R, C)] by level multiply the predicted spreads."""
        found = []
        for level, (spread, factor) in enumerate(zip(spreads, factors, strict=True)):
            bound = BOUNDS[min(level, len(BOUNDS) - 1)]
            deviations = factor * spread.numpy() / self.steps[:, None]  # (R, C), in symbols
            logs = np.log(np.clip(deviations, SMALLEST, bound))
            centres = np.linspace(logs.min(), logs.max(), GRID)
            index = np.abs(logs[..., None] - centres).argmin(axis=-1).astype(np.uint8)
            weights = two_sided_geometric(np.exp(centres), bound)
            found.append(LevelTables(integer_frequencies(weights), index[:, :, None, None]))
        return tuple(found)

    def pictures(self) -> Tensor:
        """Drawn pictures (N, 3, S, S) that W alone does not hold: turned, recoloured, some covered in part."""
        torch.manual_seed(3)
        head = self.head(self.arch.coded_size)
        with torch.no_grad():
            styles = torch.cat([self.draw(0) for _ in range(FITTED)])
            size = self.arch.coded_size
            parts = [head(self.synthesis.features(s, (size,))[size], s, self.synthesis) for s in styles.split(2)]
        found = augment(torch.cat(parts).clamp(0, 1), shift=0.04, zoom=0.08, degrees=8, colour=0.15)
        for number in range(0, FITTED, 3):
            top, left = torch.randint(size // 2, size - size // 4, (2,)).tolist()
            found[number, :, top : top + size // 4, left : left + size // 4] = torch.rand(3, 1, 1)
        return found

    def write(
        self, folder: Path, factors: list[np.ndarray], means: dict[str, list[float]], sizes: list[float]
    ) -> PriorInfo:
        """A prior folder with these tables and this calibration."""
        folder.mkdir(parents=True, exist_ok=True)
        generator, spreads = self.generator()
        tables = self.tables(spreads, factors)
        hashes = write_networks(folder, generator, tables, {MAPPING: self.mapping}, {"squeeze": shipped_lpips()})
        info = PriorInfo(
            name=NAME,
            id=hashes[GENERATOR],
            domain="human faces, aligned as in FFHQ, up to 1024 pixels",
            licence="Apache-2.0 (wheel random-face); made from StyleGAN2 and FFHQ, whose own terms are non-commercial",
            lambdas=tuple((LAMBDA * self.steps**2).tolist()),
            distortion=DISTORTION,
            term_means=means,
            rate_bytes=sizes,
            files=hashes,
            training={
                "data": "none of its own: the networks of random-face 2021.7.21, and pictures drawn from them",
                "fitted": "heads, bases, steps, tables and calibration, by scripts/fit_portraits.py",
            },
        )
        write_whole(folder / CARD, info.to_json().encode())
        return info

    def calibrate(self) -> dict[str, Tensor]:
        """Factors of the tables (R, C) of level L under `factors.L`, loss terms `values` (R, terms) and file bytes
        `sizes` (R,), by inverting pictures."""
        rates = self.arch.rates
        _, spreads = self.generator()
        factors = [
            np.full((rates, len(spread)), FACTORS[min(level, len(FACTORS) - 1)]) for level, spread in enumerate(spreads)
        ]
        start = self.folder / "start"
        self.write(start, factors, {"mse": [1.0] * rates}, [1.0] * rates)
        codec, target = Codec(start), self.pictures()
        values, sizes = [], []
        for rate in track(range(rates), description="tables and calibration"):
            files = codec.compress_batch(
                [to_image(picture) for picture in target], quality=100 * rate / (rates - 1), steps=FIT_STEPS
            )
            symbols = [codec.read(file.data)[1] for file in files]
            for level, spread in enumerate(spreads):
                seen = np.stack([s[level] for s in symbols])
                factors[level][rate] = best_factors(seen, spread.numpy() / self.steps[rate])
            decoded = codec.paint(symbols, [rate] * len(symbols))
            with exact():
                values.append([float(loss.distance(decoded, loss.reference(target)).mean()) for loss in self.losses()])
            sizes.append(float(np.mean([file.bytes for file in files])))
            bits = np.mean([file.level_bits for file in files], axis=0) / 8
            print(f"rate {rate}: {sizes[-1]:.0f} bytes, by level {bits.round()}, {CALIBRATED[0]} {values[-1][0]:.5f}")
        found = {f"factors.{level}": torch.tensor(factor) for level, factor in enumerate(factors)}
        return found | {"values": torch.tensor(values), "sizes": torch.tensor(sizes)}

    def losses(self) -> list[Loss]:
        """The loss terms that need no critic, in the order of `CALIBRATED`."""
        lpips = {"squeeze": shipped_lpips()}
        return [build_loss(name, no_critic, torch.device("cpu"), lpips.__getitem__) for name in CALIBRATED]


def no_critic() -> Critic:
    raise LossError("there is no critic")


def two_sided_geometric(deviations: np.ndarray, bound: int) -> np.ndarray:
    """Probabilities (..., A) of the symbols -bound … bound: Laplace densities of standard deviations (...)."""
    edges = np.arange(-bound, bound + 2) - 0.5
    scaled = edges / (deviations[..., None] / 2**0.5)
    below = np.where(edges < 0, np.exp(np.minimum(scaled, 0)) / 2, 1 - np.exp(-np.maximum(scaled, 0)) / 2)
    weights: np.ndarray = np.maximum(np.diff(below), 1e-9)
    return weights


def best_factors(symbols: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Symbols (N, C, H, W) and predicted deviations (C,) → the factors (C,) of those that cost the fewest bits.

    Channels with one symbol share theirs with their neighbours.
    """
    channels, positions = symbols.shape[1], symbols[0, 0].size
    bound = int(np.abs(symbols).max(initial=1))
    together = TOGETHER if positions == 1 else 1
    found = np.empty(channels)
    for first in range(0, channels, together):
        part = slice(first, first + together)
        tried = np.clip(TRIED[:, None] * predicted[part], SMALLEST, None)
        lengths = -np.log2(two_sided_geometric(tried, bound))  # (factors, c, A)
        rows = np.moveaxis(symbols[:, part], 1, 0).reshape(lengths.shape[1], -1) + bound
        bits = np.take_along_axis(lengths, np.broadcast_to(rows, (len(TRIED), *rows.shape)), axis=2).sum(axis=(1, 2))
        found[part] = TRIED[bits.argmin()]
    return found


def rows_of(features: Tensor) -> Tensor:
    """(1, C, H, W) → (H W, C)."""
    return features[0].flatten(1).T


def ship(folder: Path) -> None:
    """Put what an import needs of a fitted prior into pretrained/portraits."""
    prior = load_prior(folder)
    target = Path(__file__).resolve().parent.parent / "pretrained" / NAME
    target.mkdir(parents=True, exist_ok=True)
    data = safetensors.numpy.save({name: np.ascontiguousarray(v) for name, v in supplement_of(prior).items()})
    write_whole(target / SUPPLEMENT, data)
    about = json.loads(prior.info.to_json())
    identity = about.pop("id")
    about.pop("files")
    card = {
        "id": identity,
        "supplement": hashlib.sha256(data).hexdigest(),
        "architecture": prior.arch.to_json(),
        "info": about,
    }
    write_whole(target / SUPPLEMENT_CARD, json.dumps(card, indent=1).encode())
    print(f"{target}: {len(data) / 1e6:.1f} MB, prior {identity[:12]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="working folder; finished stages in it are kept")
    parser.add_argument("--ship", action="store_true", help="put the result into pretrained/portraits")
    args = parser.parse_args()
    keep_freed_memory()
    fitting = Fitting(args.folder)
    found = fitting.stage("calibration", fitting.calibrate)
    means = {name: found["values"][:, number].tolist() for number, name in enumerate(CALIBRATED)}
    factors = [found[f"factors.{level}"].numpy() for level in range(fitting.arch.levels)]
    fitting.write(args.folder / "prior", factors, means, found["sizes"].tolist())
    if args.ship:
        ship(args.folder / "prior")


if __name__ == "__main__":
    main()
