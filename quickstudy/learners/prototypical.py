"""Prototypical Networks: the nearest class mean."""

from __future__ import annotations

from torch import Tensor

from quickstudy.learners.base import Predictor
from quickstudy.learners.metric import MetricLearner, nearest_mean, nearest_mean_left_out, shares_of_mean
from quickstudy.tasks.task import Examples


class Prototypical(MetricLearner):
    """Prototypical Networks: logits are minus the squared Euclidean distances to the class means.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        transductive: Normalise by the batch statistics of a task's support and queries.

    Source: Snell et al. 2017, eq. 1 and 2, arXiv:1703.05175.

    >>> import torch
    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> Prototypical(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def contributions(self, support: Examples, query: Tensor) -> Tensor:
        """Return contributions to the logits; see ``shares_of_mean``."""
        return shares_of_mean(support, query)

    def comparison(self, support: Examples) -> Predictor:
        """Return a comparison by minus the squared distance to each prototype."""
        return nearest_mean(support)

    def left_out(self, support: Examples, query: Tensor | None = None) -> Tensor:
        """Return the logits without each example in turn; see ``nearest_mean_left_out``."""
        return nearest_mean_left_out(support, query)
