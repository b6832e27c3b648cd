"""Image ↔ bytes: the one place where prior, search, entropy coding and container meet."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from invcomp import container
from invcomp.batch import Batch, Compressed
from invcomp.container import Container
from invcomp.decoding import Decoding, prior_of
from invcomp.entropy import coder
from invcomp.entropy.chain import Symbols, ideal_bits
from invcomp.errors import (
    ImageError,
    LossError,
    MismatchError,
    MismatchWarning,
    QualityError,
    UsageError,
)
from invcomp.exact import exact
from invcomp.fallback import Still, best_within, smallest_of
from invcomp.inversion.fidelity import Fidelity
from invcomp.inversion.losses import PIXEL_TERMS, Loss, build_loss, cached_lpips, parse_loss, whole
from invcomp.inversion.starts import choose_start, parse_start, schedule_for
from invcomp.pictures import to_srgb
from invcomp.pixels import to_tensor
from invcomp.placement import MAX_PIXELS, MAX_SIDE, Placement, Square
from invcomp.priors.critic import Critic
from invcomp.priors.factors import Residuals
from invcomp.priors.files import Prior, load_prior
from invcomp.priors.generator import Generator
from invcomp.priors.lpips import LpipsNetwork
from invcomp.priors.portraits.architecture import PortraitArchitecture
from invcomp.priors.registry import find_prior
from invcomp.sampling import Sampling, samples
from invcomp.standing import ON_MISMATCH, WARNING, Standing

DEFAULT_QUALITY = 36.0
DEFAULT_BATCH = 32
BATCH_PIXELS = 1 << 21  # most pixels inverted together: bounds memory
PIXEL_BYTES, LOSS_PIXELS = 2300, 1 << 14  # memory a pixel, of LOSS_PIXELS at least (`scripts/bench_memory.py`)
PORTRAITS_TOGETHER = 1  # on a CPU, where more together do not fit the caches and take longer each
MAX_CROP = 1024  # pixels a side of a square cut out for a prior of free size: FFHQ's own
LEAST_FALLBACK = 128  # bytes of a fallback file where no limit is given: fewer show nothing
NOTHING_ASKED = Fidelity()
LEVELS_FIELD_BITS = 16  # what naming the coded levels costs


class Codec(Decoding):
    """Compresses and decompresses pictures of one prior's domain.

    >>> codec = Codec("faces")
    >>> data = codec.compress(image)        # PIL image → bytes
    >>> image = codec.decompress(data)      # bytes → PIL image
    """

    def __init__(self, prior: str | Path = "faces", device: str = "auto") -> None:
        """`prior`: name of an installed prior, or a folder. `device`: auto, cpu, cuda, cuda:N. Raises `PriorError`."""
        self.prior: Prior = load_prior(find_prior(prior), choose_device(device))
        self._losses: dict[str, Loss] = {}

    @classmethod
    def for_file(cls, data: bytes, device: str = "auto", name: str = "the file", partial: bool = False) -> "Codec":
        """The codec of the installed prior that a file was written with. Raises `FormatError` if there is none.

        `partial`: the file may be a truncated progressive one.
        """
        return cls(prior_of(data, name, partial), device)

    # -- image → bytes ------------------------------------------------------------------------------------------

    def compress(
        self,
        image: Image.Image,
        *,
        quality: float | None = None,
        max_bytes: int | None = None,
        min_psnr: float | None = None,
        min_ssim: float | None = None,
        schedule: str = "default",
        steps: int | None = None,
        loss: str | None = None,
        relaxation: str | None = None,
        polish: bool | None = None,
        start: str | None = None,
        levels: int | None = None,
        progressive: bool = False,
        checksum: int = container.CHECKSUM,
        seed: int = 0,
        placement: Placement | None = None,
        on_mismatch: str = "warn",
    ) -> bytes:
        """A picture of any size and mode → the bytes of a file. See `compress_batch`.

        `on_mismatch`: what is done with a picture that does not look like the prior's domain: `warn`, `fail` or
        `fallback`, which stores a WebP or JPEG XL (see `fallback`). Raises `QualityError` if a least PSNR or SSIM
        cannot be reached, and `MismatchError`; warns with `MismatchWarning`.
        """
        check_on_mismatch(on_mismatch)
        arguments: dict[str, Any] = {
            "quality": quality,
            "max_bytes": max_bytes,
            "min_psnr": min_psnr,
            "min_ssim": min_ssim,
            "schedule": schedule,
            "steps": steps,
            "loss": loss,
            "relaxation": relaxation,
            "polish": polish,
            "start": start,
            "levels": levels,
            "progressive": progressive,
            "checksum": checksum,
            "seed": seed,
        }

        def stored_otherwise(standing: Standing) -> bytes:
            if on_mismatch == "fail":
                raise MismatchError(standing.sentence(self.prior.info))
            fidelity = Fidelity(min_psnr, min_ssim)
            return self.fallback(image, quality, max_bytes, fidelity, placement, checksum)

        if on_mismatch != "warn":
            self.compress_batch([], **arguments)  # refuses wrong ones
            early = self.domain_standing(image)
            if early.mismatch:
                return stored_otherwise(early)
        (result,) = self.compress_batch([image], placements=[placement], **arguments)
        if result.standing.mismatch:
            if on_mismatch != "warn":
                return stored_otherwise(result.standing)
            warnings.warn(f"{result.standing.sentence(self.prior.info)}; {WARNING}", MismatchWarning, stacklevel=2)
        if not result.kept:
            raise QualityError(self.shortfall(Fidelity(min_psnr, min_ssim), result))
        return result.data

    def compress_batch(
        self,
        images: Sequence[Image.Image],
        *,
        quality: float | None = None,
        max_bytes: int | None = None,
        min_psnr: float | None = None,
        min_ssim: float | None = None,
        schedule: str = "default",
        steps: int | None = None,
        loss: str | None = None,
        relaxation: str | None = None,
        polish: bool | None = None,
        start: str | None = None,
        levels: int | None = None,
        progressive: bool = False,
        checksum: int = container.CHECKSUM,
        seed: int = 0,
        batch_size: int = DEFAULT_BATCH,
        memory: int | None = None,
        placements: Sequence[Placement | None] | None = None,
        report: Callable[[float], None] = lambda _: None,
    ) -> list[Compressed]:
        """Pictures of any size and mode → files, inverted together in batches.

        `quality` in [0, 100] sets lambda: 0 gives the smallest files, 36 is the default. `max_bytes` in its place: no
        file is larger, and lambda is adapted so that the bytes are used. Or `min_psnr` in dB and `min_ssim`, one or
        both: the smallest files that are found whose decoded pictures reach them, searched for with those errors as
        the loss; of a picture that does not, the best is returned, with `kept` false. `schedule` of the search: `fast`,
        `default` or `best` (`invcomp.inversion.schedules`); `steps`, if another number is wanted: 0 is the encoder
        alone.
        `loss` is an expression (`invcomp.inversion.losses`), by default the distortion that the prior was trained
        with, for which it carries all that is needed. `start` of the search: `encoder` (the default if the prior has
        one), `mean` or `best-of-K` (`invcomp.inversion.starts`). `relaxation` of rounding
        (`invcomp.inversion.relaxations`). `polish`: whether whole moves go on until none improves, or are left out;
        by default they have a share of the steps. `levels`: how many of the coarsest latent levels are used, by
        default all.
        `progressive` files can be cut after any level, for about four bytes a level. `checksum`: its bytes, 2 or 1 (of
        a progressive file, a level's); of 1 a file gets 2 where less does not notice every truncation.
        At most `batch_size` pictures are inverted together, and fewer if they would take more bytes than `memory`.
        `placements` are kept in the files of pictures that were cut from larger ones (`invcomp.faces`). `report` is
        given the number of pictures done, with fractions. Raises `UsageError` and `LossError` for wrong arguments,
        `ImageError` for a picture that is too large, or that no file of `max_bytes` holds.
        """
        check_arguments(
            quality=quality,
            max_bytes=max_bytes,
            min_psnr=min_psnr,
            min_ssim=min_ssim,
            schedule=schedule,
            steps=steps,
            loss=loss,
            relaxation=relaxation,
            start=start,
            checksum=checksum,
        )
        self.check_levels(levels)
        has_encoder = self.prior.encoder is not None
        start = choose_start(start, has_encoder, self.prior.info.name)
        search = schedule_for(
            schedule,
            start,
            has_encoder,
            steps=steps,
            relaxation=relaxation,
            polish=polish,
            levels=levels,
            seed=seed,
        )
        if batch_size < 1:
            raise UsageError(f"the batch size is 1 or more, not {batch_size}")
        pictures = [to_srgb(image).image for image in images]
        for picture in pictures:
            self.check_size(*picture.size)
        places = list(placements) if placements is not None else [None] * len(pictures)
        if max_bytes is not None:
            for picture, place in zip(pictures, places, strict=True):
                self.check_budget(max_bytes, picture.size, place, progressive, checksum)
        groups: dict[tuple[int, int], list[int]] = {}
        for index, picture in enumerate(pictures):
            groups.setdefault(self.coded_size(*picture.size), []).append(index)
        results: dict[int, Compressed] = {}
        for (width, height), members in groups.items():
            most = max(1, min(batch_size, self.most_together(width, height, memory)))
            for first in range(0, len(members), most):
                batch = members[first : first + most]
                done, weight = len(results), len(batch) / max(1, search.steps)
                work = Batch(
                    self,
                    [pictures[i] for i in batch],
                    [places[i] for i in batch],
                    search,
                    start,
                    progressive,
                    checksum,
                    lambda step, done=done, weight=weight: report(done + weight * step),  # type: ignore[misc]
                )
                expression = loss or self.prior.info.distortion
                with exact():
                    if min_psnr is not None or min_ssim is not None:
                        found = work.reaching(Fidelity(min_psnr, min_ssim))
                    elif max_bytes is not None:
                        found = work.within(self.loss(expression), expression, max_bytes)
                    else:
                        at = DEFAULT_QUALITY if quality is None else quality
                        found = work.at_quality(self.loss(expression), expression, at)
                results.update(zip(batch, found, strict=True))
                report(len(results))
        return [results[index] for index in range(len(images))]

    def domain_standing(self, image: Image.Image) -> Standing:
        """How unusual an RGB image looks for the prior's domain, before any search."""
        x = self.to_coded(to_srgb(image).image)[None].to(self.prior.device)
        with exact():
            return Standing(None, self.prior.domain_shares(x)[0])

    def fallback(
        self,
        image: Image.Image,
        quality: float | None = None,
        max_bytes: int | None = None,
        fidelity: Fidelity = NOTHING_ASKED,
        placement: Placement | None = None,
        checksum: int = container.CHECKSUM,
    ) -> bytes:
        """A picture as a file that holds a WebP or JPEG XL in place of latents.

        The best of at most `max_bytes`, or else of the bytes that a picture of the domain has on average at `quality`;
        or the smallest that reaches the `fidelity`. Raises `ImageError` if there is none so small, `QualityError` if
        none reaches it.
        """
        check_arguments(quality=quality, max_bytes=max_bytes, checksum=checksum)
        picture = to_srgb(image).image
        self.check_size(*picture.size)
        size = self.header_size(*picture.size)
        if fidelity != NOTHING_ASKED:
            still = smallest_of(picture, lambda shown: fidelity.excess(fidelity.of(shown, picture)) <= 1)
            if still is None:
                raise QualityError(f"no WebP or JPEG XL of it reaches {fidelity}; ask for less")
        else:
            position = (DEFAULT_QUALITY if quality is None else quality) / 100 * (self.prior.arch.rates - 1)
            usual = np.interp(position, np.arange(self.prior.arch.rates), self.prior.info.rate_bytes)
            most = max_bytes if max_bytes is not None else max(LEAST_FALLBACK, round(float(usual)))
            # a byte for the field that says so, which the header has anyway where it says the size
            room = most - container.overhead(size, placement, 0, checksum) - (0 if size or placement else 1)
            still = best_within(picture, room)
            while still is not None and len(data := self._foreign(still, size, placement, checksum)) > most:
                room -= len(data) - most  # a checksum of one byte was not enough
                still = best_within(picture, room)
            if still is None:
                raise ImageError(f"no WebP or JPEG XL of it fits into a file of {most} bytes; allow more")
        return self._foreign(still, size, placement, checksum)

    def _foreign(self, still: Still, size: tuple[int, int] | None, placement: Placement | None, checksum: int) -> bytes:
        prior_id = self.prior.info.id_bytes
        return container.write(
            Container(
                prior_id,
                0,
                still.payload,
                size=size,
                placement=placement,
                foreign=still.codec,
                checksum=checksum,
            )
        )

    def shortfall(self, asked: Fidelity, result: Compressed) -> str:
        """The sentence about a picture that does not reach what is asked."""
        return (
            f"the prior {self.prior.info.name} reaches {result.reached} in {result.bytes} bytes, not {asked}; "
            "ask for less, or take its best effort"
        )

    def check_budget(
        self,
        max_bytes: int,
        size: tuple[int, int],
        placement: Placement | None = None,
        progressive: bool = False,
        checksum: int = container.CHECKSUM,
    ) -> None:
        """Raises `ImageError` if no file of a picture of this size (width, height) has so few bytes."""
        shown = self.header_size(*size)
        parts = self.prior.arch.levels if progressive else 0
        if max_bytes >= container.overhead(shown, placement, parts) + LEVELS_FIELD_BITS // 8:
            return
        width, height = self.coded_size(*size)
        nothing = [np.zeros(shape, dtype=np.int32) for shape in self.prior.arch.latent_shapes(height, width)]
        least = len(self.write(nothing, 0, shown, placement, progressive, checksum))
        if max_bytes < least:
            raise ImageError(f"no file has {max_bytes} bytes: the smallest of such a picture has {least}")

    def write(
        self,
        symbols: Symbols,
        rate: int,
        size: tuple[int, int] | None,
        placement: Placement | None = None,
        progressive: bool = False,
        checksum: int = container.CHECKSUM,
    ) -> bytes:
        """Symbols (C, H, W) by level → the bytes of a file; `size` (width, height) if it is not the prior's own.

        `checksum`: bytes of it; two where one does not notice every truncation.
        """
        prior = self.prior
        zero = [not level.any() for level in symbols]
        bits = ideal_bits(prior.tables, symbols, rate)
        skipped = (
            zero if sum(b for b, z in zip(bits, zero, strict=True) if z) > LEVELS_FIELD_BITS else [False] * len(bits)
        )
        coded = [not s for s in skipped]
        levels = None if all(coded) else sum(1 << level for level, c in enumerate(coded) if c)
        prior_id = prior.info.id_bytes
        if progressive:
            parts = tuple(coder.encode_apart(prior.tables, symbols, rate, coded))
            levels = sum(1 << level for level, c in enumerate(coded) if c)  # says how many there are to come
            return container.write(Container(prior_id, rate, b"", 0, size, levels, placement, parts, checksum=checksum))
        payloads = coder.encode(prior.tables, symbols, rate, coded)
        return container.write(
            *(
                Container(prior_id, rate, payload.data, payload.tail, size, levels, placement, checksum=checksum)
                for payload in payloads
            )
        )

    def most_together(self, width: int, height: int, memory: int | None = None) -> int:
        """How many pictures of a coded size are inverted together at most, in so many bytes of `memory` if given."""
        if isinstance(self.prior.arch, PortraitArchitecture) and self.prior.device.type == "cpu":
            return PORTRAITS_TOGETHER
        most = BATCH_PIXELS // (width * height)
        return most if memory is None else min(most, memory // (PIXEL_BYTES * max(LOSS_PIXELS, width * height)))

    def rate_weight(self, expression: str, position: float) -> float:
        """Lambda of a loss at a (fractional) rate index, in that loss's units per bit.

        The prior's lambdas belong to its own loss. For another one they are scaled by what held-out pictures cost in
        that loss against what they cost in the prior's own, at the same rate.
        """
        info = self.prior.info
        low = min(int(position), len(info.lambdas) - 2)

        def between(values: Sequence[float] | NDArray[np.float64]) -> float:
            """Geometric interpolation at `position`."""
            share = position - low
            return float(max(values[low], 1e-12) ** (1 - share) * max(values[low + 1], 1e-12) ** share)

        return between(info.lambdas) * between(self.usual(expression)) / between(self.usual(info.distortion))

    def usual(self, expression: str) -> NDArray[np.float64]:
        """What held-out pictures cost in a loss at every rate index, by the encoder alone; (R,)."""
        means = self.prior.info.term_means
        total = np.zeros(len(self.prior.info.lambdas))
        for weight, name in parse_loss(expression):
            stand_in = whole(name) if whole(name) in means else "lpips-squeeze"
            total += weight * np.array(means.get(stand_in, means["mse"]))
        return total

    def check_search(self, loss: str | None, start: str | None = None, levels: int | None = None) -> None:
        """Raises `LossError` for a loss that cannot be had here (unknown terms, weights that are not there), and
        `UsageError` for a start or levels that the prior does not have."""
        with exact():
            self.loss(loss or self.prior.info.distortion)
        choose_start(start, self.prior.encoder is not None, self.prior.info.name)
        self.check_levels(levels)

    def loss(self, expression: str) -> Loss:
        """The loss of an expression, with this prior's own networks. Raises `LossError`."""
        if expression not in self._losses:
            self._losses[expression] = build_loss(expression, self._critic, self.prior.device, self._lpips)
        return self._losses[expression]

    def _critic(self) -> Critic:
        if self.prior.critic is None:
            raise LossError(f"the prior {self.prior.info.name} has no critic: use {', '.join(PIXEL_TERMS)}")
        return self.prior.critic

    def _lpips(self, net: str) -> LpipsNetwork:
        return self.prior.lpips(net) or cached_lpips(f"lpips-{net}")

    # -- symbols → pictures -------------------------------------------------------------------------------------

    def painted(self, symbols: Residuals, rate: int, size: int | None) -> NDArray[np.float32]:
        """Symbols of one picture → (3, H, W); see `Decoding.painted`."""
        picture: NDArray[np.float32] = self.paint([symbols], [rate], size)[0].cpu().numpy()
        return picture

    def paint(self, symbols: Sequence[Residuals], rates: Sequence[int], size: int | None = None) -> Tensor:
        """Symbols of N pictures of one size, or real numbers in their place, and their rate indices → pictures
        (N, 3, H, W).

        `size`: one of the sizes that the prior paints; None for the one that is searched.
        """
        device, generator = self.prior.device, self.prior.generator
        levels = [torch.from_numpy(np.stack(level)).float().to(device) for level in zip(*symbols, strict=True)]
        rate = torch.tensor(rates, dtype=torch.float32, device=device)
        with torch.no_grad(), exact():
            picture: Tensor = (
                generator(levels, rate) if isinstance(generator, Generator) else generator(levels, rate, size)
            )
        return picture

    def sample(
        self,
        n: int,
        *,
        rate: int | None = None,
        size: int | None = None,
        seed: int = 0,
        psi: tuple[float, float] | None = None,
        quick: bool = False,
        report: Callable[[float], None] = lambda _: None,
    ) -> list[Image.Image]:
        """`n` new pictures; see `invcomp.sampling`. Raises `UsageError`."""
        settings = Sampling.of(self, rate=rate, size=size, psi=psi, quick=quick)
        images = []
        for _, image in samples(self, settings, range(n), seed):
            images.append(image)
            report(len(images))
        return images

    # -- sizes --------------------------------------------------------------------------------------------------

    def check_size(self, width: int, height: int) -> None:
        """Raises `ImageError` if a picture of this size cannot be compressed."""
        if not width * height:
            raise ImageError("the picture has no pixels")
        self.coded_size(width, height)
        self.header_size(width, height)

    def header_size(self, width: int, height: int) -> tuple[int, int] | None:
        """What the header says of the size: nothing for the prior's own."""
        if width * height > MAX_PIXELS:
            raise ImageError(f"the picture has more than the {MAX_PIXELS:,} pixels of a file; shrink it")
        if max(width, height) > MAX_SIDE:
            raise ImageError(f"the picture has a side of {max(width, height)} pixels, more than {MAX_SIDE}; shrink it")
        return None if (width, height) == self._own_size else (width, height)

    def crop_side(self, square: Square) -> int:
        """Pixels a side at which a square is cut out: the prior's own, or the square's for a prior of free size."""
        return self.prior.arch.image_size or max(1, min(MAX_CROP, round(square.side)))

    def to_coded(self, image: Image.Image) -> Tensor:
        """An RGB image → (3, H, W) at its coded size: resized for an aligned prior, else padded at right and bottom."""
        width, height = self.coded_size(*image.size)
        if self.prior.arch.coded_size is not None:
            return to_tensor(
                image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)
            )
        padding = (0, width - image.width, 0, height - image.height)
        return F.pad(to_tensor(image)[None], padding, mode="replicate")[0]


def check_arguments(
    *,
    quality: float | None = None,
    max_bytes: int | None = None,
    min_psnr: float | None = None,
    min_ssim: float | None = None,
    schedule: str = "default",
    steps: int | None = None,
    loss: str | None = None,
    relaxation: str | None = None,
    start: str | None = None,
    checksum: int = container.CHECKSUM,
) -> None:
    """Raises `UsageError` or `LossError` if one of the arguments of `Codec.compress_batch` is wrong."""
    if start is not None:
        parse_start(start)
    schedule_for(schedule, start or "encoder", True, steps=steps, relaxation=relaxation)
    fidelity = Fidelity(min_psnr, min_ssim)
    fidelity.check()
    if sum((quality is not None, max_bytes is not None, fidelity != Fidelity())) > 1:
        raise UsageError("give one of --quality, --max-bytes, and --min-psnr with or without --min-ssim")
    if loss is not None and fidelity != Fidelity():
        raise UsageError("--min-psnr and --min-ssim are what is searched for: leave out --loss")
    if quality is not None and not 0 <= quality <= 100:
        raise UsageError(f"the quality lies between 0 and 100, not {quality:g}")
    if max_bytes is not None and max_bytes < 1:
        raise UsageError(f"a file has 1 byte or more, not {max_bytes}")
    if checksum not in (1, 2):
        raise UsageError(f"a checksum has 1 or 2 bytes, not {checksum}")
    if loss is not None:
        parse_loss(loss)


def check_on_mismatch(on_mismatch: str) -> None:
    """Raises `UsageError` for what cannot be done with a picture that is none of the domain."""
    if on_mismatch not in ON_MISMATCH:
        raise UsageError(f"on a mismatch there is {', '.join(ON_MISMATCH)}, not {on_mismatch!r}")


def choose_device(device: str) -> torch.device:
    """`auto` is the first GPU if there is one. Raises `UsageError`."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = None
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if chosen is None or chosen.type not in ("cpu", "cuda") or (chosen.type == "cuda" and (chosen.index or 0) >= gpus):
        raise UsageError(f"there is no device {device!r} here; give auto, cpu or cuda")
    return chosen
