"""Transformer that learns a task in context: it reads the support and answers the queries."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from quickstudy.learners.base import Adapted, Predictor, embedding_width
from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples


class InContext(MetricLearner):
    """Transformer that reads the labelled support and answers a query in one pass, without fitting or averaging.

    It reads a task once per class, with the same weights, and returns the class's logit. A token is an embedding plus
    one of three labels: "of this class", "of another class" or, for a query, "unknown". Names and positions of classes
    therefore have no meaning, and there may be any number of classes. All tokens attend only to the support, so a query
    does not see the others. There are no positions, so the order of the support does not matter.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        layers: Layers of the transformer.
        token_width: Width of a token, a multiple of 4: there are 4 heads.
        transductive: Normalise by the batch statistics of a task's support and queries.

    Source: Fifty et al. 2024, section 3, arXiv:2310.10971; there, every class has a code and all are read at once.

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
        """Return a comparison that reads the support once per class, and returns the class's logit."""
        labels = support.y.T[..., None]
        known = self.token(support.x) + labels * self.this + (1 - labels) * self.other

        return Reading(self, known)


@dataclass(frozen=True, eq=False)
class Reading(Adapted):
    """Predictor of a transformer, with the support's tokens known (n_way, n, token_width), for embedded queries."""

    learner: InContext
    known: Tensor

    def __call__(self, query: Tensor) -> Tensor:
        """Return logits of embedded queries, (m, d) -> (m, n_way)."""
        known, n = self.known, self.known.shape[1]
        unknown = (self.learner.token(query) + self.learner.unknown).expand(len(known), -1, -1)
        tokens = torch.cat([known, unknown], 1)
        for layer in self.learner.transformer:
            tokens = layer(tokens, n)
        logits: Tensor = self.learner.score(tokens[:, n:])
        return logits.squeeze(-1).T


class Layer(nn.Module):
    """Pre-norm transformer layer in which all tokens attend to the first n.

    Args:
        width: Width of a token.
        heads: Number of attention heads.

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
        """Attend to the first n tokens, then transform each token, (..., tokens, width) -> the same shape."""
        z = self.norms[0](tokens)
        context = z[..., :n, :]
        q, k, v = (self._split(x) for x in (self.q(z), self.k(context), self.v(context)))
        attention = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
        tokens = tokens + self.out((attention @ v).transpose(-2, -3).flatten(-2))
        out: Tensor = tokens + self.mlp(self.norms[1](tokens))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """Split tokens into heads, (..., tokens, width) -> (..., heads, tokens, width of a head)."""
        return x.view(*x.shape[:-1], self.heads, -1).transpose(-2, -3)
