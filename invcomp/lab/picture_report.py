"""The report of one picture: everything that its page or its sheet says, read from the bytes that were written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageChops

from invcomp import container
from invcomp.batch import Compressed, bits_within
from invcomp.codec import DEFAULT_QUALITY, Codec
from invcomp.container import Container
from invcomp.entropy.chain import ideal_bits
from invcomp.inversion.course import Stretch
from invcomp.inversion.fidelity import Fidelity
from invcomp.inversion.promises import BROKEN
from invcomp.lab.metrics import Judge, lpips_measure, lpips_metric
from invcomp.lab.results import Metric
from invcomp.pixels import to_tensor
from invcomp.priors.lpips import download_lpips, is_cached
from invcomp.priors.portraits.architecture import PortraitArchitecture

SHOWN, STEP_SHOWN = 768, 256  # longest side in pixels of the pictures, and of those of fewer levels
MEASURED = 1 << 20  # most pixels of a picture that is measured: bounds memory
FACTORS = (16, 8, 4, 2, 1)  # by which a difference may be enlarged
CLIPPED = 0.01  # share of the values of a difference that may be cut off for that
LPIPS = "squeeze"


@dataclass(frozen=True)
class Asked:
    """What a picture was compressed for. One of the first three, or none, as in `Codec.compress_batch`."""

    quality: float | None = None
    max_bytes: int | None = None
    least: Fidelity = field(default_factory=Fidelity)
    loss: str | None = None
    """The loss expression; None is the prior's own."""

    def __str__(self) -> str:
        if self.least != Fidelity():
            return f"the smallest file of at least {self.least}"
        if self.max_bytes is not None:
            return f"at most {self.max_bytes:,} bytes"
        return f"quality {DEFAULT_QUALITY if self.quality is None else self.quality:g}"


@dataclass(frozen=True)
class Share:
    """What something takes of a file, in tenths of bits and of bytes, so that all shares add up to the file."""

    label: str
    bits: float
    bytes: float
    resolution: str = ""
    """Of a latent level."""
    symbols: int = 0
    not_zero: int = 0
    image: Image.Image | None = None
    """The picture decoded with this level and all coarser ones."""
    cut_at: int | None = None
    """Bytes of a progressive file up to the end of this level."""


@dataclass(frozen=True)
class PictureReport:
    """What is said of one picture. Pictures are RGB, the first three of one size."""

    title: str
    prior: str
    facts: dict[str, str]
    notes: list[str]
    original: Image.Image
    decoded: Image.Image
    difference: Image.Image
    factor: int
    """By which the absolute difference is enlarged."""
    bytes: int
    levels: list[Share]
    rest: list[Share]
    """What is no symbol: header, checksum, rounding."""
    figures: list[tuple[Metric, float]]
    """Of the decoded picture."""
    course: tuple[Stretch, ...]
    distortion: str
    """What the distortion of the course is."""
    limit: tuple[str, float] | None
    """`bits` or `distortion`, and the most that was allowed of it."""

    @property
    def weighed(self) -> bool:
        """Whether the course has an objective that is comparable from end to end and no stand-in for a promise."""
        return len(self.course) == 1 and self.limit is None and max(self.course[0].objective) < BROKEN


def picture_report(
    codec: Codec,
    name: str,
    original: Image.Image,
    result: Compressed,
    asked: Asked,
    said: Sequence[str] = (),
    seconds: float | None = None,
) -> PictureReport:
    """The report of a compressed picture `original` (RGB). `name`: the input's; `said`: what was said of reading it;
    `seconds`: what compressing it took."""
    data, info = result.data, codec.prior.info
    content, _ = codec.read(data)
    decoded = codec.decompress(data)
    factor, difference = enlarged_difference(original, decoded)
    figures, left_out = measured(codec, original, decoded)
    notes = [*(f"{note[0].upper()}{note[1:]}." for note in said), *left_out]
    shown = shown_size(original.size, SHOWN)
    if shown != original.size:
        notes.append(f"The pictures are shown shrunk to {shown[0]} x {shown[1]} pixels.")
    width, height = original.size
    reached = (
        "" if result.reached is None else f"; {'reached' if result.kept else 'not reached, at best'} {result.reached}"
    )
    least = asked.least != Fidelity()
    loss = "the larger of the errors, 1 is what is allowed" if least else asked.loss or info.distortion
    facts = {
        "picture": f"{width:,} × {height:,} pixels, {8 * len(data) / (width * height):.3g} bits a pixel; searched at "
        + " × ".join(map(str, codec.coded_size(width, height))),
        "asked for": str(asked) + reached,
        "loss": loss,
        "rate index": f"{result.rate} of 0 to {codec.prior.arch.rates - 1}",
        "search": how_long(result.course, seconds),
    }
    if content.parts is not None:
        facts["progressive"] = f"can be cut after any of its {len(content.parts)} coded levels"
    if content.placement is not None:
        facts["cut from"] = "a picture of {} × {} pixels; the file says from where".format(*content.placement.size)
    limit: tuple[str, float] | None = ("distortion", 1.0) if least else None
    if asked.max_bytes is not None:
        parts = codec.prior.arch.levels if content.parts is not None else 0
        overhead = container.overhead(content.size, content.placement, parts, content.checksum)
        limit = "bits", bits_within(asked.max_bytes - overhead)
    return PictureReport(
        title="".join(letter if letter.isprintable() else "?" for letter in Path(name).name),
        prior=f"{info.name}, id {info.id[:12]}",
        facts=facts,
        notes=notes,
        original=shrunk(original, shown),
        decoded=shrunk(decoded, shown),
        difference=shrunk(difference, shown),
        factor=factor,
        bytes=len(data),
        levels=(levels := level_shares(codec, data)),
        rest=rest_shares(data, content, levels),
        figures=figures,
        course=result.course,
        distortion=loss,
        limit=limit,
    )


def figure_text(metric: Metric, value: float) -> str:
    """A figure as it is read: PSNR 26.81 dB."""
    name, _, unit = metric.label.partition(", ")
    return f"{name} {value:.{metric.decimals}f} {unit}".strip()


def how_long(course: tuple[Stretch, ...], seconds: float | None) -> str:
    """The steps of a course, and its seconds."""
    gradient = sum(stretch.gradient_steps for stretch in course)
    moves = sum(stretch.steps for stretch in course) - gradient
    counts = ((gradient, "gradient step"), (moves, "round of whole moves"))
    named = [f"{n:,} {one if n == 1 else one.replace('step', 'steps').replace('round', 'rounds')}" for n, one in counts]
    return (", ".join(named) if gradient + moves else "no steps") + (
        f", {seconds:.1f} s" if seconds is not None else ""
    )


def level_shares(codec: Codec, data: bytes) -> list[Share]:
    """The levels of a file: what their symbols take, by the ideal code length, and what they show."""
    prior = codec.prior
    content, symbols = codec.read(data)
    ends = iter(container.cut_points(prior.info.id_bytes, data) if content.parts is not None else ())
    bits = ideal_bits(prior.tables, symbols, content.rate)
    names = prior.arch.level_names if isinstance(prior.arch, PortraitArchitecture) else ()
    longest = min(STEP_SHOWN, max(codec.picture_size(content)))
    shares = []
    for level, values in enumerate(symbols):
        coded = content.levels is None or bool(content.levels >> level & 1)
        _, height, width = values.shape
        shares.append(
            Share(
                label=names[level] if names else str(level + 1),
                bits=round(bits[level], 1) if coded else 0.0,
                bytes=round(bits[level] / 8, 1) if coded else 0.0,
                resolution=f"{width} × {height}",
                symbols=values.size,
                not_zero=int(np.count_nonzero(values)),
                image=codec.decompress(data, levels=level + 1, size=longest),
                cut_at=next(ends, None) if coded else None,
            )
        )
    return shares


def rest_shares(data: bytes, content: Container, levels: list[Share]) -> list[Share]:
    """What else a file is made of. The last share is what is left: coded symbols fill whole bytes."""
    header = container.HEADER + len(container.write_fields(container.fields_of(content)))
    shares = [whole("header", header)]
    if content.parts:
        lengths = sum(len(container.varint(len(part))) for part in content.parts)
        shares += [whole("lengths of levels", lengths), whole("checksums", content.checksum * len(content.parts))]
    else:
        shares.append(whole("checksum", content.checksum))
    known = *levels, *shares
    bits, left = 8 * len(data) - sum(share.bits for share in known), len(data) - sum(share.bytes for share in known)
    return [*shares, Share("rounding to bytes", round(bits, 1), round(left, 1))]


def whole(label: str, size: int) -> Share:
    """Whole bytes of a file."""
    return Share(label, 8.0 * size, float(size))


def measured(codec: Codec, original: Image.Image, decoded: Image.Image) -> tuple[list[tuple[Metric, float]], list[str]]:
    """PSNR, SSIM and LPIPS of a decoded picture, and why any is left out. Nothing is downloaded for that."""
    size = within(original.size, MEASURED)
    pair = shrunk(decoded, size), shrunk(original, size)
    judge = Judge([pair[1]], quick=True)
    (found,), _ = judge.measure([pair[0]])
    figures, notes = [(metric, found[metric.key]) for metric in judge.metrics if metric.key in found], judge.notes
    if size != original.size:
        notes.append(f"The figures are of the pictures shrunk to {size[0]} x {size[1]} pixels.")
    metric = lpips_metric(LPIPS)
    network = codec.prior.lpips(LPIPS) or (download_lpips(LPIPS) if is_cached(LPIPS) else None)
    if network is None:
        notes.append(f"{metric.label} is left out: neither the prior nor torchvision's cache has its weights.")
    elif min(original.size) * 16 < max(original.size):
        notes.append(f"{metric.label} is left out: the picture is too narrow for it.")
    else:
        new, old = (to_tensor(image)[None] for image in pair)
        with torch.no_grad():
            figures.append((metric, float(lpips_measure(network)(new, old))))
    return figures, notes


def enlarged_difference(original: Image.Image, decoded: Image.Image) -> tuple[int, Image.Image]:
    """The absolute difference of two RGB pictures, times the largest factor that cuts hardly anything off."""
    difference = ImageChops.difference(original, decoded)
    counts = np.array(difference.histogram()).reshape(3, 256).sum(axis=0)
    usual = int(np.searchsorted(counts.cumsum(), (1 - CLIPPED) * counts.sum()))
    factor = next((factor for factor in FACTORS if usual * factor <= 255), 1)
    return factor, difference.point(lambda value: min(255, value * factor))


def within(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    """A size (width, height) of no more than so many pixels."""
    scale = min(1.0, (pixels / (size[0] * size[1])) ** 0.5)
    return shown_size(size, scale * max(size))


def shown_size(size: tuple[int, int], longest: float) -> tuple[int, int]:
    """A size (width, height) whose longer side is no longer than that."""
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shrunk(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
