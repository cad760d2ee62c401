"""Random crops, mirror images and colours of photographs, as data augmentation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.errors import SettingError

_PADDING = 8  # a crop is moved by up to an eighth of a side
_JITTER = 0.4


def augmented(x: Tensor, by: Tensor) -> Tensor:
    """Return a crop of each padded photograph, some of them mirrored, with other brightness, contrast and saturation.

    Photographs get a black margin of an eighth of their size on each side, 4 pixels for 32, and a crop of their size is
    cut out. Half of them are mirrored. Then brightness, contrast and saturation are multiplied by 0.6 to 1.4 each, in
    this order, and values are cut to [0, 1] after each.

    Args:
        x: Photographs in [0, 1], (n, 3, height, width).
        by: Random numbers of each from -1 to 1, (n, 6): down, right, mirrored if negative, brightness, contrast, and
            saturation.

    Raises:
        SettingError: The inputs are not images of three channels.

    Source: Lee et al. 2019, arXiv:1904.03758, section 4.1, and Tian et al. 2020, arXiv:2003.11539, whose code draws the
    order of the three changes of colour too.

    >>> x = torch.rand(1, 3, 32, 32)
    >>> bool(torch.allclose(augmented(x, torch.zeros(1, 6)), x, atol=1e-6))
    True
    """
    if x.ndim != 4 or x.shape[1] != 3:
        raise SettingError(f"augment = True: inputs of shape {tuple(x.shape[1:])} are no colour images; leave it out")
    x = _crops(x, *by[:, :3].unbind(1))
    brightness, contrast, saturation = (1 + _JITTER * by[:, 3:, None, None, None]).unbind(1)
    x = (x * brightness).clamp(0, 1)  # not in place, for vmap
    x = torch.lerp(_grey(x).mean((2, 3), keepdim=True), x, contrast).clamp(0, 1)
    return torch.lerp(_grey(x), x, saturation).clamp(0, 1)


def _crops(x: Tensor, down: Tensor, right: Tensor, mirror: Tensor) -> Tensor:
    """Return a crop of each padded image, mirrored where the number is negative."""
    height, width = x.shape[2:]
    tall, wide = height // _PADDING, width // _PADDING
    places = zip(_starts(down, tall), _starts(right, wide), (mirror < 0).tolist(), strict=True)
    crops = []
    for image, (top, left, mirrored) in zip(F.pad(x, (wide, wide, tall, tall)), places, strict=True):
        crop = image[:, top : top + height, left : left + width]
        crops.append(crop.flip(-1) if mirrored else crop)
    return torch.stack(crops)


def _starts(by: Tensor, margin: int) -> list[int]:
    """Return the first row or column of each crop from numbers from -1 to 1; each place is equally likely."""
    places = 2 * margin + 1
    return ((by + 1) / 2 * places).long().clamp(0, places - 1).tolist()


def _grey(x: Tensor) -> Tensor:
    """Return the grey levels of images, (n, 1, height, width)."""
    red, green, blue = (x[:, c : c + 1] for c in range(3))
    return 0.299 * red + 0.587 * green + 0.114 * blue
