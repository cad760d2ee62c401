"""Reptile: move the weights towards those adapted to each task."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quickstudy.learners.base import Loss, Predictor
from quickstudy.learners.gradient import GradientLearner
from quickstudy.learners.inner import Params, check_rule, rule_named
from quickstudy.tasks.task import Examples, Task


class Reptile(GradientLearner):
    """Reptile: weights close to every task's adapted weights, by first-order steps only.

    The meta-loss is 0.5 * ||theta - stop_gradient(phi)||^2, whose gradient is theta - phi. Under ``torch.optim.SGD``
    with rate eps, the outer step over a batch of n tasks is the paper's theta + eps / n * sum_i (phi_i - theta). It is
    the mean, not the sum, so that eps has the same meaning for any number of tasks. One task per step is serial
    Reptile.

    Args:
        net: Maps inputs to (n, net.out_features).
        n_way: Width of the head: classes, or dimensions of a real target.
        inner_lr: Inner step size.
        inner_steps: Inner steps in training.
        test_steps: Inner steps outside of training; as in training if None.
        inner_batch: Examples of an inner step in training, taken in turn from the support, and then from its start
            again; all if None. Outside of training, every step uses all, so that the order of the support does not
            matter.
        inner_rule: Name of the inner update in ``INNER_RULES``; "adam" (beta1 = 0) is the paper's.
        loss: "cross_entropy" or "mse".
        learned_head: Meta-learn a classifier's head too, as the paper does.
        transductive: Normalise queries by their own batch statistics.

    Source: Nichol et al. 2018, algorithm 2 and section 6.1, arXiv:1803.02999.

    >>> from quickstudy.nets import MLP
    >>> learner = Reptile(MLP(2, (8,)), n_way=3)
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> bool(learner.meta_loss(Task(support, support)) > 0)
    True
    """

    def __init__(
        self,
        net: nn.Module,
        n_way: int = 5,
        *,
        inner_lr: float = 1e-3,
        inner_steps: int = 5,
        test_steps: int | None = 50,
        inner_batch: int | None = 10,
        inner_rule: str = "adam",
        loss: Loss = "cross_entropy",
        learned_head: bool = False,
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
            transductive=transductive,
        )
        self.inner_batch, self.inner_rule = inner_batch, check_rule(inner_rule)

    def adapt(self, support: Examples) -> Predictor:
        """Descend on the whole support from the meta-learned weights."""
        return self.predictor(self._descend(support, self.steps, batch=None), support)

    def meta_loss(self, task: Task) -> Tensor:
        """Return half the squared distance to the weights adapted to the task's support, which are held constant."""
        theta = self.initial(task.support.y.shape[-1])
        phi = self._descend(task.support, self.inner_steps, self.inner_batch)
        exact = task.support.y.dtype  # squares overflow in half precision
        squares = [((p - phi[name].detach()).to(exact) ** 2).sum() for name, p in theta.items()]
        return 0.5 * torch.stack(squares).sum()

    def _descend(self, support: Examples, steps: int, batch: int | None) -> Params:
        n = len(support.y)
        size = min(batch or n, n)

        def part(t: int) -> slice | list[int]:
            first = t * size % n
            last = first + size
            return slice(first, last) if last <= n else [i % n for i in range(first, last)]

        theta, update = self.initial(support.y.shape[-1]), rule_named(self.inner_rule, self.inner_lr)
        return self.descended(theta, support, update, steps, first_order=True, part=part)
