"""Matching Networks: attention over the support."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import Adapted, Predictor, embedding_width
from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples


class Matching(MetricLearner):
    """Matching Networks: class probabilities are the support's labels, weighted by a softmax over cosine similarities.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        full_context: Embed each support example in the context of the others, by a bidirectional LSTM. Embed each query
            in the context of the support, by an LSTM with attention. The first LSTM needs an order: examples are sorted
            by the ascending sum of their embedding, so the given order does not matter.
        attention_steps: Steps of the query's LSTM.
        transductive: Normalise by the batch statistics of a task's support and queries.

    The cosine is scaled by a learned factor: a softmax over unscaled numbers in [-1, 1] is too flat to train. Where
    classes have unequal numbers of examples, the terms of the softmax are weighted so that all classes weigh the same.
    Else the class with the most examples would nearly always be the answer.

    Source: Vinyals et al. 2016, eq. 1 and 2 and appendix A, arXiv:1606.04080.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> Matching(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).detach().exp().sum(-1).round(decimals=4)
    tensor([1., 1., 1., 1.])
    """

    def __init__(
        self, net: nn.Module, *, full_context: bool = False, attention_steps: int = 5, transductive: bool = False
    ) -> None:
        super().__init__(net, transductive=transductive)
        self.full_context, self.attention_steps = full_context, attention_steps
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        if full_context:
            d = embedding_width(net)
            self.forwards, self.backwards = nn.LSTMCell(d, d), nn.LSTMCell(d, d)
            self.attention = nn.LSTMCell(d, 2 * d)
            self.d = d
        self.follow_net()

    def comparison(self, support: Examples) -> Predictor:
        """Return a comparison whose log-probabilities are the logarithms of the attention to each class."""
        return Attending(self, Examples(self.embed_support(support.x), support.y))

    def contributions(self, support: Examples, query: Tensor) -> Tensor:
        """Return the attention; the sum over a class's examples is its probability."""
        return self.attention_to(Examples(self.embed_support(support.x), support.y), query).exp()

    def attention_to(self, support: Examples, query: Tensor) -> Tensor:
        """Return the log-attention (m, n) of queries (m, d) to examples in their context, x (n, d) and y (n, n_way)."""
        z, y = support
        if self.full_context:
            query = self._embed_query(query, z)
        cosines = F.normalize(query, dim=-1) @ F.normalize(z, dim=-1).T
        return (self.log_scale.exp() * cosines + self.row_weights(y).log()).log_softmax(-1)

    def embed_support(self, z: Tensor) -> Tensor:
        """Return the support's embeddings (n, d) in their context, g' + forward + backward state (appendix A.2)."""
        if not self.full_context:
            return z
        order = z.sum(-1).argsort()
        back = order.argsort()
        z = z[order]
        forwards = self._read(self.forwards, list(z))
        backwards = self._read(self.backwards, list(z.flip(0)))[::-1]
        return (z + torch.stack(forwards) + torch.stack(backwards))[back]

    @staticmethod
    def _read(cell: nn.LSTMCell, rows: list[Tensor]) -> list[Tensor]:
        h = c = torch.zeros_like(rows[0])[None]
        states = []
        for row in rows:
            h, c = lstm(cell, row[None], h, c)
            states.append(h[0])
        return states

    def _embed_query(self, query: Tensor, z: Tensor) -> Tensor:
        """Embed queries in the context of the support, (m, d) -> (m, d).

        Appendix A.1: h_k = LSTM(f', [h_(k-1), r_(k-1)], c) + f', with r = softmax(h z^T) z.
        """
        h, r = query, torch.zeros_like(query)
        c = torch.zeros_like(torch.cat([h, r], -1))
        for _ in range(self.attention_steps):
            r = (h @ z.T).softmax(-1) @ z
            state, c = lstm(self.attention, query, torch.cat([h, r], -1), c)
            h = state[:, : self.d] + query
        return h


@dataclass(frozen=True, eq=False)
class Attending(Adapted):
    """Log-probabilities of embedded queries by their attention to the support.

    Attributes:
        learner: Learner that computes the attention.
        support: Support examples in their context, x (n, d) and y (n, n_way).
    """

    learner: Matching
    support: Examples

    def __call__(self, query: Tensor) -> Tensor:
        """Compare embedded queries, (m, d) -> (m, n_way)."""
        attention = self.learner.attention_to(self.support, query)
        y = self.support.y.T[:, None]
        return torch.where(y > 0, attention + y.log(), -torch.inf).logsumexp(-1).T


def lstm(cell: nn.LSTMCell, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Return the next h and c of ``cell(x, (h, c))``, for which torch has no ``vmap`` rule.

    >>> cell, x, h, c = nn.LSTMCell(2, 3), torch.ones(1, 2), torch.ones(1, 3), torch.ones(1, 3)
    >>> torch.allclose(lstm(cell, x, h, c)[0], cell(x, (h, c))[0])
    True
    """
    gates = F.linear(x, cell.weight_ih, cell.bias_ih) + F.linear(h, cell.weight_hh, cell.bias_hh)
    i, f, g, o = gates.chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c
