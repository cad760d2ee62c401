"""The types everything is written in: a task is a small data set (support) and questions about it (query)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Examples(NamedTuple):
    """Inputs and their targets, one row an example.

    The width of ``y`` is the number of classes, so a learner knows it from a shape: also under ``vmap``, where no
    value may be looked at, and also for labels that a task happens not to contain.

    Attributes:
        x: Inputs, (n, *input).
        y: Targets, (n, n_way) one-hot rows, or (n, d) real numbers.
    """

    x: Tensor
    y: Tensor

    def without(self, i: int) -> Examples:
        """All examples but one.

        >>> Examples(torch.arange(3), torch.eye(3)).without(1).x
        tensor([0, 2])
        """
        keep = torch.arange(len(self.x), device=self.x.device) != i
        return Examples(self.x[keep], self.y[keep])


class Task(NamedTuple):
    """One task, or a batch of tasks with one more leading axis everywhere.

    Attributes:
        support: What the inner loop learns from.
        query: What the adapted predictor is asked.
    """

    support: Examples
    query: Examples

    def __len__(self) -> int:
        """Number of tasks, where this is a batch of them."""
        return len(self.support.x)

    def at(self, i: int | slice | list[int]) -> Task:
        """Task ``i`` of a batch, or several as a batch."""
        (sx, sy), (qx, qy) = self.support, self.query
        return Task(Examples(sx[i], sy[i]), Examples(qx[i], qy[i]))


class TaskSource(Protocol):
    """A distribution of tasks. ``sample`` is a pure function: the same step gives the same tasks."""

    def sample(self, step: int, n_tasks: int) -> Task:
        """Tasks 0 .. n_tasks - 1 of a step, as one batch."""
        ...


def one_hot(labels: Tensor, n_way: int) -> Tensor:
    """Class indices as rows of a target.

    >>> one_hot(torch.tensor([1, 0]), 2)
    tensor([[0., 1.],
            [1., 0.]])
    """
    return torch.nn.functional.one_hot(labels, n_way).to(torch.get_default_dtype())
