"""A learner that looks at a task's images from four sides."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from quickstudy.learners.base import Adapted, Learner, Predictor
from quickstudy.tasks.task import Examples


class Turned(Learner):
    """The mean logits of a learner that adapts to a task's images as they are and turned by each quarter.

    For square images, and a learner that was trained with turned characters as further classes (``--rotations
    classes``): to its net each turn is another task, in which it errs differently. Four times as slow.

    Args:
        learner: Any learner of images.

    Source: averaging over transformed copies at test time, Krizhevsky et al. 2012, section 4.1, with the turns of
    Santoro et al. 2016, section 4.1, arXiv:1605.06065.

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
        """That of the learner."""
        return self.learner.transductive

    @transductive.setter
    def transductive(self, value: bool) -> None:
        self.learner.transductive = value

    def adapt(self, support: Examples) -> Predictor:
        """Learn the task four times."""
        return Sides([self.learner.adapt(Examples(_turned(support.x, k), support.y)) for k in range(4)])

    def observe(self, x: Tensor) -> None:
        """Let the learner measure what it needs."""
        self.learner.observe(x)


@dataclass(frozen=True, eq=False)
class Sides(Adapted):
    """The mean answer of predictors that each see images from one side."""

    predictors: list[Predictor]

    def __call__(self, x: Tensor) -> Tensor:
        """Answer queries."""
        return torch.stack([predict(_turned(x, k)) for k, predict in enumerate(self.predictors)]).mean(0)


def _turned(x: Tensor, quarters: int) -> Tensor:
    return torch.rot90(x, quarters, (-2, -1))
