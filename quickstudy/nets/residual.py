"""A gentle change of embeddings that are good already."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """gain * (x + W x): at first the embedding itself, as W is zero, larger by a gain that is learned.

    Distances between embeddings of length 1 are at most 2, too flat for a softmax to learn from: the gain starts so
    that squared distances are ten times as large.

    Args:
        in_features: Width of the embeddings.

    >>> Residual(2)(torch.ones(1, 2)).div(10**0.5).round(decimals=4).tolist()
    [[1.0, 1.0]]
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.in_features = self.out_features = in_features
        self.change = nn.Linear(in_features, in_features, bias=False)
        nn.init.zeros_(self.change.weight)
        self.gain = nn.Parameter(torch.tensor(10**0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (n, in_features) -> (n, in_features)."""
        changed: Tensor = self.gain * (x + self.change(x))
        return changed
