"""Small random distortions of images, as data augmentation."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.errors import SettingError

_TURN, _SHEAR, _SCALE, _SHIFT = math.radians(10), 0.2, 0.15, 0.1


def warped(x: Tensor, by: Tensor) -> Tensor:
    """Distort images a little: turn by up to 10 degrees, shear up to 0.2, scale up to 0.15, move up to 5% of a side.

    Args:
        x: Images, (n, channels, height, width).
        by: Size of each distortion, from -1 to 1: turn, two shears, two scales, two moves, (n, 7).

    Raises:
        SettingError: The inputs are not images.

    Source: the distortions of Koch et al. 2015, section 3.3, with slightly stronger shear.

    >>> x = torch.rand(1, 1, 28, 28)
    >>> bool(torch.allclose(warped(x, torch.zeros(1, 7)), x, atol=1e-5))
    True
    """
    if x.ndim != 4:
        raise SettingError(
            f"warp = True: inputs of shape {tuple(x.shape[1:])} are no images (channels, height, width); leave it out"
        )
    turn, a, b, w, h, right, down = (by * by.new_tensor([_TURN, *[_SHEAR] * 2, *[_SCALE] * 2, *[_SHIFT] * 2])).unbind(1)
    cos, sin = turn.cos(), turn.sin()
    turning = torch.stack([cos, -sin, sin, cos], 1).view(-1, 2, 2)
    bending = torch.stack([1 + w, a, b, 1 + h], 1).view(-1, 2, 2)
    theta = torch.cat([turning @ bending, torch.stack([right, down], 1)[..., None]], 2)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
