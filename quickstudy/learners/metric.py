"""What learners that compare embeddings share: one net for support and query, class means and distances."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from quickstudy.learners.base import Learner, Predictor, prototypes
from quickstudy.nets import apply, normalised_by, record_population
from quickstudy.tasks.task import Examples, Task


class MetricLearner(Learner):
    """Embeds support and query with one net and compares; any number of classes at any time.

    In training, support and queries are embedded in one pass with their common batch statistics. Otherwise, statistics
    are those of the training population, or again those of the whole batch where transductive.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        transductive: Normalise by the statistics of the support and queries at hand.
    """

    def __init__(self, net: nn.Module, *, transductive: bool = False) -> None:
        super().__init__()
        # A CPU convolution's own layout. Here one set of weights serves all examples, so a step is 1.5x faster.
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.transductive = transductive

    @abstractmethod
    def comparison(self, support: Examples) -> Predictor:
        """What is learned of the embedded support, x (n, d): embedded queries (m, d) to logits (m, n_way)."""

    def contributions(self, support: Examples, query: Tensor) -> Tensor | None:
        """What each support example adds to the score of its own class, exactly: over a class they sum to its score.

        Args:
            support: Embedded, x (n, d) and y (n, n_way).
            query: Embedded, (m, d).

        Returns:
            (m, n); None, the default, where a score is no sum over examples.
        """
        return None

    def adapt(self, support: Examples) -> Predictor:
        """Embed the support; a query is compared with it."""
        if self.transductive:

            def predict(x: Tensor) -> Tensor:
                with normalised_by("batch"):
                    z, query = self._embed_together(support, x)
                    return self.comparison(z)(query)

            return predict
        compare = self.comparison(Examples(apply(self.net, support.x, statistics="population"), support.y))
        return lambda x: compare(apply(self.net, x, statistics="population"))

    def meta_loss(self, task: Task) -> Tensor:
        """Loss of the queries compared with the support, all under their common batch statistics."""
        with normalised_by("batch"):
            return self.embedded_loss(*self._embed_together(task.support, task.query.x), task.query.y)

    def embedded_loss(self, support: Examples, query: Tensor, query_y: Tensor) -> Tensor:
        """Loss of embedded queries (m, d) with targets (m, n_way), a scalar."""
        return self.prediction_loss(self.comparison(support)(query), query_y)

    def observe(self, x: Tensor) -> None:
        """Record the population's batch statistics."""
        record_population(self.net, x)

    def _embed_together(self, support: Examples, x: Tensor) -> tuple[Examples, Tensor]:
        """Support and queries, embedded in one pass by the statistics chosen outside."""
        z = self.net(torch.cat([support.x, x]))
        return Examples(z[: len(support.x)], support.y), z[len(support.x) :]


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distances between rows, (m, d) and (n, d) -> (m, n).

    >>> squared_distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([[25.]])
    """
    return (a**2).sum(-1, keepdim=True) + (b**2).sum(-1) - 2 * a @ b.T


def nearest_mean(support: Examples) -> Predictor:
    """Minus the squared distance of a query to each class mean; minus infinity where a class has no examples.

    Args:
        support: Embedded, x (n, d) and y (n, n_way).

    Returns:
        Embedded queries (m, d) to logits (m, n_way).

    Source: Snell et al. 2017, eq. 2, arXiv:1703.05175.

    >>> nearest_mean(Examples(torch.tensor([[0.0], [3.0]]), torch.eye(2)))(torch.tensor([[1.0]])).tolist()
    [[-1.0, -4.0]]
    """
    means, shown = prototypes(support.x, support.y), support.y.any(0)
    return lambda query: torch.where(shown, -squared_distances(query, means), -torch.inf)


def shares_of_mean(support: Examples, query: Tensor) -> Tensor:
    """``nearest_mean`` as a sum over examples: ||q - c||^2 is the mean of ||q - z_i||^2 - ||z_i - c||^2.

    Args:
        support: Embedded, x (n, d) and y (n, n_way).
        query: Embedded, (m, d).

    Returns:
        (m, n), which over the examples of a class sum to its logit.

    >>> support = Examples(torch.tensor([[0.0], [2.0]]), torch.ones(2, 1))
    >>> shares_of_mean(support, torch.tensor([[3.0]])).tolist()  # of -(3 - 1)^2
    [[-4.0, 0.0]]
    """
    means = support.y @ prototypes(support.x, support.y)
    counts = support.y @ support.y.sum(0)
    return (((support.x - means) ** 2).sum(-1) - squared_distances(query, support.x)) / counts


def most_similar(similarity: Tensor, y: Tensor) -> Tensor:
    """Similarity of each query to the most similar example of each class; minus infinity where a class has none.

    Args:
        similarity: Of queries to support examples, (m, n).
        y: One-hot classes of the support, (n, n_way).

    Returns:
        (m, n_way).

    >>> most_similar(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    tensor([[2., 3.]])
    """
    return torch.where(y.T[:, None] > 0, similarity, -torch.inf).amax(-1).T
