"""No net: vectors as they are."""

from __future__ import annotations

from torch import Tensor, nn


class Identity(nn.Module):
    """Leaves vectors as they are, (n, in_features), for learners that compare them directly.

    Args:
        in_features: Width of the vectors.

    >>> import torch
    >>> Identity(2)(torch.ones(1, 2))
    tensor([[1., 1.]])
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.in_features = self.out_features = in_features

    def forward(self, x: Tensor) -> Tensor:
        """The same vectors."""
        return x
