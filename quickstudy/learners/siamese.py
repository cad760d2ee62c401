"""Siamese networks: the probability that two inputs are of the same class."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import Adapted, Predictor, embedding_width
from quickstudy.learners.metric import MetricLearner, most_similar
from quickstudy.tasks.task import Examples


class Siamese(MetricLearner):
    """Siamese networks: two embeddings, a learned weighted L1 distance, and a logistic "same or different".

    A query belongs to the class of its most similar support example. Training uses all pairs of a query and a support
    example, with equal weights. Different pairs are far more frequent than equal ones. Their log odds are therefore
    added in training, so that the learned logit is that of the paper's balanced pairs.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        transductive: Normalise by the batch statistics of a task's support and queries.

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
        # Distances are positive, so "same" needs a bias above 0, larger than Adam reaches in a short training. Between
        # normalised features, |a - b| is about 0.6; at first, such a pair has probability one half.
        nn.init.constant_(self.similarity.weight, -10 / embedding_width(net))
        nn.init.constant_(self.similarity.bias, 6.0)
        self.follow_net()

    def pairs(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the logit of "same" for embeddings that broadcast to (..., d)."""
        logit: Tensor = self.similarity((a - b).abs())
        return logit.squeeze(-1)

    def comparison(self, support: Examples) -> Predictor:
        """Return a comparison by the logit of the most similar support example of each class."""
        return MostSimilar(self, support)

    def contributions(self, support: Examples, query: Tensor) -> Tensor:
        """Return contributions to the logits: the most similar example of a class contributes all of it."""
        similarity = self.pairs(query[:, None], support.x)
        best = (most_similar(similarity, support.y) @ support.y.T == similarity).to(similarity)
        of_class = support.y @ support.y.T
        return similarity * best / (best @ of_class).clamp(min=1)

    def embedded_loss(self, support: Examples, query: Tensor, query_y: Tensor) -> Tensor:
        """Return the binary cross-entropy over all pairs of a query and a support example."""
        target = query_y @ support.y.T
        log_odds = target.mean().logit(1e-6)  # finite if all pairs are the same
        return F.binary_cross_entropy_with_logits(self.pairs(query[:, None], support.x) + log_odds, target)

    def same(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the probability that a[i] and b[i] are of the same class, for two batches (n, *input) -> (n,).

        >>> import torch
        >>> from quickstudy.nets import MLP
        >>> Siamese(MLP(2, (8,))).same(torch.zeros(3, 2), torch.ones(3, 2)).shape
        torch.Size([3])
        """
        return self.pairs(self.embed(a), self.embed(b)).sigmoid()


@dataclass(frozen=True, eq=False)
class MostSimilar(Adapted):
    """Logits of embedded queries by the most similar support example of each class."""

    learner: Siamese
    support: Examples

    def __call__(self, query: Tensor) -> Tensor:
        """Compare embedded queries, (m, d) -> (m, n_way)."""
        return most_similar(self.learner.pairs(query[:, None], self.support.x), self.support.y)
