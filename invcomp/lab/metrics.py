"""Metrics of decoded pictures: 8-bit files against 8-bit originals, none written here that a library has."""

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from invcomp.errors import LossError, MissingPackageError
from invcomp.inversion.losses import cached_lpips
from invcomp.lab.identity import SAME_PERSON, Faces
from invcomp.lab.results import Metric
from invcomp.pixels import to_tensor
from invcomp.priors.lpips import LpipsNetwork

SSIM_WINDOW = 11
MS_SSIM_SIDE = (SSIM_WINDOW - 1) * 2**4 + 1  # five scales
LPIPS_SIDE = 128
FRECHET_PICTURES = 50
BATCH_PIXELS = 1 << 19  # compared together: bounds memory

PSNR = Metric("psnr", "PSNR, dB", True, 2, "of all three channels together")
SSIM = Metric("ssim", "SSIM", True, 3, f"of RGB, Gaussian window of {SSIM_WINDOW} pixels")
MS_SSIM = Metric("ms_ssim", "MS-SSIM", True, 3, "of RGB, five scales")
IDENTITY = Metric("identity", "same person", True, 3, f"share of faces whose dlib descriptor lies within {SAME_PERSON}")
IDENTITY_DISTANCE = Metric("identity_distance", "identity distance", False, 3, "between dlib descriptors, 128 numbers")


def lpips_metric(net: str) -> Metric:
    note = f"LPIPS 0.1, pictures enlarged to at least {LPIPS_SIDE} pixels"
    return Metric(f"lpips_{net}", f"LPIPS-{net}", False, 4, note)


Measure = Callable[[Tensor, Tensor], Tensor]
"""Decoded and original pictures (N, 3, H, W) in [0, 1] → (N,)."""


def psnr(decoded: Tensor, original: Tensor) -> Tensor:
    """In dB; 80 for equal pictures."""
    import piq

    return cast(Tensor, piq.psnr(decoded, original, data_range=1.0, reduction="none"))


def ssim(decoded: Tensor, original: Tensor) -> Tensor:
    import piq

    return cast(Tensor, piq.ssim(decoded, original, data_range=1.0, reduction="none", downsample=False))


def ms_ssim(decoded: Tensor, original: Tensor) -> Tensor:
    import piq

    return cast(Tensor, piq.multi_scale_ssim(decoded, original, data_range=1.0, reduction="none"))


def enlarge(pictures: Tensor) -> Tensor:
    """To at least `LPIPS_SIDE` pixels a side."""
    height, width = pictures.shape[2:]
    side = min(height, width)
    if side >= LPIPS_SIDE:
        return pictures
    size = (round(height * LPIPS_SIDE / side), round(width * LPIPS_SIDE / side))
    return F.interpolate(pictures, size=size, mode="bilinear", align_corners=False)


def lpips_measure(network: LpipsNetwork) -> Measure:
    def measure(decoded: Tensor, original: Tensor) -> Tensor:
        value: Tensor = network(enlarge(decoded), enlarge(original), normalize=True)
        return value.flatten()

    return measure


def pooled_features(network: LpipsNetwork) -> Callable[[Tensor], Tensor]:
    """Features (N, C) of pictures: the mean over positions of the backbone's last layer."""

    def features(pictures: Tensor) -> Tensor:
        layers = cast(Any, network).net(cast(Any, network).scaling_layer(2 * enlarge(pictures) - 1))
        return cast(Tensor, layers[-1].mean(dim=(2, 3)))

    return features


class Judge:
    """The metrics that this machine and these originals allow, and why others are left out.

    Identity takes ten times as long as all others together, so it has a method of its own.
    """

    def __init__(
        self,
        originals: Sequence[Image.Image],
        lpips: Callable[[str], LpipsNetwork | None] = lambda net: None,
        quick: bool = False,
    ) -> None:
        """`lpips` may give the network of a backbone (alex, squeeze) that is not in torchvision's cache.

        `quick` is PSNR and SSIM alone: no network is loaded and no face sought.
        """
        self.originals = list(originals)
        self.notes: list[str] = []
        self.metrics: list[Metric] = [PSNR]
        self._measures: dict[str, Measure] = {"psnr": psnr}
        self._features: Callable[[Tensor], Tensor] | None = None
        self._original_features: Tensor | None = None
        self._faces: Faces | None = None
        self._smallest: dict[str, int] = {}
        self._add_windowed(SSIM, ssim, SSIM_WINDOW)
        if quick:
            return
        self._add_windowed(MS_SSIM, ms_ssim, MS_SSIM_SIDE)
        for net in ("alex", "squeeze"):
            try:
                network = cached_lpips(f"lpips-{net}")
            except LossError as error:
                carried = lpips(net)
                if carried is None:
                    self.notes.append(f"LPIPS-{net} is left out: {error}.")
                    continue
                network = carried
            self._add(lpips_metric(net), lpips_measure(network))
            if self._features is None and len(originals) >= FRECHET_PICTURES:
                self._features = pooled_features(network)
                note = f"between Gaussians fitted to the mean-pooled last features of {net.capitalize()}Net (ImageNet)"
                note += f"; biased upwards by the small number of pictures ({len(originals)}), alike for all codecs"
                self.metrics.append(Metric("frechet", f"Fréchet distance, {net} features", False, 2, note))
        if len(originals) < FRECHET_PICTURES:
            few = f"it needs {FRECHET_PICTURES} pictures, and there are {len(originals)}"
            self.notes.append(f"The Fréchet distance is left out: {few}.")
        self._original_features = self._set_features(self.originals)
        try:
            faces = Faces(self.originals)
        except MissingPackageError as error:
            self.notes.append(f"Identity is left out: {error}.")
            return
        if faces.found:
            self._faces = faces
            self.metrics += [IDENTITY, IDENTITY_DISTANCE]
        if faces.found < len(originals):
            self.notes.append(
                f"Identity is measured on the {faces.found} of {len(originals)} pictures in which dlib finds a face."
            )

    @property
    def knows_faces(self) -> bool:
        return self._faces is not None

    def _add_windowed(self, metric: Metric, measure: Measure, smallest: int) -> None:
        """A metric of pictures of at least `smallest` pixels a side."""
        small = sum(min(image.size) < smallest for image in self.originals)
        if small < len(self.originals):
            self._add(metric, measure)
            self._smallest[metric.key] = smallest
        if small:
            count = "" if small == len(self.originals) else f" of {small} of {len(self.originals)} pictures"
            side = min(min(image.size) for image in self.originals)
            self.notes.append(
                f"{metric.label} is left out{count}: it needs {smallest} pixels a side, and the smallest has {side}."
            )

    def _add(self, metric: Metric, measure: Measure) -> None:
        self.metrics.append(metric)
        self._measures[metric.key] = measure

    @torch.no_grad()
    def _set_features(self, images: list[Image.Image]) -> Tensor | None:
        if self._features is None:
            return None
        return torch.cat([self._features(to_tensor(image)[None]) for image in images])

    @torch.no_grad()
    def measure(self, decoded: Sequence[Image.Image]) -> tuple[list[dict[str, float]], dict[str, float]]:
        """Decoded pictures in the order of the originals → figures of each, and the figures of all as one set."""
        figures: list[dict[str, float]] = [{} for _ in self.originals]
        for group in batches(self.originals):
            new, old = (torch.stack([to_tensor(images[i]) for i in group]) for images in (decoded, self.originals))
            side = min(new.shape[2:])
            for key, measure in self._measures.items():
                if side < self._smallest.get(key, 0):
                    continue
                for index, value in zip(group, measure(new, old).tolist(), strict=True):
                    figures[index][key] = value
        together = {}
        if self._original_features is not None:
            import piq

            features = self._set_features(list(decoded))
            with redirect_stdout(io.StringIO()):  # which it may say of a matrix root
                together["frechet"] = float(piq.FID().compute_metric(features, self._original_features))
        return figures, together

    def measure_identity(self, decoded: Sequence[Image.Image]) -> list[dict[str, float]]:
        """Identity figures of decoded pictures; none for a picture in whose original no face was found."""
        if self._faces is None:
            return [{} for _ in decoded]
        distances = self._faces.distances(decoded)
        return [{} if d is None else {"identity": float(d < SAME_PERSON), "identity_distance": d} for d in distances]


def means(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of every figure over the pictures that have it."""
    keys = dict.fromkeys(key for entry in figures for key in entry)
    return {key: float(np.mean([entry[key] for entry in figures if key in entry])) for key in keys}


def batches(images: Sequence[Image.Image]) -> list[list[int]]:
    """Indices of images of one size, few enough to compare together."""
    groups: list[list[int]] = []
    for index, image in enumerate(images):
        last = groups[-1] if groups else []
        pixels = image.width * image.height
        if last and images[last[0]].size == image.size and (len(last) + 1) * pixels <= BATCH_PIXELS:
            last.append(index)
        else:
            groups.append([index])
    return groups
