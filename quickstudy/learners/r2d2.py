"""Heads with a solver instead of gradient descent: ridge and logistic regression on embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.balance import balance
from quickstudy.learners.base import Adapted, Loss, Predictor, exact
from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples


def ridge(x: Tensor, y: Tensor, penalty: Tensor) -> Tensor:
    """Return the w that minimises ||x w - y||^2 + penalty ||w||^2, by the smaller of its two systems of equations.

    Args:
        x: Inputs, (n, d).
        y: Targets, (n, k).
        penalty: Positive scalar.

    Returns:
        Weights, (d, k).

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


def logistic(x: Tensor, y: Tensor, penalty: Tensor, steps: int, weights: Tensor | None = None) -> Tensor:
    """Return the weights of a logistic regression for each column of y, after Newton steps from zero.

    The penalty is 0.5 penalty ||w||^2. With mu = sigmoid(x w) and S = diag(mu (1 - mu)), a step of iteratively
    reweighted least squares solves (x^T S x + penalty) w' = x^T (S x w + y - mu). Nothing is divided by S, so the step
    is defined where mu is 0 or 1. If there are fewer rows than columns, the weights are combinations of the rows, w =
    x^T a, and the system is (S x x^T + penalty) a' = S x x^T a + y - mu.

    Args:
        x: Inputs, (n, d).
        y: Targets 0 and 1, (n, k).
        penalty: Positive scalar.
        steps: Number of Newton steps.
        weights: Weight of each row in the likelihood, (n,); 1 if None.

    Returns:
        Weights w, (d, k).

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
    of_row = x.new_ones(n, 1) if weights is None else weights[:, None]
    for _ in range(steps):
        f = design @ w
        mu = f.sigmoid()
        s = of_row * mu * (1 - mu)
        matrix, right = s * design, s * f + of_row * (targets - mu)
        if not dual:
            matrix, right = x.T @ matrix, x.T @ right
        w = torch.linalg.solve(matrix + weight_decay, right)
    w = w.squeeze(-1).T
    return x.T @ w if dual else w


class R2D2(MetricLearner):
    """R2-D2: a task solves a ridge regression from embeddings to targets, and the outer gradient passes through it.

    The targets of classes are 0 and 1. An embedding gets a 1 appended, whose weight is penalised like the others. Where
    classes have unequal numbers of examples, examples are weighted so that all classes weigh the same (``balance``).
    Else a class with few would hardly ever be the answer.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        loss: "cross_entropy", or "mse" for real targets.
        mean_loss: Divide the squared error by the number of examples, as the authors' program does. The penalty then
            counts n times as much, and a support that is doubled gives the same answers. The preset of training takes
            it for classes, where it is better, and not for real targets, where it is worse (docs/protocols.md).
        transductive: Normalise by the batch statistics of a task's support and queries.

    The penalty, and the scale and bias of the answers, are learned. A softmax ignores the bias, and over numbers
    between 0 and 1 it is too flat to train; the scale of a classifier therefore starts from 10.

    Source: Bertinetto et al. 2019, section 3 ("R2-D2"), arXiv:1805.08136.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> R2D2(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    # Measured on features of photographs: best temperatures .178, .231, .364 and .562 at 1, 2, 5 and 10 shots.
    rise: ClassVar[float | None] = 0.45
    compared_by: ClassVar[tuple[str, ...]] = ("comparison", "solve", "row_weights", "penalty", "padded")

    def __init__(
        self,
        net: nn.Module,
        *,
        loss: Loss = "cross_entropy",
        mean_loss: bool = False,
        transductive: bool = False,
    ) -> None:
        super().__init__(net, transductive=transductive)
        self.loss, self.mean_loss = loss, mean_loss
        self.log_penalty = nn.Parameter(torch.zeros(()))
        self.scale = nn.Parameter(torch.tensor(10.0 if loss == "cross_entropy" else 1.0))
        self.bias = nn.Parameter(torch.zeros(()))
        self.follow_net()

    def comparison(self, support: Examples) -> Predictor:
        """Solve the regression, and return its scaled answers as the comparison."""
        with torch.autocast(support.x.device.type, enabled=False):
            return Solution(self, self.solve(self.padded(support.x), exact(support.y)))

    def left_out(self, support: Examples, query: Tensor | None = None) -> Tensor:
        """Return the logits of queries without each example in turn, from one decomposition for all turns.

        With G = (x x^T + penalty)^-1 and dual weights a = G y, the weights without example i are a - G_i a_i / G_ii.
        The penalty of a row is divided by its weight. Without an example, its class has other weights, which changes G
        by a matrix of low rank. The harmonic mean changes too, for which G is taken by its eigenvalues.
        """
        x, y = self.padded(support.x), exact(support.y)
        kernel = x @ x.T if query is None else self.padded(query) @ x.T
        penalty, counts = self.penalty(len(x) - 1).to(x), y.sum(0)
        balanced = self.balanced and self.loss == "cross_entropy"
        root = (y @ counts if balanced else x.new_ones(len(x))).rsqrt()[:, None]
        values, vectors = torch.linalg.eigh(root * (x @ x.T) * root.T)
        half = root * vectors  # G = half diag(1 / (values + penalty)) half^T
        logits = x.new_empty(len(x), 1 if query is None else len(kernel), y.shape[1])
        for own in torch.unique(y, dim=0):
            rows = (y == own).all(1).nonzero()[:, 0]
            rest = counts - own
            each = penalty / (balance(rest) * rest).max() if balanced else penalty
            scaled = half / (values.clamp(min=0) + each)
            columns = scaled @ half[rows].T
            # One example fewer: the rest of its class weigh more, which is a smaller penalty on their rows.
            fewer = -each if balanced and len(rows) > 1 else torch.zeros_like(each)
            part = columns @ torch.linalg.inv(torch.eye(len(rows)).to(x) + fewer * columns[rows])
            dual = scaled @ (half.T @ y) - fewer * part @ (columns.T @ y)
            of = kernel[rows] if query is None else kernel
            change = of @ part / part[rows].diagonal()  # (m, rows)
            change = change.diagonal()[:, None] if query is None else change.T
            whole = (of @ dual)[:, None] if query is None else of @ dual
            logits[rows] = whole - change[..., None] * dual[rows, None]
        answers: Tensor = self.scale * logits + self.bias
        return answers.to(support.x)

    def penalty(self, n: int) -> Tensor:
        """Return the factor of the squared weights for a support of n examples."""
        return self.log_penalty.exp() * (n if self.mean_loss else 1)

    def padded(self, z: Tensor) -> Tensor:
        """Return embeddings with a 1 appended, (n, d) -> (n, d + 1), in double precision where the device has it."""
        return F.pad(exact(z), (0, 1), value=1.0)

    def solve(self, x: Tensor, y: Tensor) -> Tensor:
        """Return weights (d, n_way) that fit x (n, d) to y (n, n_way)."""
        root = self.row_weights(y).sqrt()[:, None]
        return ridge(root * x, root * y, self.penalty(len(y)))


@dataclass(frozen=True, eq=False)
class Solution(Adapted):
    """Scaled answers of a solved regression, weights (d + 1, n_way), to embedded queries."""

    learner: R2D2
    weights: Tensor

    def __call__(self, query: Tensor) -> Tensor:
        """Answer embedded queries, (m, d) -> (m, n_way)."""
        with torch.autocast(query.device.type, enabled=False):
            answers: Tensor = self.learner.scale * self.learner.padded(query) @ self.weights + self.learner.bias
            return answers.to(query.dtype)


class LRD2(R2D2):
    """LR-D2: a task solves a logistic regression of each class against the others, by Newton's method.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        inner_steps: Number of Newton steps.
        transductive: Normalise by the batch statistics of a task's support and queries.

    The penalty, and the scale and bias of the answers, are learned. Classes weigh the same, as in ``R2D2``.

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
        """Return the weights (d, n_way) after the Newton steps."""
        return logistic(x, y, self.log_penalty.exp(), self.inner_steps, self.row_weights(y))
