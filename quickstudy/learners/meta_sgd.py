"""Meta-SGD: MAML with a learned rate per weight."""

from __future__ import annotations

import torch
from torch import nn

from quickstudy.learners.base import Loss, Predictor
from quickstudy.learners.gradient import GradientLearner
from quickstudy.learners.inner import LearnedRates
from quickstudy.tasks.task import Examples


class MetaSGD(GradientLearner):
    """Meta-SGD: weights, and a rate for each, for which one gradient step on the support gives a low query loss.

    The head is always learned. One step from a head of zeros would change the head alone, and no other rate would
    matter.

    Args:
        net: Maps inputs to (n, net.out_features).
        n_way: Width of the head: classes, or dimensions of a real target.
        inner_lr: Initial value of every rate; rates may become negative.
        loss: "cross_entropy" or "mse".
        adapt_only: Parameters that the inner loop changes, "all" or a part (see ``GradientLearner``).
        transductive: Normalise queries by their own batch statistics.

    Source: Li et al. 2017, eq. 2 and algorithm 1, arXiv:1707.09835.

    >>> from quickstudy.nets import MLP
    >>> learner = MetaSGD(MLP(2, (8,)), n_way=3)
    >>> learner.adapt(Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1)))(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        n_way: int = 5,
        *,
        inner_lr: float = 0.01,
        loss: Loss = "cross_entropy",
        adapt_only: str = "all",
        transductive: bool = False,
    ) -> None:
        super().__init__(
            net,
            n_way,
            inner_lr=inner_lr,
            loss=loss,
            learned_head=True,
            adapt_only=adapt_only,
            transductive=transductive,
        )
        self.rates = nn.ParameterList(torch.full_like(p, inner_lr) for p in self.model.parameters())

    def adapt(self, support: Examples) -> Predictor:
        """Take one step from the meta-learned weights: theta - rates * gradient."""
        theta = self.initial(support.y.shape[-1])
        rates = self.resized(dict(zip(theta, self.rates, strict=True)), support.y.shape[-1])
        phi = self.descended(theta, support, LearnedRates(rates), 1)
        return self.predictor(phi, support)
