"""Heads that are solved, not descended: ridge and logistic regression on embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import Adapted, Loss, Predictor
from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples


def ridge(x: Tensor, y: Tensor, penalty: Tensor) -> Tensor:
    """The minimum of ||x w - y||^2 + penalty ||w||^2 in w, by the smaller of its two systems of equations.

    Args:
        x: (n, d).
        y: (n, k).
        penalty: Positive scalar.

    Returns:
        (d, k).

    Source: Bertinetto et al. 2019, section 3, with and without the Woodbury identity, arXiv:1805.08136.

    >>> ridge(torch.eye(2), torch.tensor([[4.0], [2.0]]), torch.tensor(1.0)).flatten()
    tensor([2., 1.])
    """
    n, d = x.shape
    if n < d:
        dual: Tensor = torch.linalg.solve(x @ x.T + penalty * torch.eye(n).to(x), y)
        return x.T @ dual
    w: Tensor = torch.linalg.solve(x.T @ x + penalty * torch.eye(d).to(x), x.T @ y)
    return w


def logistic(x: Tensor, y: Tensor, penalty: Tensor, steps: int) -> Tensor:
    """Newton's steps from zero towards the logistic regression of each column of y, with 0.5 penalty ||w||^2.

    With mu = sigmoid(x w) and S = diag(mu (1 - mu)), a step of iteratively reweighted least squares solves
    (x^T S x + penalty) w' = x^T (S x w + y - mu), which nothing divides: it stands where mu is 0 or 1. Of fewer rows
    than columns, weights are combinations of the rows, w = x^T a: (S x x^T + penalty) a' = S x x^T a + y - mu.

    Args:
        x: (n, d).
        y: Of 0 and 1, (n, k).
        penalty: Positive scalar.
        steps: Number of Newton steps.

    Returns:
        w, (d, k).

    Source: Bertinetto et al. 2019, section 3, arXiv:1805.08136.

    >>> logistic(torch.ones(1, 1), torch.ones(1, 1), torch.tensor(0.25), steps=1)  # 0.5 / (0.25 + 0.25)
    tensor([[1.]])
    """
    n, d = x.shape
    dual = n < d
    design = x @ x.T if dual else x
    weight_decay = penalty * torch.eye(min(n, d)).to(x)
    targets = y.T[..., None]
    w = x.new_zeros(y.shape[1], min(n, d), 1)
    for _ in range(steps):
        f = design @ w
        mu = f.sigmoid()
        s = mu * (1 - mu)
        matrix, right = s * design, s * f + targets - mu
        if not dual:
            matrix, right = x.T @ matrix, x.T @ right
        w = torch.linalg.solve(matrix + weight_decay, right)
    w = w.squeeze(-1).T
    return x.T @ w if dual else w


class R2D2(MetricLearner):
    """A task solves a ridge regression from embeddings to targets; the outer gradient passes through the solution.

    Classes are regressed on as 0 and 1. An embedding has a 1 appended, whose weight is penalised like the others.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        loss: "cross_entropy", or "mse" for real targets.
        transductive: Normalise by the statistics of the support and queries at hand.

    The penalty, and the scale and bias of the answers, are learned. A softmax does not see the bias, and of numbers
    between 0 and 1 it is too flat to train: the scale of a classifier starts from 10.

    Source: Bertinetto et al. 2019, section 3 ("R2-D2"), arXiv:1805.08136.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> R2D2(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, *, loss: Loss = "cross_entropy", transductive: bool = False) -> None:
        super().__init__(net, transductive=transductive)
        self.loss = loss
        self.log_penalty = nn.Parameter(torch.zeros(()))
        self.scale = nn.Parameter(torch.tensor(10.0 if loss == "cross_entropy" else 1.0))
        self.bias = nn.Parameter(torch.zeros(()))
        self.follow_net()

    def comparison(self, support: Examples) -> Predictor:
        """Solve the regression; a query gets its scaled answers."""

        # Not in half precision: a gram matrix rounded so is not positive definite.
        with torch.autocast(support.x.device.type, enabled=False):
            return Solution(self, self.solve(self.padded(support.x), support.y))

    def padded(self, z: Tensor) -> Tensor:
        """Return embeddings with a 1 appended, (n, d) -> (n, d + 1)."""
        return F.pad(z.to(self.scale), (0, 1), value=1.0)

    def solve(self, x: Tensor, y: Tensor) -> Tensor:
        """Weights (d, n_way) that fit x (n, d) to y (n, n_way)."""
        return ridge(x, y, self.log_penalty.exp())


@dataclass(frozen=True, eq=False)
class Solution(Adapted):
    """Scaled answers of a solved regression, weights (d + 1, n_way), to embedded queries."""

    learner: R2D2
    weights: Tensor

    def __call__(self, query: Tensor) -> Tensor:
        """Answer embedded queries, (m, d) -> (m, n_way)."""
        with torch.autocast(query.device.type, enabled=False):
            return self.learner.scale * self.learner.padded(query) @ self.weights + self.learner.bias


class LRD2(R2D2):
    """A task solves a logistic regression of each class against the others, by Newton's method.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        inner_steps: Newton steps.
        transductive: Normalise by the statistics of the support and queries at hand.

    The penalty, and the scale and bias of the answers, are learned.

    Source: Bertinetto et al. 2019, section 3 ("LR-D2"), arXiv:1805.08136.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> LRD2(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, *, inner_steps: int = 5, transductive: bool = False) -> None:
        super().__init__(net, transductive=transductive)
        self.inner_steps = inner_steps

    def solve(self, x: Tensor, y: Tensor) -> Tensor:
        """Weights (d, n_way) after the Newton steps."""
        return logistic(x, y, self.log_penalty.exp(), self.inner_steps)
