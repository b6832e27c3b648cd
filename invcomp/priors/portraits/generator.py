"""The imported generator as the codec sees it: latent levels with tables, and a differentiable way to a picture.

    style         W, in the principal components of the mapping network's output
    layers        W+: what each layer's style differs from W, in a basis of all layers together
    features-R    additions to the features at R × R pixels, in a basis of channels

The picture changes equally, in squared distortion and on average, by one unit of every coordinate of every level, so
one quantisation step serves them all: coordinate = step(rate) * symbol. `docs/priors.md` says how the bases were found.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invcomp.priors.layers import RateTable
from invcomp.priors.portraits.architecture import PortraitArchitecture
from invcomp.priors.portraits.heads import Head
from invcomp.priors.portraits.mobile_stylegan import SynthesisNetwork


class PortraitGenerator(nn.Module):
    """Symbols of all levels → pictures in [0, 1], not clamped."""

    def __init__(self, arch: PortraitArchitecture) -> None:
        super().__init__()
        self.arch = arch
        layers, components = arch.shape.style_inputs, arch.layer_components
        self.synthesis = SynthesisNetwork(arch.shape)
        self.heads = nn.ModuleDict({str(resolution): Head(arch.shape, resolution) for resolution in sorted(arch.heads)})
        self.log_step = RateTable(torch.zeros(arch.rates))
        self.mean_style = nn.Parameter(torch.zeros(arch.style_size))
        self.style_basis = nn.Parameter(torch.zeros(arch.style_channels, arch.style_size))
        self.layer_basis = nn.Parameter(torch.zeros(arch.layer_channels, layers, components))
        self.components = nn.Parameter(torch.zeros(components, arch.style_size))
        widths = dict(zip(arch.shape.resolutions, arch.widths, strict=True))
        self.feature_bases = nn.ParameterDict(
            {
                str(resolution): nn.Parameter(torch.zeros(widths[resolution], channels, 1, 1))
                for resolution, channels in zip(arch.feature_resolutions, arch.feature_channels, strict=True)
            }
        )

    def styles(self, style: Tensor, layers: Tensor) -> Tensor:
        """Coordinates (N, C, 1, 1) of the first two levels → W+ (N, L, S)."""
        w = self.mean_style + style.flatten(1) @ self.style_basis
        offsets = torch.einsum("nk,klp->nlp", layers.flatten(1), self.layer_basis) @ self.components
        return w[:, None] + offsets

    def forward(self, residuals: Sequence[Tensor], rate: Tensor, size: int | None = None) -> Tensor:
        """Symbols [(N, C, H, W)] by level and rates (N,) in [0, R - 1] → pictures (N, 3, size, size).

        `size`: one of the architecture's `sizes`; by default the one that is searched.
        """
        size = self.arch.coded_size if size is None else size
        step = self.log_step(rate).exp()[:, None, None, None]
        coordinates = [step * residual for residual in residuals]
        styles = self.styles(coordinates[0], coordinates[1])
        additions = {
            resolution: F.conv2d(values, self.feature_bases[str(resolution)])
            for resolution, values in zip(self.arch.feature_resolutions, coordinates[2:], strict=True)
        }
        if size not in self.arch.heads:
            return self.synthesis(styles, size, additions)  # type: ignore[no-any-return]
        features = self.synthesis.features(styles, (size,), additions)[size]
        return self.heads[str(size)](features, styles, self.synthesis)  # type: ignore[no-any-return]
