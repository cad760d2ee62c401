"""Prototypical Networks: the nearest class mean."""

from __future__ import annotations

import torch
from torch import Tensor

from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples


def prototypes(z: Tensor, y: Tensor) -> Tensor:
    """Mean embedding of each class; zero for a class without examples.

    Args:
        z: Embeddings, (n, d).
        y: One-hot classes, (n, n_way).

    Returns:
        (n_way, d).

    Source: Snell et al. 2017, eq. 1, arXiv:1703.05175.

    >>> prototypes(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [1.0]]))
    tensor([[1.]])
    """
    return (y.T @ z) / y.sum(0).clamp(min=1)[:, None]


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
