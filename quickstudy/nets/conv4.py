"""The four-block convolutional net of the few-shot papers."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.nets.norm import BatchNorm


class Conv4(nn.Module):
    """Four blocks of 3x3 convolution, batch norm, ReLU, each halving the image.

    Args:
        channels: Channels of the input image.
        size: Height and width of the input image, pixels; at least 16 where pooled.
        width: Filters of each block.
        pool: True halves by 2x2 max pooling and flattens at the end (Vinyals 2016, Snell 2017). False halves by a
            stride of 2 and takes the mean over the remaining pixels at the end. That is Finn 2017's net for Omniglot,
            with about a quarter of the work.

    Images (n, channels, size, size) become (n, out_features). The convolutions have no bias: batch norm removes it.

    Raises:
        SettingError: Pooling would leave no pixel.

    Source: Vinyals et al. 2016, section 4.1.1, arXiv:1606.04080; Finn et al. 2017, section 5.2, arXiv:1703.03400.

    >>> import torch
    >>> Conv4(size=28, width=32)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 32])
    """

    def __init__(self, channels: int = 1, size: int = 28, width: int = 64, *, pool: bool = True) -> None:
        super().__init__()
        if pool and size < 16:
            raise SettingError(
                f"size={size} is too small: four poolings need at least 16 pixels; enlarge the images or set pool=False"
            )
        self.channels, self.size, self.width, self.pool = channels, size, width, pool
        self.out_features = width * (size // 16) ** 2 if pool else width
        widths = [channels, width, width, width, width]
        stride = 1 if pool else 2
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=stride, padding=1, bias=False) for a, b in pairwise(widths)
        )
        for conv in self.convs:  # then no convolution has to convert the layout of its weight
            conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.norms = nn.ModuleList(BatchNorm(width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """Embed images, (n, channels, size, size) -> (n, out_features)."""
        if not self.pool:
            for conv, norm in zip(self.convs, self.norms, strict=True):
                x = F.relu(norm(conv(x)))
            return x.mean((2, 3))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(cast(BatchNorm, norm).pooled(x, cast(Tensor, conv.weight)))
        return x.flatten(1)
