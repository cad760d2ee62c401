"""What learners that compare embeddings share: one net for support and query."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from quickstudy.learners.base import Learner, Predictor
from quickstudy.nets import apply, record_population
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
    def compare(self, support: Examples, query: Tensor) -> Tensor:
        """Logits (m, n_way) of embedded queries (m, d), given the embedded support, x (n, d)."""

    def adapt(self, support: Examples) -> Predictor:
        """Embed the support; a query is compared with it."""
        if self.transductive:
            return lambda x: self.compare(*self._embed_together(support, x))
        z = Examples(apply(self.net, support.x, statistics="population"), support.y)
        return lambda x: self.compare(z, apply(self.net, x, statistics="population"))

    def meta_loss(self, task: Task) -> Tensor:
        """Loss of the queries compared with the support, all under their common batch statistics."""
        return self.embedded_loss(*self._embed_together(task.support, task.query.x), task.query.y)

    def embedded_loss(self, support: Examples, query: Tensor, query_y: Tensor) -> Tensor:
        """Loss of embedded queries (m, d) with targets (m, n_way), a scalar."""
        return self.prediction_loss(self.compare(support, query), query_y)

    def observe(self, x: Tensor) -> None:
        """Record the population's batch statistics."""
        record_population(self.net, x)

    def _embed_together(self, support: Examples, x: Tensor) -> tuple[Examples, Tensor]:
        z = apply(self.net, torch.cat([support.x, x]), statistics="batch")
        return Examples(z[: len(support.x)], support.y), z[len(support.x) :]
