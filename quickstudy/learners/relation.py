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
"""Observed inputs that are each taken for a class, to measure a relation module's statistics on pairs."""


class Relation(MetricLearner):
    """A small net scores how well a query and a class go together; it regresses on 1 if they do and 0 if not.

    The small net is the paper's where embeddings are maps (``Conv4Maps``), and an MLP of one hidden layer where they
    are vectors. A class is the mean of its embeddings, where the paper has the sum: unequal shots then look alike, and
    with equal shots the first layer's weights make up for it.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features); maps are flattened, and ``net.maps`` is their shape.
        transductive: Normalise by the statistics of the support and queries at hand, as the paper does.

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
        """Logits of the relation scores of a query and each class; minus infinity where a class has no examples."""
        return Related(self, prototypes(support.x, support.y), support.y.any(0))

    def embedded_loss(self, support: Examples, query: Tensor, query_y: Tensor) -> Tensor:
        """Mean squared error of the relation scores."""
        return F.mse_loss(self.comparison(support)(query).sigmoid(), query_y)

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        """Record the population's batch statistics, of the inputs and then of pairs of them."""
        super().observe(x)
        z = self.embed(x)
        with normalised_by("record"):
            self.relation(z[:_PAIRED], z)


@dataclass(frozen=True, eq=False)
class Related(Adapted):
    """Relation logits of embedded queries and class means, where examples of the class were shown."""

    learner: Relation
    means: Tensor
    shown: Tensor

    def __call__(self, query: Tensor) -> Tensor:
        """Compare embedded queries, (m, d) -> (m, n_way)."""
        return torch.where(self.shown, self.learner.relation(self.means, query), -torch.inf)


class OfVectors(nn.Module):
    """A hidden layer on a class and a query side by side.

    Args:
        d: Width of an embedding.

    >>> OfVectors(4)(torch.zeros(3, 4), torch.zeros(7, 4)).shape
    torch.Size([7, 3])
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * d, d), nn.ReLU(), nn.Linear(d, 1))

    def forward(self, classes: Tensor, query: Tensor) -> Tensor:
        """Logits (m, n_way) of classes (n_way, d) and queries (m, d)."""
        shape = query.shape[0], *classes.shape  # not len, which an export would take for a constant
        pairs = torch.cat([classes.expand(shape), query[:, None].expand(shape)], -1)
        return cast(Tensor, self.layers(pairs)).squeeze(-1)


class OfMaps(nn.Module):
    """Two blocks of 3x3 convolution, batch norm, ReLU, 2x2 max pooling on a pair's maps, then layers of 8 and 1.

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
        """Logits (m, n_way) of flattened maps of classes (n_way, d) and queries (m, d)."""
        first, second = (cast(Tensor, conv.weight) for conv in self.convs)
        of_class, of_query = (
            conv3x3(z.view(-1, *self.maps), weight)
            for z, weight in zip((classes, query), first.chunk(2, 1), strict=True)
        )
        # A convolution of two maps side by side is the sum of one of each, and there are far fewer maps than pairs.
        pairs = (of_class + of_query[:, None]).flatten(0, 1)
        x = F.relu(F.max_pool2d(self.norms[0](pairs), 2))
        x = F.relu(cast(BatchNorm, self.norms[1]).pooled(x, second))
        return cast(Tensor, self.layers(x.flatten(1))).view(-1, len(classes))
