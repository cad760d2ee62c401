"""The twelve-layer residual net of the few-shot papers, and its DropBlock."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.nets.fast.conv import conv3x3
from quickstudy.nets.norm import BatchNorm


class ResNet12(nn.Module):
    """Four residual blocks of three 3x3 convolutions, each halving the image, then a mean over the remaining pixels.

    Args:
        channels: Channels of the input image.
        size: Height and width of the input image, pixels; at least 16.
        width: Filters of the first block; the others have 2.5, 5 and 10 times as many.
        drop: Share of each block's output that is dropped in training. The first two blocks drop single pixels, the
            last two drop squares of up to 5x5.

    Images (n, channels, size, size) become (n, out_features), 640 for the published width of 64.

    Raises:
        SettingError: Pooling would leave no pixel.

    Source: Oreshkin et al. 2018, section 3, arXiv:1805.10123; widths and drops of Lee et al. 2019, section 4.1,
    arXiv:1904.03758.

    >>> import torch
    >>> ResNet12(size=16, width=2)(torch.zeros(2, 3, 16, 16)).shape
    torch.Size([2, 20])
    """

    def __init__(self, channels: int = 3, size: int = 84, width: int = 64, *, drop: float = 0.1) -> None:
        super().__init__()
        if size < 16:
            raise SettingError(f"size={size} is too small: four poolings need at least 16 pixels; enlarge the images")
        self.channels, self.size, self.width, self.drop = channels, size, width, drop
        self.out_features = 10 * width
        widths = [channels, width, 5 * width // 2, 5 * width, 10 * width]
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in pairwise(widths))
        self.drops = nn.ModuleList(
            DropBlock(filters, size >> (i + 1), drop, 1 if i < 2 else 5) for i, filters in enumerate(widths[1:])
        )

    def forward(self, x: Tensor) -> Tensor:
        """Embed images, (n, channels, size, size) -> (n, out_features)."""
        for block, drop in zip(self.blocks, self.drops, strict=True):
            x = drop(block(x))
        return x.mean((2, 3))


class ResidualBlock(nn.Module):
    """Three 3x3 convolutions with batch norm, a 1x1 shortcut parallel to them, and 2x2 max pooling.

    Args:
        channels: Channels of the input.
        width: Number of filters.

    >>> ResidualBlock(3, 8)(torch.zeros(2, 3, 6, 6)).shape
    torch.Size([2, 8, 3, 3])
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, width, 3, padding=1, bias=False) for c in (channels, width, width))
        self.norms = nn.ModuleList(BatchNorm(width) for _ in range(3))
        self.shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), BatchNorm(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map feature maps, (n, channels, h, w) -> (n, width, h // 2, w // 2)."""
        z = x
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            z = norm(conv3x3(z, cast(Tensor, conv.weight)))
            if i < 2:
                z = F.leaky_relu(z, 0.1)
        return F.max_pool2d(F.leaky_relu(z + self.shortcut(x), 0.1), 2)


class DropBlock(nn.Module):
    """Layer that drops squares of each channel in training, and scales the rest to make up for the dropped pixels.

    A forward pass reads no random state: it is a function of weights and input. A table of random numbers is drawn
    once; where a number falls into a window of length gamma, a square is dropped. The window of an image begins at the
    fractional part of 10,000 times its mean activation. Every image therefore has its own mask, and another mask after
    the weights have changed.

    Args:
        channels: Channels of the input.
        size: Height and width of the input, pixels.
        drop: Expected share of dropped pixels, by the paper's count.
        square: Height and width of a dropped square; at most the size of the input.

    Source: Ghiasi et al. 2018, algorithm 1 and eq. 1, arXiv:1810.12890.

    >>> (DropBlock(64, 8, 0.5, 2)(torch.ones(1, 64, 8, 8)) == 0).double().mean().round(decimals=1).item()
    0.4
    """

    table: Tensor

    def __init__(self, channels: int, size: int, drop: float, square: int) -> None:
        super().__init__()
        self.drop, self.square = drop, min(square, size)
        corners = size - self.square + 1  # positions of a square that fits into the map
        self.gamma = drop / self.square**2 * size**2 / corners**2
        draw = torch.Generator().manual_seed(0)
        table = torch.rand(channels, corners, corners, generator=draw, device="cpu")
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Drop squares, (n, channels, size, size) -> the same shape."""
        if not (self.training and self.drop):
            return x
        begin = 1e4 * x.detach().mean((1, 2, 3), keepdim=True, dtype=self.table.dtype)
        dropped = ((self.table - begin) % 1 < self.gamma).to(x.dtype)
        # Each corner becomes a square: the maximum over the square that ends at a pixel.
        keep = 1 - F.max_pool2d(F.pad(dropped, [self.square - 1] * 4), self.square, stride=1)
        return x * keep / keep.mean((1, 2, 3), keepdim=True).clamp(min=1e-6)
