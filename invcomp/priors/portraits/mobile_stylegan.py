"""MobileStyleGAN (Belousov 2021, arXiv 2104.04767): StyleGAN2 made light, and here differentiable in all that is coded.

Every layer multiplies its input channels by a style (an affine map of w), convolves depthwise and then pointwise, and
adds noise. A block doubles the resolution by reading a quarter of its channels as the low band, and the rest as the
three detail bands, of a Haar wavelet; the picture itself is painted as four such bands. Demodulation does not depend
on the style, so the published weights have it fused into the convolution; the noise is one fixed draw.
"""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invcomp.priors.portraits.architecture import COARSEST, SynthesisShape

SLOPE = 0.2  # of every leaky ReLU
GAIN = 2**0.5  # after every leaky ReLU of the mapping network; in the synthesis network the weights hold it


class MappingNetwork(nn.Module):
    """z (N, S), normal, → w (N, S): the style space W."""

    def __init__(self, style_size: int = 512, layers: int = 8) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(style_size, style_size) for _ in range(layers))

    def forward(self, z: Tensor) -> Tensor:
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE) * GAIN
        return x


class _InverseHaar(torch.autograd.Function):
    """Each corner of the 2 × 2 pixels is written once where it belongs."""

    @staticmethod
    def forward(ctx: Any, bands: Tensor) -> Tensor:
        n, channels, height, width = bands.shape
        channels_last = bands.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        shape = (n, channels // 4, 2 * height, 2 * width)
        out = torch.empty(shape, dtype=bands.dtype, device=bands.device, memory_format=layout)
        low, vertical, horizontal, diagonal = bands.chunk(4, dim=1)
        for row, side, slope in (
            (0, low + vertical, horizontal + diagonal),
            (1, low - vertical, horizontal - diagonal),
        ):
            torch.add(side, slope, out=out[:, :, row::2, 0::2])
            torch.sub(side, slope, out=out[:, :, row::2, 1::2])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        upper_left, upper_right = grad[:, :, 0::2, 0::2], grad[:, :, 0::2, 1::2]
        lower_left, lower_right = grad[:, :, 1::2, 0::2], grad[:, :, 1::2, 1::2]
        upper, upper_slope = upper_left + upper_right, upper_left - upper_right
        lower, lower_slope = lower_left + lower_right, lower_left - lower_right
        bands = (upper + lower, upper - lower, upper_slope + lower_slope, upper_slope - lower_slope)
        return torch.cat(bands, dim=1)


def inverse_haar(bands: Tensor) -> Tensor:
    """(N, 4 C, H, W) → (N, C, 2 H, 2 W), twice the orthonormal inverse: callers halve where the tensor is small.

    The bands lie one after the other: low, then vertical, horizontal and diagonal detail, C channels each.
    """
    if torch.compiler.is_exporting():
        return shuffled_haar(bands)
    out: Tensor = _InverseHaar.apply(bands)
    return out


def shuffled_haar(bands: Tensor) -> Tensor:
    """The same in steps that other runtimes have too; on a CPU it takes twice as long."""
    low, vertical, horizontal, diagonal = bands.chunk(4, dim=1)
    above, below = low + vertical, low - vertical
    upper, lower = horizontal + diagonal, horizontal - diagonal
    corners = torch.stack([above + upper, above - upper, below + lower, below - lower], dim=2)
    return F.pixel_shuffle(corners.flatten(1, 2), 2)


def dense(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


def separable(in_channels: int, out_channels: int) -> nn.Sequential:
    """A 3 × 3 convolution in two steps: within each channel, then across channels."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1),
    )


class StyledConv(nn.Module):
    """leaky(conv(style · x) + noise): modulated convolution, (demodulation fused into it,) noise, bias, activation."""

    def __init__(self, style_size: int, in_channels: int, conv: nn.Module, resolution: int) -> None:
        super().__init__()
        self.style = nn.Linear(style_size, in_channels)
        self.conv = conv
        self.noise: Tensor
        self.register_buffer("noise", torch.zeros(1, 1, resolution, resolution))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (N, C, R, R) and w (N, S) → (N, C', R, R)."""
        return self.convolve(x * _scales(self.style(w)))

    def convolve(self, x: Tensor) -> Tensor:
        """All but the style, which `x` has already."""
        y: Tensor = self.conv(x)
        return F.leaky_relu_(y.add_(self.noise), SLOPE)  # in place: fresh memory costs more than the arithmetic


class Block(nn.Module):
    """Wavelet upsampling and two styled convolutions: features at R → features at 2 R."""

    def __init__(self, style_size: int, in_channels: int, out_channels: int, resolution: int) -> None:
        """`resolution`: of the output."""
        super().__init__()
        quarter = in_channels // 4
        self.style = nn.Linear(style_size, in_channels)
        self.first = StyledConv(style_size, quarter, separable(quarter, out_channels), resolution)
        self.second = StyledConv(style_size, out_channels, separable(out_channels, out_channels), resolution)

    def scales(self, styles: Tensor) -> tuple[Tensor, Tensor]:
        """Styles (N, 3, S) → scales (N, C, 1, 1) before the wavelet and (N, C', 1, 1) between the convolutions.

        The wavelet keeps channels apart, so the first convolution's style can be applied before it, in one product.
        """
        before = self.style(styles[:, 0]) * self.first.style(styles[:, 1]).repeat(1, 4)
        return _scales(before), _scales(self.second.style(styles[:, 2]))

    def forward(self, x: Tensor, styles: Tensor) -> Tensor:
        """x (N, C, R / 2, R / 2) and styles (N, 3, S) → (N, C', R, R)."""
        before, between = self.scales(styles)
        x = self.first.convolve(inverse_haar(x * (before / 2)))
        return self.second.convolve(x * between)


class SynthesisNetwork(nn.Module):
    """Styles → pictures in [0, 1] (not clamped), RGB. The published network gives 2 · picture - 1.

    Styles are W, (N, S), one vector for all layers; or W+, (N, L, S), one for each of the L = 23 style inputs: the
    first layer, three in each block (upsampling, first and second convolution), the painter.
    """

    def __init__(self, shape: SynthesisShape | None = None) -> None:
        super().__init__()
        self.shape = shape or SynthesisShape()
        widths, style_size = self.shape.widths, self.shape.style_size
        self.constant = nn.Parameter(torch.randn(1, widths[0], COARSEST, COARSEST))
        self.first = StyledConv(style_size, widths[0], dense(widths[0], widths[0]), COARSEST)
        self.blocks = nn.ModuleList(
            Block(style_size, before, after, resolution)
            for before, after, resolution in zip(widths, widths[1:], self.shape.resolutions[1:], strict=False)
        )
        self.paint_style = nn.Linear(style_size, widths[-1])
        self.to_bands = nn.Conv2d(widths[-1], 12, 1)

    @property
    def sizes(self) -> tuple[int, int]:
        """Sides of the pictures that it can paint: the low band, and all bands."""
        finest = self.shape.resolutions[-1]
        return finest, 2 * finest

    def forward(self, styles: Tensor, size: int | None = None, additions: Mapping[int, Tensor] | None = None) -> Tensor:
        """Styles W or W+ → pictures (N, 3, size, size) in [0, 1], not clamped.

        `size`: one of `sizes`, the larger by default. The smaller is the larger averaged over 2 × 2 pixels, for less.
        `additions`: see `features`.
        """
        finest = self.shape.resolutions[-1]
        return self.paint(self.features(styles, (finest,), additions)[finest], styles, size)

    def features(
        self, styles: Tensor, keep: Collection[int], additions: Mapping[int, Tensor] | None = None
    ) -> dict[int, Tensor]:
        """Features {R: (N, C_R, R, R)} at the resolutions `keep`; nothing finer than those is computed.

        `additions`: {R: tensor that broadcasts to (N, C_R, R, R)}, added to the features at R (kept ones included).
        """
        additions = additions or {}
        if not keep or not {*keep, *additions} <= {*self.shape.resolutions}:
            raise ValueError(f"there are features at {self.shape.resolutions} pixels, not at {[*keep, *additions]}")
        per_layer = self._per_layer(styles)
        kept: dict[int, Tensor] = {}
        # convolutions keep the layout of their input; on a CPU the depthwise ones are three times as fast in this one
        layout = torch.channels_last if self.constant.device.type == "cpu" else torch.contiguous_format
        h = self.constant.expand(styles.shape[0], -1, -1, -1).contiguous(memory_format=layout)
        for level, resolution in enumerate(self.shape.resolutions[: 1 + _level(max(keep))]):
            if level == 0:
                h = self.first(h, per_layer[:, 0])
            else:
                h = self.blocks[level - 1](h, per_layer[:, 3 * level - 2 : 3 * level + 1])
            if resolution in additions:
                h = h + additions[resolution]
            if resolution in keep:
                kept[resolution] = h
        return kept

    def paint(self, h: Tensor, styles: Tensor, size: int | None = None) -> Tensor:
        """The finest features and the styles → pictures, as in `forward`."""
        size = self.sizes[-1] if size is None else size
        if size not in self.sizes:
            raise ValueError(f"the network paints pictures of {self.sizes} pixels, not of {size}")
        bands = 12 if size == self.sizes[-1] else 3
        scaled = h * _scales(self.paint_style(self._per_layer(styles)[:, -1]))
        assert self.to_bands.bias is not None
        # a quarter: one half is the wavelet's (`inverse_haar`), the other takes [-1, 1] to [0, 1]
        x = F.conv2d(scaled, self.to_bands.weight[:bands] / 4, self.to_bands.bias[:bands] / 4)
        return (inverse_haar(x) if bands == 12 else x) + 0.5

    def _per_layer(self, styles: Tensor) -> Tensor:
        """W or W+ → W+ (N, L, S)."""
        inputs, size = self.shape.style_inputs, self.shape.style_size
        if styles.dim() not in (2, 3) or styles.shape[-1] != size or (styles.dim() == 3 and styles.shape[1] != inputs):
            raise ValueError(f"styles are (N, {size}) or (N, {inputs}, {size}), not {tuple(styles.shape)}")
        return styles if styles.dim() == 3 else styles[:, None].expand(-1, inputs, -1)


def _scales(style: Tensor) -> Tensor:
    """(N, C) → (N, C, 1, 1), to multiply channels with."""
    return style[:, :, None, None]


def _level(resolution: int) -> int:
    return (resolution // COARSEST).bit_length() - 1
