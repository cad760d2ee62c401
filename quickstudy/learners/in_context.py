"""One transformer that learns a task by reading it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from quickstudy.learners.base import Adapted, Predictor, embedding_width
from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples


class InContext(MetricLearner):
    """A transformer reads the labelled support and answers a query in one pass; nothing is fitted or averaged.

    It reads a task once for each class, with the same weights, and gives the class's logit: a token is an embedding
    plus one of three labels, "of this class", "of another" or, of a query, "unknown". So a class's name and place mean
    nothing, and there may be any number of classes. All tokens attend to the support alone: a query does not see
    others. Without positions, the order of the support does not matter.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        layers: Layers of the transformer.
        token_width: Width of a token, a multiple of 4: there are 4 heads.
        transductive: Normalise by the statistics of the support and queries at hand.

    Source: after Fifty et al. 2024, section 3, arXiv:2310.10971, which codes every class and reads them at once.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> InContext(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, *, layers: int = 2, token_width: int = 64, transductive: bool = False) -> None:
        super().__init__(net, transductive=transductive)
        self.layers, self.token_width = layers, token_width
        self.token = nn.Linear(embedding_width(net), token_width)
        self.this, self.other, self.unknown = (nn.Parameter(torch.randn(token_width)) for _ in range(3))
        self.transformer = nn.ModuleList(Layer(token_width) for _ in range(layers))
        self.score = nn.Sequential(nn.LayerNorm(token_width), nn.Linear(token_width, 1))
        self.follow_net()

    def comparison(self, support: Examples) -> Predictor:
        """The logit of each class, in a reading of the support that asks for this class."""
        labels = support.y.T[..., None]
        known = self.token(support.x) + labels * self.this + (1 - labels) * self.other

        return Reading(self, known)


@dataclass(frozen=True, eq=False)
class Reading(Adapted):
    """Answers of a transformer that has read the support, known (n_way, n, token_width), to embedded queries."""

    learner: InContext
    known: Tensor

    def __call__(self, query: Tensor) -> Tensor:
        """Read embedded queries, (m, d) -> (m, n_way)."""
        known, n = self.known, self.known.shape[1]
        asked = (self.learner.token(query) + self.learner.unknown).expand(len(known), -1, -1)
        tokens = torch.cat([known, asked], 1)
        for layer in self.learner.transformer:
            tokens = layer(tokens, n)
        logits: Tensor = self.learner.score(tokens[:, n:])
        return logits.squeeze(-1).T


class Layer(nn.Module):
    """A pre-norm transformer layer whose tokens attend to the first n of them.

    Args:
        width: Of a token.
        heads: Of the attention.

    Source: Vaswani et al. 2017, eq. 1, arXiv:1706.03762; pre-norm, Xiong et al. 2020, arXiv:2002.04745.

    >>> Layer(8)(torch.zeros(3, 5, 8), 2).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor, n: int) -> Tensor:
        """Attend to the first n tokens, then think alone, (..., tokens, width) -> the same shape."""
        z = self.norms[0](tokens)
        context = z[..., :n, :]
        q, k, v = (self._split(x) for x in (self.q(z), self.k(context), self.v(context)))
        attention = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
        tokens = tokens + self.out((attention @ v).transpose(-2, -3).flatten(-2))
        out: Tensor = tokens + self.mlp(self.norms[1](tokens))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """(..., tokens, width) -> (..., heads, tokens, width of a head)."""
        return x.view(*x.shape[:-1], self.heads, -1).transpose(-2, -3)
