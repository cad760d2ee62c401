"""Test-time augmentation of a learner by the four rotations of a task's images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from quickstudy.learners.base import Adapted, Learner, Predictor
from quickstudy.tasks.task import Examples


class Turned(Learner):
    """Learner that adapts to a task in four rotations of its images, and averages the logits.

    It is for square images, and for a learner that was trained with rotated characters as further classes
    (``--rotations classes``). For its net, each rotation is another task, on which it makes other errors. It is four
    times as slow.

    Args:
        learner: Any learner of images.

    Source: Krizhevsky et al. 2012, section 4.1, for averaging over transformed copies at test time; Santoro et al.
    2016, section 4.1, arXiv:1605.06065, for the rotations.

    >>> from quickstudy.learners import NearestPixels
    >>> support = Examples(torch.stack([torch.zeros(1, 2, 2), torch.ones(1, 2, 2)]), torch.eye(2))
    >>> Turned(NearestPixels(size=2)).adapt(support)(torch.full((1, 1, 2, 2), 0.5)).tolist()
    [[-1.0, -1.0]]
    """

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner, self.loss = learner, learner.loss

    @property
    def transductive(self) -> bool:
        """Setting of the inner learner."""
        return self.learner.transductive

    @transductive.setter
    def transductive(self, value: bool) -> None:
        self.learner.transductive = value

    def adapt(self, support: Examples) -> Predictor:
        """Learn the task four times."""
        return Sides([self.learner.adapt(Examples(_turned(support.x, k), support.y)) for k in range(4)])

    def observe(self, x: Tensor) -> None:
        """Let the inner learner measure what it needs."""
        self.learner.observe(x)


@dataclass(frozen=True, eq=False)
class Sides(Adapted):
    """Mean answer of predictors, one per rotation of the images."""

    predictors: list[Predictor]

    def __call__(self, x: Tensor) -> Tensor:
        """Answer queries."""
        return torch.stack([predict(_turned(x, k)) for k, predict in enumerate(self.predictors)]).mean(0)


def _turned(x: Tensor, quarters: int) -> Tensor:
    return torch.rot90(x, quarters, (-2, -1))
