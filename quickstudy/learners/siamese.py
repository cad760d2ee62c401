"""Siamese networks: are these two the same?"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import Adapted, Predictor, embedding_width
from quickstudy.learners.metric import MetricLearner, most_similar
from quickstudy.tasks.task import Examples


class Siamese(MetricLearner):
    """Twin embeddings, a learned weighted L1 distance between them, and a logistic "same or different".

    A query belongs to the class of its most similar support example. Trained on all pairs of a query with a support
    example, weighing the same. Different ones are many more; the log odds that this gives are added in training, so
    that the learned logit is that of the paper's balanced pairs.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        transductive: Normalise by the statistics of the support and queries at hand.

    Source: Koch, Zemel and Salakhutdinov 2015, section 3, "Siamese Neural Networks for One-shot Image Recognition".

    >>> import torch
    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> Siamese(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, *, transductive: bool = False) -> None:
        super().__init__(net, transductive=transductive)
        self.similarity = nn.Linear(embedding_width(net), 1)
        # Distances are positive, so "same" needs a bias above 0, farther than Adam walks in a short training. Between
        # normalised features |a - b| is about 0.6: at first, such a pair is as likely the same as not.
        nn.init.constant_(self.similarity.weight, -10 / embedding_width(net))
        nn.init.constant_(self.similarity.bias, 6.0)
        self.follow_net()

    def pairs(self, a: Tensor, b: Tensor) -> Tensor:
        """Logit of "same" for embeddings that broadcast to (..., d)."""
        logit: Tensor = self.similarity((a - b).abs())
        return logit.squeeze(-1)

    def comparison(self, support: Examples) -> Predictor:
        """The logit of the most similar support example of each class."""
        return MostSimilar(self, support)

    def contributions(self, support: Examples, query: Tensor) -> Tensor:
        """Of logits: the most similar example of a class is all of it."""
        similarity = self.pairs(query[:, None], support.x)
        best = (most_similar(similarity, support.y) @ support.y.T == similarity).to(similarity)
        of_class = support.y @ support.y.T
        return similarity * best / (best @ of_class).clamp(min=1)

    def embedded_loss(self, support: Examples, query: Tensor, query_y: Tensor) -> Tensor:
        """Binary cross-entropy over all pairs of a query and a support example."""
        target = query_y @ support.y.T
        log_odds = target.mean().logit(1e-6)  # finite where all pairs are the same
        return F.binary_cross_entropy_with_logits(self.pairs(query[:, None], support.x) + log_odds, target)

    def same(self, a: Tensor, b: Tensor) -> Tensor:
        """Probability that a[i] and b[i] are of one class: two batches (n, *input) to (n,).

        >>> import torch
        >>> from quickstudy.nets import MLP
        >>> Siamese(MLP(2, (8,))).same(torch.zeros(3, 2), torch.ones(3, 2)).shape
        torch.Size([3])
        """
        return self.pairs(self.embed(a), self.embed(b)).sigmoid()


@dataclass(frozen=True, eq=False)
class MostSimilar(Adapted):
    """The logit of the most similar support example of each class, of embedded queries."""

    learner: Siamese
    support: Examples

    def __call__(self, query: Tensor) -> Tensor:
        """Compare embedded queries, (m, d) -> (m, n_way)."""
        return most_similar(self.learner.pairs(query[:, None], self.support.x), self.support.y)
