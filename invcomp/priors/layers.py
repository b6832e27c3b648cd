"""Building blocks that generator, encoder and critic share. All tensors are (N, C, H, W)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def activation(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def conv(in_channels: int, out_channels: int, kernel: int = 3, gain: float = 1.0) -> nn.Conv2d:
    """A same-size convolution whose output has about `gain` times the variance-preserving scale at the start."""
    layer = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    nn.init.normal_(layer.weight, std=gain * (in_channels * kernel**2) ** -0.5)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class ResBlock(nn.Module):
    """x + conv(act(conv(act(x)))), the identity at the start (Fixup: Zhang et al. 2019, so no normalisation)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width, gain=1.4)
        self.second = conv(width, width, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(activation(self.first(activation(x))))
        return out


class RateTable(nn.Module):
    """One learned vector per rate index, interpolated linearly for rates in between."""

    def __init__(self, start: Tensor) -> None:
        """`start`: (R, C, ...), the values at the rate indices."""
        super().__init__()
        self.values = nn.Parameter(start.clone())

    def forward(self, rate: Tensor) -> Tensor:
        """(N,) rates in [0, R - 1] → (N, C, ...)."""
        low = rate.floor().clamp(0, self.values.shape[0] - 2).long()
        share = (rate - low).view(-1, *[1] * (self.values.dim() - 1)).to(self.values.dtype)
        return torch.lerp(self.values[low], self.values[low + 1], share)
