"""Relation Networks: a learned comparison."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import embedding_width, prototypes
from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples


class Relation(MetricLearner):
    """A small net scores how well a query and a class go together; it regresses on 1 if they do and 0 if not.

    Embeddings are vectors, so the relation module is an MLP of one hidden layer on the two of them side by side, where
    the paper has two convolutions on feature maps. A class is the mean of its embeddings, where the paper has the sum:
    unequal shots then look alike.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        transductive: Normalise by the statistics of the support and queries at hand.

    Source: Sung et al. 2018, eq. 1 and 2, arXiv:1711.06025.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> Relation(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, *, transductive: bool = False) -> None:
        super().__init__(net, transductive=transductive)
        d = embedding_width(net)
        self.relation = nn.Sequential(nn.Linear(2 * d, d), nn.ReLU(), nn.Linear(d, 1))

    def compare(self, support: Examples, query: Tensor) -> Tensor:
        """Logits of the relation scores of each query and each class; minus infinity where a class has no examples."""
        classes = prototypes(support.x, support.y)
        shape = len(query), *classes.shape
        pairs = torch.cat([classes.expand(shape), query[:, None].expand(shape)], -1)
        return torch.where(support.y.any(0), self.relation(pairs).squeeze(-1), -torch.inf)

    def embedded_loss(self, support: Examples, query: Tensor, query_y: Tensor) -> Tensor:
        """Mean squared error of the relation scores."""
        return F.mse_loss(self.compare(support, query).sigmoid(), query_y)
