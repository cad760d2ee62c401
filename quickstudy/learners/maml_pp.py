"""MAML++: MAML made more stable, with learned rates and norms for each inner step."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.learners.base import Loss, Predictor
from quickstudy.learners.gradient import GradientLearner
from quickstudy.learners.inner import LearnedRates, Params
from quickstudy.nets import BatchNorm
from quickstudy.tasks.task import Examples, Task

MULTI_STEP = 0.1
"""Share of training during which the losses after earlier steps count: 15 of the paper's 150 epochs."""

FIRST_ORDER = 1 / 3
"""Share of training before second derivatives are used: 50 of the paper's 150 epochs."""


class MAMLPlusPlus(GradientLearner):
    """MAML with a learned rate per layer and step, batch norms per step, and annealed outer losses.

    In ``train``, the meta-loss is at first the mean of the queries' losses after each inner step. Over a tenth of
    training, all weight moves to the last loss; the first third of training is first order. ``anneal`` makes this
    choice. If it is never called, the meta-loss is the loss after the last step, with its exact gradient.

    Weights and biases of batch norms are not adapted, but meta-learned for each step; statistics are always the task's
    own.

    Args:
        net: Maps inputs to (n, net.out_features).
        n_way: Width of the head: classes, or dimensions of a real target.
        inner_lr: Initial value of every rate; a classifier's loss is summed over the classes (see ``inner_loss``).
        inner_steps: Inner steps, at least 1.
        loss: "cross_entropy" or "mse".
        learned_head: Meta-learn a classifier's head too, as the paper does.
        transductive: Normalise queries by their own batch statistics, as the paper does.

    Raises:
        SettingError: ``inner_steps`` is below 1.

    Source: Antoniou et al. 2019, section 4, arXiv:1810.09502.

    >>> from quickstudy.nets import MLP
    >>> learner = MAMLPlusPlus(MLP(2, (8,)), n_way=3)
    >>> learner.adapt(Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1)))(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        n_way: int = 5,
        *,
        inner_lr: float = 0.02,
        inner_steps: int = 5,
        loss: Loss = "cross_entropy",
        learned_head: bool = False,
        transductive: bool = False,
    ) -> None:
        super().__init__(
            net,
            n_way,
            inner_lr=inner_lr,
            inner_steps=inner_steps,
            loss=loss,
            learned_head=learned_head,
            transductive=transductive,
        )
        if inner_steps < 1:
            raise SettingError(f"inner_steps={inner_steps} takes no step, so nothing is learned; use at least 1")
        params = dict(self.model.named_parameters())
        norms = [name for name, module in self.model.named_modules() if isinstance(module, BatchNorm)]
        self._norms = [f"{name}.{part}" for name in norms for part in ("weight", "bias")]
        self._adapted = [name for name in params if name not in self._norms]
        self._chosen = frozenset(self._adapted)
        dtype = torch.promote_types(next(self.model.parameters()).dtype, torch.float32)
        self.rates = nn.Parameter(torch.full((inner_steps, len(self._adapted)), inner_lr, dtype=dtype))
        # The first step uses the net's own norms.
        self.later_norms = nn.ParameterList(
            nn.Parameter(params[name].detach().repeat(inner_steps - 1, 1), params[name].requires_grad)
            for name in self._norms
        )
        self.progress = 1.0

    def anneal(self, progress: float) -> None:
        """Set the progress of training, which decides the weights of the losses and the order of the derivatives."""
        self.progress = progress

    def adapt(self, support: Examples) -> Predictor:
        """Descend on the support; each step has its own rates and norms."""
        *_, phi = self._iterates(support)
        return self.predictor(phi, support)

    def meta_loss(self, task: Task) -> Tensor:
        """Return the weighted mean of the queries' losses after each inner step."""
        losses = [
            weight * self.prediction_loss(self.predictor(phi, task.support)(task.query.x), task.query.y)
            for weight, phi in zip(self.step_weights(), self._iterates(task.support), strict=True)
            if weight
        ]
        return torch.stack(losses).sum()

    def step_weights(self) -> list[float]:
        """Return the weight of each inner step's query loss in the meta-loss.

        >>> from quickstudy.nets import MLP
        >>> learner = MAMLPlusPlus(MLP(2, (8,)), inner_steps=2)
        >>> for progress in (0.0, 0.05, 0.1):
        ...     learner.anneal(progress)
        ...     learner.step_weights()
        [0.5, 0.5]
        [0.25, 0.75]
        [0.0, 1.0]
        """
        earlier = max(0.0, 1 - self.progress / MULTI_STEP) / self.inner_steps
        return [earlier] * (self.inner_steps - 1) + [1 - (self.inner_steps - 1) * earlier]

    def _iterates(self, support: Examples) -> Iterator[Params]:
        """Yield the weights after each inner step, with the norms of that step."""
        theta = self.initial(support.y.shape[-1])
        norms = {name: theta[name] for name in self._norms}
        for t in range(self.inner_steps):
            if t:
                norms = {name: later[t - 1] for name, later in zip(self._norms, self.later_norms, strict=True)}
            rule = LearnedRates(dict(zip(self._adapted, self.rates[t], strict=True)))
            early = self.training and self.progress < FIRST_ORDER
            theta = self.descended(theta | norms, support, rule, 1, first_order=early)
            yield theta
