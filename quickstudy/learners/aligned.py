"""Test-time alignment of a metric learner: queries and support are compared in every pair of their views."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from quickstudy.errors import SettingError
from quickstudy.learners.base import Adapted, Learner, Predictor
from quickstudy.learners.metric import MetricLearner
from quickstudy.nets import Views, normalised_by
from quickstudy.tasks.task import Examples


class Aligned(Learner):
    """Metric learner that compares each view of a query with each view of the support, and answers by the best pair.

    Another person draws the same character larger, or at a slant. In one of the pairs, the two drawings differ least,
    and the logit of a class is that of this pair. The mean over views blurs such differences; the best pair removes
    them. Each image is embedded once for each view, as for the mean.

    Args:
        learner: Trained metric learner of images, inductive.
        n: Number of views, as for ``Views``; queries and support are compared in n * n pairs.

    Raises:
        SettingError: The learner is transductive, or has its own ``adapt``.

    Source: Simard et al. 1993, "Efficient pattern recognition using a new transformation distance", for the distance
    between the sets of all distorted copies of two images, there by their tangent planes.

    >>> from quickstudy.learners import Prototypical
    >>> learner = Aligned(Prototypical(torch.nn.Flatten()), n=4)
    >>> support = Examples(torch.rand(2, 1, 28, 28), torch.eye(2))
    >>> learner.adapt(support)(support.x).argmax(1).tolist()
    [0, 1]
    """

    transductive = False

    def __init__(self, learner: MetricLearner, n: int = 16) -> None:
        super().__init__()
        if learner.transductive:
            raise SettingError(
                f"{type(learner).__name__} is transductive, and Aligned compares each query alone; choose an inductive "
                f"learner"
            )
        if type(learner).adapt is not MetricLearner.adapt:
            raise SettingError(
                f"{type(learner).__name__} has its own adapt, and Aligned compares embeddings; use comparison instead"
            )
        self.learner, self.loss, self.views = learner, learner.loss, Views(learner.net, n)

    def adapt(self, support: Examples) -> Predictor:
        """Embed each view of the support, with which views of queries are then compared."""
        return Pairs(self, [self.learner.comparison(Examples(z, support.y)) for z in self.embed(support.x)])

    def embed(self, x: Tensor) -> list[Tensor]:
        """Return the embeddings of each view of images, each (n, d)."""
        return [self.learner.embed(view) for view in self.views.of(x)]

    def observe(self, x: Tensor) -> None:
        """Let the inner learner measure what it needs."""
        self.learner.observe(x)


@dataclass(frozen=True, eq=False)
class Pairs(Adapted):
    """Best answer over the pairs of a query's view and a comparison with one view of the support."""

    learner: Aligned
    comparisons: list[Predictor]

    def __call__(self, x: Tensor) -> Tensor:
        """Answer queries."""
        with normalised_by("population"):
            z = torch.cat(self.learner.embed(x))
            logits = torch.stack([compare(z) for compare in self.comparisons]).amax(0)
        return logits.view(-1, len(x), logits.shape[-1]).amax(0)
