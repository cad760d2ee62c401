"""PT-MAP: class means by optimal transport of the queries."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import exact, prototypes
from quickstudy.learners.metric import squared_distances
from quickstudy.learners.transductive import TransductiveLearner
from quickstudy.tasks.task import Examples
from quickstudy.tasks.tree import Tree

_SCALINGS, _NEWTON = 10, 40  # iterations of the optimal transport


class PTMAP(TransductiveLearner):
    """PT-MAP: queries are transported to the prototypes, equally many to each, and the prototypes move to them.

    It assumes that each class occurs equally often among the queries. Where that does not hold, it is the method that
    loses most.

    Embeddings are raised to a power, which makes skewed features of a ReLU more Gaussian; a negative number keeps its
    sign. They are then scaled to length 1 and centred, support and queries apart, as in the published program.

    The net is trained as in Prototypical Networks; in the paper, as an ordinary classifier.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        power: Exponent of the embeddings.
        centred: Scale and centre the embeddings; if not, only the power is taken.
        strength: Factor of the squared distances in the transport, the paper's lambda.
        test_steps: Moves of the prototypes.
        inner_lr: Share of the way that a move goes, the paper's alpha.

    Source: Hu et al. 2021, eq. 1 to 6 and algorithm 1, arXiv:2006.03806.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> PTMAP(MLP(2, (8,))).adapt(support)(torch.randn(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        power: float = 0.5,
        centred: bool = True,
        strength: float = 10.0,
        test_steps: int = 10,
        inner_lr: float = 0.2,
    ) -> None:
        super().__init__(net)
        self.power, self.centred, self.strength = power, centred, strength
        self.test_steps, self.inner_lr = test_steps, inner_lr

    def answers(self, support: Examples, x: Tree) -> Tensor:
        """Return the logarithm of each query's shares of the classes."""
        z, query, y = self._transformed(support.x), self._transformed(self.embed(x)), support.y
        means, both = prototypes(z, y), torch.cat([z, query])
        for _ in range(self.test_steps):
            shares = torch.cat([y, self._shares(query, means, y)])
            means = means + self.inner_lr * (prototypes(both, shares) - means)
        return self._shares(query, means, y).clamp(min=1e-12).log()

    def _transformed(self, z: Tensor) -> Tensor:
        z = torch.where(z < 0, -1.0, 1.0).to(z) * (z.abs() + 1e-6) ** self.power
        if not self.centred:
            return z
        z = F.normalize(z, dim=-1)
        return F.normalize(z - z.mean(0), dim=-1)

    def _shares(self, query: Tensor, means: Tensor, y: Tensor) -> Tensor:
        return transport(self.strength * squared_distances(query, means), y.any(0))


def transport(cost: Tensor, has_examples: Tensor) -> Tensor:
    """Return the shares with which queries are transported to classes, each of which takes equally many.

    The shares are softmax(v - cost) over the classes, with the v for which each class takes its part. A few scalings of
    rows and columns (Sinkhorn) come near it, and damped Newton steps then reach it; the dual is concave in v. Sinkhorn
    alone, as in the paper, has the same limit and often needs hundreds of iterations.

    Args:
        cost: Cost of a query for a class, (m, n_way).
        has_examples: Classes that take queries, (n_way,).

    Returns:
        Shares, (m, n_way); rows sum to 1, and the columns of classes with examples have equal sums.

    Source: Hu et al. 2021, eq. 3, arXiv:2006.03806; the length of a damped step, Sun and Tran-Dinh 2019,
    arXiv:1703.04599.

    >>> transport(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.ones(2, dtype=torch.bool)).round(decimals=3)
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    # In double precision: where answers are sure, the Hessian is nearly zero.
    dtype, cost = cost.dtype, exact(cost)
    part = exact(len(cost) / has_examples.sum())

    def scores(v: Tensor) -> Tensor:
        return torch.where(has_examples, v - cost, -torch.inf)

    v = torch.zeros_like(cost[0])
    for _ in range(_SCALINGS):
        columns = (-cost - scores(v).logsumexp(-1, keepdim=True)).logsumexp(0)
        v = torch.where(has_examples, part.log() - columns, 0.0)
    for _ in range(_NEWTON):
        shares = scores(v).softmax(-1)
        gap = torch.where(has_examples, part - shares.sum(0), 0.0)
        # v is determined up to a constant, hence the small addition to the Hessian.
        hessian = (shares.sum(0) + 1e-8).diag_embed() - shares.T @ shares
        step = torch.linalg.solve_ex(hessian, gap).result
        length = (step.amax() - step.amin()).clamp(min=1e-12)
        v = v + step * length.log1p() / length
    return scores(v).softmax(-1).to(dtype)
