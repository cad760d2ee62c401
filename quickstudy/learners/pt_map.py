"""PT-MAP: class means by optimal transport of the queries."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import prototypes
from quickstudy.learners.metric import squared_distances
from quickstudy.learners.transductive import TransductiveLearner
from quickstudy.nets.fast.private import inside_transform
from quickstudy.tasks.task import Examples
from quickstudy.tasks.tree import Tree


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


def transport(cost: Tensor, has_examples: Tensor, *, most: int = 1000, precision: float = 1e-6) -> Tensor:
    """Return the shares with which queries are transported to classes, each of which takes equally many.

    The shares are exp(-cost), whose rows and columns are scaled in turn (Sinkhorn) until rows change by less than the
    precision.

    Args:
        cost: Cost of a query for a class, (m, n_way).
        has_examples: Classes that take queries, (n_way,).
        most: Largest number of iterations.
        precision: Largest change of a row's sum at the end.

    Returns:
        Shares, (m, n_way). The columns of classes with examples have equal sums, and rows sum to about 1.

    Source: Hu et al. 2021, eq. 3, arXiv:2006.03806; Cuturi 2013, algorithm 1, arXiv:1306.0895.

    >>> transport(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.ones(2, dtype=torch.bool)).round(decimals=3)
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    column = len(cost) / has_examples.sum()
    # The largest of a row is 1 and not 0, whatever the costs; rows are scaled anyway.
    plan = (-cost).masked_fill(~has_examples, -torch.inf)
    plan = (plan - plan.amax(-1, keepdim=True)).exp()
    before, done = torch.zeros_like(plan[:, 0]), torch.zeros((), dtype=torch.bool, device=cost.device)
    for _ in range(most):
        sums = plan.sum(-1)
        done = done | ((sums - before).abs().amax() <= precision)
        if not inside_transform() and bool(done):
            break
        scaled = plan / sums[:, None].clamp(min=1e-10)
        scaled = scaled * column / scaled.sum(0).clamp(min=1e-10)
        plan, before = torch.where(done, plan, scaled), sums
    return plan
