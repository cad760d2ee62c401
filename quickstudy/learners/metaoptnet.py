"""MetaOptNet: a support vector machine for all classes, solved in each task."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.learners.base import Adapted, Predictor, exact
from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples

_STEPS = 20  # the furthest from the end is there after 16, on problems of 5 to 100 examples and 3 to 60 classes
_END = 1e-9  # product of a share and its slack at the end; 0 at the optimum
_NEARLY = 0.99  # share of the way to the nearest bound
_RIDGE = 1e-6  # share of an embedding's mean square; without it, shares are not unique if examples outnumber features


class MetaOptNet(MetricLearner):
    """MetaOptNet-SVM: a task solves a support vector machine on embeddings, and the outer gradient passes through it.

    The machine is that of Crammer and Singer: w minimises 0.5 ||w||^2 + C * the sum of slacks s, where w_y . z - w_k .
    z >= 1 - s for each other class k of an example z of class y. A query's logits are w . z, scaled. It is solved to
    the end by interior points, in double precision. Where classes have unequal numbers of examples, slacks are weighted
    so that all classes weigh the same (``balance``).

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        cost: Weight C of the slacks, positive.
        transductive: Normalise by the batch statistics of a task's support and queries.

    The scale of the answers is learned, from 1. Time grows as n_way * n^3 for n examples. Weights are right to 0.2 %
    where C times the squared length of an embedding is at most 10,000. Beyond a million they are off by percents, so
    scale larger features down.

    Raises:
        SettingError: ``cost`` is not positive.

    Source: Lee et al. 2019, eq. 4 to 8, arXiv:1904.03758; Crammer and Singer 2001.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> MetaOptNet(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, *, cost: float = 0.1, transductive: bool = False) -> None:
        super().__init__(net, transductive=transductive)
        if not cost > 0:
            raise SettingError(f"cost={cost:g} is not positive; give the weight of the slacks, such as 0.1")
        self.cost = cost
        self.scale = nn.Parameter(torch.ones(()))
        self.follow_net()

    def comparison(self, support: Examples) -> Predictor:
        """Solve the machine, and return its scaled answers as the comparison."""
        with torch.autocast(support.x.device.type, enabled=False):
            x, y = exact(support.x), exact(support.y)
            weights = self.row_weights(y)
            x = weights[:, None] * x
            weights = self.cost * x.T @ (y - shares(kernel_of(x, self.cost), y, weights))
            return Machine(self, weights.to(support.x))


@dataclass(frozen=True, eq=False)
class Machine(Adapted):
    """Scaled answers of a solved machine, weights (d, n_way), to embedded queries."""

    learner: MetaOptNet
    weights: Tensor

    def __call__(self, query: Tensor) -> Tensor:
        """Answer embedded queries, (m, d) -> (m, n_way)."""
        with torch.autocast(query.device.type, enabled=False):
            return self.learner.scale * query @ self.weights


def kernel_of(x: Tensor, cost: float) -> Tensor:
    """Return ``cost`` times the inner products of embeddings (n, d), with a small ridge, (n, n)."""
    kernel = cost * x @ x.T
    return kernel + _RIDGE * kernel.diagonal().mean() * torch.eye(len(x)).to(x)


def shares(kernel: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the shares b that solve the dual of a support vector machine, (n, n_way), with their derivatives.

    They minimise 0.5 <b - y, kernel (b - y)> + <b, v y>, where each row is nonnegative and sums to 1, and v are the
    weights of the rows. The dual variables of the paper are C (y - b), and with weights C v (y - b). Steps are those
    of Mehrotra's predictor and corrector. A system of n * n_way unknowns falls apart into one of n per class, coupled
    by one of n for the sums of rows.

    The derivative is that of the optimality conditions: one more Newton step from constants, which moves nothing and of
    which only the kernel is differentiated.

    Args:
        kernel: C times the inner products of the examples times their weights, (n, n), in double precision, as of
            ``kernel_of``.
        y: One-hot classes, (n, n_way).
        weights: Weight of each slack, (n,); 1 if None.

    Source: Lee et al. 2019, section 3.2 and eq. 8, arXiv:1904.03758; Nocedal and Wright 2006, algorithm 16.4.

    >>> shares(torch.tensor([[4.0]], dtype=torch.float64), torch.eye(2, dtype=torch.float64)[:1]).round(decimals=6)
    tensor([[0.8750, 0.1250]], dtype=torch.float64)
    """
    q, loss = kernel.detach(), y if weights is None else weights[:, None] * y
    b = torch.full_like(y, 1 / y.shape[1])
    slope = q @ (b - y) + loss
    level = 1 - slope.amin(-1, keepdim=True)  # slacks are slope + level, at first 1 or more
    for _ in range(_STEPS):
        slack = q @ (b - y) + loss + level
        system = _System(q, b, slack)
        gap = (b * slack).mean()
        db, ds = system.step(-slack)
        part = _furthest(b, db, slack, ds)
        aim = (gap * (((b + part * db) * (slack + part * ds)).mean() / gap) ** 3).clamp(min=_END)
        db, ds = system.step((aim - db * ds) / b - slack)
        part = _furthest(b, db, slack, ds)
        b, level = b + part * db, level + part * (ds - q @ db)
    slack = q @ (b - y) + loss + level
    return b + _System(q, b, slack).step(_END / b - (kernel @ (b - y) + loss + level))[0]


class _System:
    """Linear system of a Newton step at shares b and slacks, both (n, n_way)."""

    def __init__(self, kernel: Tensor, b: Tensor, slack: Tensor) -> None:
        self.kernel = kernel
        self.inverse = torch.linalg.inv(kernel + (slack / b).T.diag_embed())  # (n_way, n, n)
        self.coupling = self.inverse.sum(0)

    def step(self, right: Tensor) -> tuple[Tensor, Tensor]:
        """Return the changes of shares, whose rows sum to 0, and of slacks for a right-hand side (n, n_way)."""
        free = (self.inverse @ right.T[..., None])[..., 0].T
        level = torch.linalg.solve(self.coupling, free.sum(-1))[:, None]
        db = free - (self.inverse @ level)[..., 0].T
        return db, self.kernel @ db + level


def _furthest(b: Tensor, db: Tensor, slack: Tensor, ds: Tensor) -> Tensor:
    """Return the share of a step, 1 at most, that leaves shares and slacks positive."""
    return _NEARLY / torch.maximum((-db / b).amax(), (-ds / slack).amax()).clamp(min=_NEARLY)
