"""SimpleShot: the nearest class mean on the features of an ordinary classifier."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import Adapted, Predictor, embedding_width, like
from quickstudy.learners.metric import nearest_mean
from quickstudy.learners.supervised import SupervisedLearner
from quickstudy.tasks.task import Examples
from quickstudy.tasks.tree import Tree


class SimpleShot(SupervisedLearner):
    """SimpleShot: ordinary classification of all training classes, then the nearest class mean of normalised features.

    Features are centred by the mean over training inputs and scaled to length 1 ("CL2N"). Training tasks are plain
    batches (``quickstudy.tasks.Batches``), with all classes as ways and no support.

    Args:
        net: Maps inputs to features, (n, net.out_features).
        n_classes: Number of training classes.

    Source: Wang et al. 2019, section 2, arXiv:1911.04623.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> SimpleShot(MLP(2, (8,)), n_classes=64).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    centre: Tensor

    def __init__(self, net: nn.Module, n_classes: int) -> None:
        width = embedding_width(net)
        super().__init__(net, n_classes, nn.Linear(width, n_classes))
        self.register_buffer("centre", torch.zeros(width).to(like(net)))

    def adapt(self, support: Examples) -> Predictor:
        """Embed the support and compute its class means, with which queries are then compared."""
        return Directed(self, nearest_mean(Examples(self.directions(support.x), support.y)))

    def directions(self, x: Tree) -> Tensor:
        """Return features minus the training mean, scaled to length 1, (n, *input) -> (n, d)."""
        return F.normalize(self.features(x) - self.centre, dim=-1)

    @torch.no_grad()
    def observe(self, x: Tree) -> None:
        """Record the population's batch statistics and the mean feature."""
        super().observe(x)
        self.centre.copy_(self.features(x).mean(0))


@dataclass(frozen=True, eq=False)
class Directed(Adapted):
    """Predictor on the directions of the queries' features."""

    learner: SimpleShot
    compare: Predictor

    def __call__(self, x: Tree) -> Tensor:
        """Answer queries."""
        return self.compare(self.learner.directions(x))
