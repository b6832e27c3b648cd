"""Least qualities that are promised of a decoded picture, as a distortion for the search: above 1 they are not kept."""

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from invcomp.errors import ImageError, UsageError
from invcomp.inversion.losses import SSIM_WINDOW, mse, ssim
from invcomp.pixels import to_tensor

MOST_PSNR = 80.0  # dB: what equal pictures have


@dataclass(frozen=True)
class Fidelity:
    """PSNR in dB over all three channels, and SSIM (Wang et al. 2004, window of 11), where they are asked for."""

    psnr: float | None = None
    ssim: float | None = None

    def check(self) -> None:
        """Raises `UsageError` for what no picture has."""
        if self.psnr is not None and not 0 < self.psnr < MOST_PSNR:
            raise UsageError(f"the least PSNR lies between 0 and {MOST_PSNR:g} dB, not at {self.psnr:g}")
        if self.ssim is not None and not 0 < self.ssim < 1:
            raise UsageError(f"the least SSIM lies between 0 and 1, not at {self.ssim:g}")

    @property
    def expression(self) -> str:
        """A loss expression of the same size."""
        terms = []
        if self.psnr is not None:
            terms.append(f"{10 ** (self.psnr / 10):g}*mse")
        if self.ssim is not None:
            terms.append(f"{1 / (1 - self.ssim):g}*ssim")
        return " + ".join(terms)

    def reference(self, target: Tensor) -> Tensor:
        return target

    def distance(self, pictures: Tensor, target: Tensor) -> Tensor:
        """(N,) for pictures and targets (N, 3, H, W): the larger of the two errors, in units of what is allowed."""
        found = []
        if self.psnr is not None:
            found.append(mse(pictures, target) * 10 ** (self.psnr / 10))
        if self.ssim is not None:
            found.append(ssim(pictures, target) / (1 - self.ssim))
        return torch.stack(found).amax(dim=0)

    def of(self, decoded: Image.Image, original: Image.Image) -> "Fidelity":
        """What a decoded picture reaches of what is asked for."""
        x, y = to_tensor(decoded)[None], to_tensor(original)[None]
        error = float(mse(x, y))
        psnr = min(MOST_PSNR, -10 * float(torch.tensor(max(error, 1e-12)).log10()))
        return Fidelity(
            psnr if self.psnr is not None else None, 1 - float(ssim(x, y)) if self.ssim is not None else None
        )

    def excess(self, reached: "Fidelity") -> float:
        """As `distance`, of what is reached: at most 1 if all is kept."""
        found = []
        if self.psnr is not None and reached.psnr is not None:
            found.append(10 ** ((self.psnr - reached.psnr) / 10))
        if self.ssim is not None and reached.ssim is not None:
            found.append((1 - reached.ssim) / (1 - self.ssim))
        return max(found)

    def __str__(self) -> str:
        psnr = f"{self.psnr:.2f} dB" if self.psnr is not None else ""
        shown = f"SSIM {self.ssim:.4f}" if self.ssim is not None else ""
        return " and ".join(part for part in (psnr, shown) if part)


def check_ssim(width: int, height: int) -> None:
    """Raises `ImageError` if the SSIM of a picture of this size cannot be measured."""
    if min(width, height) < SSIM_WINDOW:
        raise ImageError(
            f"the picture has {width} x {height} pixels, and SSIM is measured from {SSIM_WINDOW} a side on: "
            "leave out --min-ssim"
        )
