"""Relation Networks: a learned comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import Adapted, Predictor, embedding_width, prototypes
from quickstudy.learners.metric import MetricLearner
from quickstudy.nets import BatchNorm, normalised_by
from quickstudy.nets.fast.conv import conv3x3
from quickstudy.tasks.task import Examples

_PAIRED = 20
"""Observed inputs that are each used as a class, to measure a relation module's statistics on pairs."""


class Relation(MetricLearner):
    """Relation Networks: a small net scores whether a query belongs to a class, by regression on 1 (yes) and 0 (no).

    The small net is the paper's for embeddings that are maps (``Conv4Maps``), and an MLP of one hidden layer for
    vectors. A class is the mean of its embeddings; the paper uses the sum. The mean has the same scale for unequal
    shots, and with equal shots the weights of the first layer absorb the difference.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features); feature maps are flattened, and ``net.maps`` is their
            shape.
        transductive: Normalise by the batch statistics of a task's support and queries, as the paper does.

    Source: Sung et al. 2018, eq. 1 and 2 and section 3.4, arXiv:1711.06025.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> Relation(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, *, transductive: bool = False) -> None:
        super().__init__(net, transductive=transductive)
        maps = getattr(net, "maps", None)
        self.relation = OfMaps(maps) if maps else OfVectors(embedding_width(net))
        self.follow_net()

    def comparison(self, support: Examples) -> Predictor:
        """Return a comparison by the logits of the relation scores; minus infinity for a class without examples."""
        return Related(self, prototypes(support.x, support.y), support.y.any(0))

    def embedded_loss(self, support: Examples, query: Tensor, query_y: Tensor) -> Tensor:
        """Return the mean squared error of the relation scores."""
        return F.mse_loss(self.comparison(support)(query).sigmoid(), query_y)

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        """Record the population's batch statistics, first of the inputs and then of pairs of them."""
        super().observe(x)
        z = self.embed(x)
        with normalised_by("record"):
            self.relation(z[:_PAIRED], z)


@dataclass(frozen=True, eq=False)
class Related(Adapted):
    """Relation logits of embedded queries and the means of classes that have examples."""

    learner: Relation
    means: Tensor
    has_examples: Tensor

    def __call__(self, query: Tensor) -> Tensor:
        """Compare embedded queries, (m, d) -> (m, n_way)."""
        return torch.where(self.has_examples, self.learner.relation(self.means, query), -torch.inf)


class OfVectors(nn.Module):
    """Relation module for vectors: one hidden layer on the concatenation of a class and a query.

    Args:
        d: Width of an embedding.

    >>> OfVectors(4)(torch.zeros(3, 4), torch.zeros(7, 4)).shape
    torch.Size([7, 3])
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * d, d), nn.ReLU(), nn.Linear(d, 1))

    def forward(self, classes: Tensor, query: Tensor) -> Tensor:
        """Return logits (m, n_way) of classes (n_way, d) and queries (m, d)."""
        shape = query.shape[0], *classes.shape  # not len, which an export would treat as a constant
        pairs = torch.cat([classes.expand(shape), query[:, None].expand(shape)], -1)
        return cast(Tensor, self.layers(pairs)).squeeze(-1)


class OfMaps(nn.Module):
    """Relation module for maps: two convolutional blocks on a pair of maps, then layers of 8 and 1.

    A block is a 3x3 convolution, batch norm, ReLU and 2x2 max pooling.

    Args:
        maps: Shape of an embedding, (channels, height, width).

    Source: Sung et al. 2018, section 3.4, arXiv:1711.06025. Convolutions are padded by 1.

    >>> OfMaps((4, 7, 7))(torch.zeros(3, 196), torch.zeros(5, 196)).shape
    torch.Size([5, 3])
    """

    def __init__(self, maps: tuple[int, int, int]) -> None:
        super().__init__()
        self.maps = maps
        channels, height, width = maps
        self.convs = nn.ModuleList(
            nn.Conv2d(2 * channels if i == 0 else channels, channels, 3, bias=False) for i in (0, 1)
        )
        self.norms = nn.ModuleList(BatchNorm(channels) for _ in range(2))
        self.layers = nn.Sequential(nn.Linear(channels * (height // 4) * (width // 4), 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, classes: Tensor, query: Tensor) -> Tensor:
        """Return logits (m, n_way) of flattened maps of classes (n_way, d) and queries (m, d)."""
        first, second = (cast(Tensor, conv.weight) for conv in self.convs)
        of_class, of_query = (
            conv3x3(z.view(-1, *self.maps), weight)
            for z, weight in zip((classes, query), first.chunk(2, 1), strict=True)
        )
        # A convolution of two concatenated maps is the sum of one of each, and there are far fewer maps than pairs.
        pairs = (of_class + of_query[:, None]).flatten(0, 1)
        x = F.relu(F.max_pool2d(self.norms[0](pairs), 2))
        x = F.relu(cast(BatchNorm, self.norms[1]).pooled(x, second))
        return cast(Tensor, self.layers(x.flatten(1))).view(-1, len(classes))
