"""Pictures as tensors, and back."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from invcomp.pictures import from_array


def to_tensor(image: Image.Image) -> Tensor:
    """An RGB image → (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1).float() / 255


def to_image(picture: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1], clamped → an RGB image."""
    return from_array(picture.detach().float().cpu().numpy())
