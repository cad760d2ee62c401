"""Prototypical Networks: the nearest class mean."""

from __future__ import annotations

import torch
from torch import Tensor

from quickstudy.learners.base import prototypes
from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples


class Prototypical(MetricLearner):
    """Logits are minus the squared Euclidean distances to the class means.

    Source: Snell et al. 2017, eq. 1 and 2, arXiv:1703.05175.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> Prototypical(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def compare(self, support: Examples, query: Tensor) -> Tensor:
        """Minus the squared distance of each query to each prototype; minus infinity where a class has none."""
        means = prototypes(support.x, support.y)
        logits = 2 * query @ means.T - (query**2).sum(-1, keepdim=True) - (means**2).sum(-1)
        return torch.where(support.y.any(0), logits, -torch.inf)
