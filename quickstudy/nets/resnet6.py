"""A small residual net for drawings, which keeps the positions of their strokes."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.nets.fast.conv import conv3x3
from quickstudy.nets.norm import BatchNorm


class ResNet6(nn.Module):
    """A 3x3 convolution, two residual blocks of two convolutions each, and a linear map of all remaining pixels.

    The image is halved only twice and not averaged over positions. A map therefore still shows where each stroke lies,
    which distinguishes the characters of one alphabet. With 24 filters the net takes two thirds of conv4's arithmetic.

    Args:
        channels: Channels of the input image.
        size: Height and width of the input image, pixels; at least 4.
        width: Filters of the first convolution; the blocks have twice and four times as many.
        out_features: Width of the embedding.

    Images (n, channels, size, size) become (n, out_features), with mean 0 and variance 1/16 at first.

    Raises:
        SettingError: Pooling would leave no pixel.

    Source: He et al. 2016, section 3, arXiv:1512.03385, for the blocks.

    >>> import torch
    >>> ResNet6(width=8)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 256])
    """

    def __init__(self, channels: int = 1, size: int = 28, width: int = 24, *, out_features: int = 256) -> None:
        super().__init__()
        if size < 4:
            raise SettingError(f"size={size} is too small: two poolings need at least 4 pixels; enlarge the images")
        self.channels, self.size, self.width, self.out_features = channels, size, width, out_features
        self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.norm = BatchNorm(width)
        self.blocks = nn.ModuleList([TwoConvolutions(width, 2 * width), TwoConvolutions(2 * width, 4 * width)])
        self.linear = nn.Linear(4 * width * (size // 4) ** 2, out_features, bias=False)
        self.out_norm = BatchNorm(out_features)
        # Squared distances start at 2 out_features / 16: at 32 a softmax over them still learns, at 512 hardly.
        nn.init.constant_(self.out_norm.weight, 0.25)

    def forward(self, x: Tensor) -> Tensor:
        """Embed images, (n, channels, size, size) -> (n, out_features)."""
        x = self.blocks[0](F.relu(self.norm.pooled(x, self.conv.weight)))
        x = self.blocks[1](F.max_pool2d(x, 2))
        return cast(Tensor, self.out_norm(self.linear(x.flatten(1))))


class TwoConvolutions(nn.Module):
    """Two 3x3 convolutions with batch norm, and a 1x1 shortcut parallel to them.

    Args:
        channels: Channels of the input.
        width: Number of filters.

    >>> import torch
    >>> TwoConvolutions(3, 8)(torch.zeros(2, 3, 6, 6)).shape
    torch.Size([2, 8, 6, 6])
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, width, 3, padding=1, bias=False) for c in (channels, width))
        self.norms = nn.ModuleList(BatchNorm(width) for _ in range(2))
        self.shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), BatchNorm(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map feature maps, (n, channels, h, w) -> (n, width, h, w)."""
        first, second = (cast(Tensor, conv.weight) for conv in self.convs)
        z = self.norms[1](conv3x3(F.relu(self.norms[0](conv3x3(x, first))), second))
        return F.relu(z + self.shortcut(x))
