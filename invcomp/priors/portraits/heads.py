"""Output heads: small pictures from inner features, for a fraction of the whole network's time.

A head is the rest of the network run at the resolution of the features that it starts from: where a block would
double the resolution with a wavelet, the head merges the four bands into as many channels by a 1 × 1 convolution.
The styles are the network's own, so that W+ means the same to both; the convolutions start as copies of the
network's and are fitted to its output shrunken to the head's size (`scripts/fit_portraits.py`).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invcomp.priors.portraits.architecture import SynthesisShape
from invcomp.priors.portraits.mobile_stylegan import SLOPE, Block, SynthesisNetwork, separable


class HeadBlock(nn.Module):
    """A block of the network without its doubling: (N, C, R, R) → (N, C', R, R)."""

    def __init__(self, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        quarter = in_channels // 4
        self.merge = nn.Conv2d(in_channels, quarter, 1)
        self.first = separable(quarter, out_channels)
        self.second = separable(out_channels, out_channels)
        self.noise = nn.Parameter(torch.zeros(2, 1, resolution, resolution))

    def forward(self, x: Tensor, before: Tensor, between: Tensor) -> Tensor:
        """x (N, C, R, R); scales (N, C, 1, 1) of the merged channels and (N, C', 1, 1) of those after."""
        x = F.leaky_relu(self.first(self.merge(x * before)) + self.noise[0], SLOPE)
        return F.leaky_relu(self.second(x * between) + self.noise[1], SLOPE)

    def start_from(self, block: Block) -> None:
        """Begin as a block of the network, the merge as the low band of its wavelet."""
        quarter = self.merge.out_channels
        nn.init.zeros_(self.merge.weight)
        nn.init.zeros_(self.merge.bias)  # type: ignore[arg-type]
        self.merge.weight[range(quarter), range(quarter)] = 0.5
        for own, theirs, noise in zip((self.first, self.second), (block.first, block.second), self.noise, strict=True):
            own.load_state_dict(theirs.conv.state_dict())
            noise.copy_(F.adaptive_avg_pool2d(theirs.noise, noise.shape[-1])[0])


class Head(nn.Module):
    """Features at `resolution` → pictures (N, 3, resolution, resolution) in [0, 1], not clamped."""

    def __init__(self, shape: SynthesisShape, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.skipped = shape.resolutions.index(resolution)  # blocks of the network that lie before the head
        widths = shape.widths[self.skipped :]
        self.blocks = nn.ModuleList(HeadBlock(before, after, resolution) for before, after in pairwise(widths))
        self.to_rgb = nn.Conv2d(widths[-1], 3, 1)

    def forward(self, features: Tensor, styles: Tensor, network: SynthesisNetwork) -> Tensor:
        """`features` at the head's resolution; `styles` W+ (N, L, S); the network gives their affine maps."""
        x = features
        for index, block in enumerate(self.blocks, start=self.skipped):
            scales = network.blocks[index].scales(styles[:, 3 * index + 1 : 3 * index + 4])  # type: ignore[operator]
            x = block(x, *scales)
        x = x * network.paint_style(styles[:, -1])[:, :, None, None]
        return self.to_rgb(x) + 0.5  # type: ignore[no-any-return]

    @torch.no_grad()
    def start_from(self, network: SynthesisNetwork) -> None:
        """Begin as the network itself, each merge as the low band of its wavelet."""
        for own, block in zip(self.blocks, network.blocks[self.skipped :], strict=True):
            own.start_from(block)  # type: ignore[operator]
        self.to_rgb.weight.copy_(network.to_bands.weight[: self.to_rgb.out_channels] / 4)
        self.to_rgb.bias.copy_(network.to_bands.bias[: self.to_rgb.out_channels] / 4)  # type: ignore[index, union-attr]
