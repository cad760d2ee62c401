"""A net for images."""

import torch
from torch import nn


class Flat(nn.Module):
    """One layer on all pixels.

    Args:
        channels: Channels of an image.
        size: Height and width of an image.
        width: Width of the embedding.
    """

    def __init__(self, channels: int, size: int, width: int = 8) -> None:
        super().__init__()
        self.channels, self.size, self.width = channels, size, width
        self.out_features = width
        self.linear = nn.Linear(channels * size**2, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embed images, (n, channels, size, size) -> (n, width)."""
        return self.linear(x.flatten(1)).relu()
