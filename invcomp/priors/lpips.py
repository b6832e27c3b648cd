"""LPIPS networks, with the weights and layers of the `lpips` package: downloaded once, or carried by a prior."""

import sys
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

BACKBONE_FILES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
    "vgg": "vgg16-397923af.pth",
}
LpipsNetwork = nn.Module
"""An `lpips.LPIPS`."""


class MissingWeightsError(Exception):
    """The weights of a backbone are neither in torchvision's cache nor to be had; names the file."""


def download_lpips(net: str) -> LpipsNetwork:
    """The network on the backbone `net` (alex, squeeze, vgg), frozen; weights come through torchvision's cache."""
    try:
        return make(net, pretrained=True)
    except Exception as error:  # of the network, the disk, or a damaged file
        raise MissingWeightsError(
            f"the file {backbone_file(net)}, which is neither there nor could be downloaded ({error}); put it there"
        ) from None


def backbone_file(net: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / BACKBONE_FILES[net]


def is_cached(net: str) -> bool:
    return backbone_file(net).is_file()


def make(net: str, pretrained: bool) -> LpipsNetwork:
    import lpips

    with warnings.catch_warnings(), redirect_stdout(sys.stderr):  # a download speaks on standard output
        warnings.simplefilter("ignore")  # the package calls torchvision in a way that is deprecated
        network: LpipsNetwork = lpips.LPIPS(net=net, pretrained=pretrained, pnet_rand=not pretrained, verbose=False)
    return network.eval().requires_grad_(False)


def stored(network: LpipsNetwork) -> dict[str, NDArray[Any]]:
    """The weights of a network as a prior carries them: fp16."""
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("lins.")}  # twice there, as lin0, …
    return {name: value.cpu().to(torch.float16).contiguous().numpy() for name, value in state.items()}


def restored(net: str, tensors: Mapping[str, NDArray[Any]]) -> LpipsNetwork:
    """The network whose weights a prior carries. Raises `KeyError` or `RuntimeError` if they do not fit."""
    network = make(net, pretrained=False)
    state = {}
    for name in network.state_dict():
        source = name.replace("lins.", "lin", 1) if name.startswith("lins.") else name
        state[name] = torch.from_numpy(tensors[source].astype(np.float32))
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise RuntimeError("weights that are no finite numbers")
    network.load_state_dict(state)
    return network
