"""FEAT: prototypes that see each other before queries are compared with them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import Adapted, Predictor, embedding_width, prototypes
from quickstudy.learners.metric import MetricLearner, NearestMean, nearest_mean
from quickstudy.tasks.task import Examples


class FEAT(MetricLearner):
    """FEAT: prototypes are adapted to their task by attention among them; the nearest one gives the class.

    The attention is one layer with one head, a residual connection and a layer norm. It has no positions, so the
    order of the classes does not matter and there may be any number of them.

    In training, the examples and queries of each class also attend to each other, and each is classified by the means
    of the results. This pulls a class together.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        balance: Weight of that second loss, the paper's lambda.
        temperature: Divisor of the squared distances.
        transductive: Normalise by the batch statistics of a task's support and queries.

    Source: Ye et al. 2020, section 3, arXiv:1812.03664.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> FEAT(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self, net: nn.Module, *, balance: float = 0.1, temperature: float = 1.0, transductive: bool = False
    ) -> None:
        super().__init__(net, transductive=transductive)
        self.balance, self.temperature = balance, temperature
        width = embedding_width(net)
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out, self.norm = nn.Linear(width, width), nn.LayerNorm(width)
        for layer in (self.q, self.k, self.v):
            nn.init.normal_(layer.weight, std=width**-0.5)
        self.follow_net()

    def attended(self, z: Tensor, seen: Tensor) -> Tensor:
        """Return vectors (n, d) after attention; ``seen`` (n, n) or (n,) says which vectors each one attends to."""
        z = z.to(self.out.weight)
        attention = (self.q(z) @ self.k(z).T / math.sqrt(z.shape[1])).masked_fill(~seen, -torch.inf).softmax(-1)
        # Not nn.LayerNorm itself, whose second derivatives are wrong under vmap.
        x = z + self.out(attention @ self.v(z))
        x = x - x.mean(-1, keepdim=True)
        x = x / (x.square().mean(-1, keepdim=True) + self.norm.eps).sqrt()
        result: Tensor = x * self.norm.weight + self.norm.bias
        return result

    def comparison(self, support: Examples) -> Predictor:
        """Return a comparison with the adapted prototypes."""
        has_examples = support.y.any(0)
        means = self.attended(prototypes(support.x, support.y), has_examples)
        return Cooled(NearestMean(means, has_examples), self.temperature)

    def embedded_loss(self, support: Examples, query: Tensor, query_y: Tensor) -> Tensor:
        """Return the loss of the queries, plus that of all examples by the means of their adapted classes."""
        loss = super().embedded_loss(support, query, query_y)
        if not self.balance:
            return loss
        x, y = torch.cat([support.x, query]), torch.cat([support.y, query_y])
        adapted = self.attended(x, (y @ y.T) > 0)
        logits = nearest_mean(Examples(adapted, y))(x.to(adapted)) / self.temperature
        return loss + self.balance * F.cross_entropy(logits, y.argmax(-1))


@dataclass(frozen=True, eq=False)
class Cooled(Adapted):
    """Comparison whose logits are divided by a temperature."""

    compare: NearestMean
    temperature: float

    def __call__(self, query: Tensor) -> Tensor:
        """Compare embedded queries, (m, d) -> (m, n_way)."""
        return self.compare(query) / self.temperature
