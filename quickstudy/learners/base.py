"""What a learner is: something that turns a support set into a predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.tasks.task import Examples, Task

Predictor = Callable[[Tensor], Tensor]
"""Inputs (m, *input) to logits (m, n_way), or to real numbers (m, d)."""

Loss = Literal["cross_entropy", "mse"]


class Learner(nn.Module, ABC):
    """Turns support into a predictor (inner loop), and is improved over many tasks (outer loop).

    What is meta-learned is a parameter of the module; what belongs to one task lives in the predictor. ``adapt`` is
    pure: it changes nothing, twice gives the same, and the order of the support does not matter. Every argument of
    ``__init__`` is kept as an attribute of the same name, so that a learner can be written down and built again.

    Attributes:
        transductive: Whether a predictor may use the other queries of its batch (their batch statistics). False, the
            default, is inductive: an answer depends on the support and that one query.
        loss: "cross_entropy" of logits, or "mse" of real numbers.
        episodic: Whether it trains on tasks, as most do, or on plain batches of all training classes.
    """

    transductive: bool = False
    loss: Loss = "cross_entropy"
    episodic: ClassVar[bool] = True

    @abstractmethod
    def adapt(self, support: Examples) -> Predictor:
        """Learn one task from its support."""

    def meta_loss(self, task: Task) -> Tensor:
        """Loss of one task, a scalar that the outer loop descends: by default that of the queries after adapting."""
        return self.prediction_loss(self.adapt(task.support)(task.query.x), task.query.y)

    def prediction_loss(self, prediction: Tensor, y: Tensor) -> Tensor:
        """Mean loss of predictions (n, d) against targets (n, d), a scalar."""
        return F.cross_entropy(prediction, y) if self.loss == "cross_entropy" else F.mse_loss(prediction, y)

    def anneal(self, progress: float) -> None:
        """Hear how far training has come, in [0, 1): the outer loop tells before each step.

        By default nothing depends on it.
        """

    def observe(self, x: Tensor) -> None:
        """Measure what inference needs of training inputs (n, *input), such as population statistics.

        The outer loop calls it before each validation and at the end. By default there is nothing to measure.
        """


def prototypes(z: Tensor, y: Tensor) -> Tensor:
    """Mean embedding of each class; zero for a class without examples.

    Args:
        z: Embeddings, (n, d).
        y: One-hot classes, (n, n_way).

    Returns:
        (n_way, d).

    Source: Snell et al. 2017, eq. 1, arXiv:1703.05175.

    >>> import torch
    >>> prototypes(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [1.0]]))
    tensor([[1.]])
    """
    return (y.T @ z) / y.sum(0).clamp(min=1)[:, None]


def embedding_width(net: nn.Module) -> int:
    """``net.out_features``: how wide the embeddings are that a net gives.

    >>> embedding_width(nn.Linear(3, 7))
    7
    """
    width = getattr(net, "out_features", None)
    if not isinstance(width, int):
        raise SettingError(f"{type(net).__name__} has no out_features; set it to the width of its output (n, width)")
    return width
