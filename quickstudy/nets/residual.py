"""A small change of embeddings that are already good."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """The map gain * (x + W x), where W starts at zero and both are learned.

    At first it is the embedding times the gain. Distances between embeddings of length 1 are at most 2, too small for a
    softmax to learn from. The gain therefore starts where squared distances are ten times as large.

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
        """Change embeddings, (n, in_features) -> (n, in_features)."""
        changed: Tensor = self.gain * (x + self.change(x))
        return changed
