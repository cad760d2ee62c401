"""Model-agnostic meta-learning, second and first order."""

from __future__ import annotations

from torch import nn

from quickstudy.learners.base import Loss, Predictor
from quickstudy.learners.gradient import GradientLearner
from quickstudy.learners.inner import check_rule, rule_named
from quickstudy.tasks.task import Examples


class MAML(GradientLearner):
    """MAML: weights from which a few gradient steps on the support lead to a low loss on the queries.

    Args:
        net: Maps inputs to (n, net.out_features).
        n_way: Width of the head: classes, or dimensions of a real target.
        inner_lr: Inner step size; a classifier's loss is summed over the classes (see ``inner_loss``).
        inner_steps: Inner steps in training.
        test_steps: Inner steps outside of training; as in training if None.
        first_order: Drop the second derivatives (first-order MAML).
        loss: "cross_entropy" or "mse".
        inner_rule: Name of the inner update in ``INNER_RULES``.
        learned_head: Meta-learn a classifier's head too, as the paper does.
        adapt_only: Parameters that the inner loop changes, "all" or a part (see ``GradientLearner``).
        transductive: Normalise queries by their own batch statistics, as the paper does.

    Source: Finn et al. 2017, algorithms 1 and 2, arXiv:1703.03400; first order, section 5.2.

    >>> import torch
    >>> from quickstudy.nets import MLP
    >>> learner = MAML(MLP(2, (8,)), n_way=3)
    >>> learner.adapt(Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1)))(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        n_way: int = 5,
        *,
        inner_lr: float = 0.4,
        inner_steps: int = 1,
        test_steps: int | None = None,
        first_order: bool = False,
        inner_rule: str = "sgd",
        loss: Loss = "cross_entropy",
        learned_head: bool = False,
        adapt_only: str = "all",
        transductive: bool = False,
    ) -> None:
        super().__init__(
            net,
            n_way,
            inner_lr=inner_lr,
            inner_steps=inner_steps,
            test_steps=test_steps,
            loss=loss,
            learned_head=learned_head,
            adapt_only=adapt_only,
            transductive=transductive,
        )
        self.first_order, self.inner_rule = first_order, check_rule(inner_rule)

    def adapt(self, support: Examples) -> Predictor:
        """Descend on the support from the meta-learned weights."""
        theta, update = self.initial(support.y.shape[-1]), rule_named(self.inner_rule, self.inner_lr)
        phi = self.descended(theta, support, update, self.steps, first_order=self.first_order)
        return self.predictor(phi, support)
