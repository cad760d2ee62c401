"""The convolutional net of Relation Networks, whose embedding is a feature map and keeps positions."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.nets.fast.conv import conv3x3
from quickstudy.nets.norm import BatchNorm


class Conv4Maps(nn.Module):
    """Four blocks of 3x3 convolution, batch norm and ReLU; the first two halve the image by 2x2 max pooling.

    Args:
        channels: Channels of the input image.
        size: Height and width of the input image, pixels; at least 16, since a relation module halves twice more.
        width: Filters of each block.

    Images (n, channels, size, size) become (n, out_features): flattened maps, of shape ``maps``.

    Raises:
        SettingError: Pooling would leave no pixel.

    Source: Sung et al. 2018, section 3.4, arXiv:1711.06025. All convolutions are padded by 1.

    >>> import torch
    >>> net = Conv4Maps(size=28, width=8)
    >>> net(torch.zeros(2, 1, 28, 28)).shape, net.maps
    (torch.Size([2, 392]), (8, 7, 7))
    """

    def __init__(self, channels: int = 1, size: int = 28, width: int = 64) -> None:
        super().__init__()
        if size < 16:
            raise SettingError(f"size={size} is too small: four poolings need at least 16 pixels; enlarge the images")
        self.channels, self.size, self.width = channels, size, width
        self.maps = width, size // 4, size // 4
        self.out_features = width * (size // 4) ** 2
        widths = [channels, width, width, width, width]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(BatchNorm(width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """Embed images, (n, channels, size, size) -> (n, out_features)."""
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            weight = cast(Tensor, conv.weight)
            x = F.relu(cast(BatchNorm, norm).pooled(x, weight) if i < 2 else norm(conv3x3(x, weight)))
        return x.flatten(1)
