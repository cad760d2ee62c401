"""Base of the learners that do not meta-learn: a net trained to classify all training classes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from quickstudy.learners.base import Adapted, Learner, Predictor, like
from quickstudy.learners.inner import Params, Sgd, descend
from quickstudy.learners.metric import in_own_layout
from quickstudy.nets import apply, record_population, usable
from quickstudy.nets.statistics import Statistics
from quickstudy.tasks.task import Examples, Task
from quickstudy.tasks.tree import Tree, concatenated


class SupervisedLearner(Learner):
    """Ordinary classification of all training classes; a task is learned on frozen features.

    Its training tasks are plain batches (``quickstudy.tasks.Batches``), with all classes as ways and no support.

    Args:
        net: Maps inputs to features, (n, net.out_features).
        n_classes: Number of training classes.
        head: Maps features to logits of the training classes, (n, n_classes).
    """

    episodic: ClassVar[bool] = False

    def __init__(self, net: nn.Module, n_classes: int, head: nn.Module) -> None:
        super().__init__()
        self.net = in_own_layout(usable(net))
        self.n_classes, self.head = n_classes, head.to(like(net))

    def features(self, x: Tree, statistics: Statistics = "population") -> Tensor:
        """Return features, (n, *input) -> (n, d), in the learner's ``number_type``."""
        z = apply(self.net, x, statistics=statistics)
        return z.to(self.number_type(z.dtype))

    def meta_loss(self, task: Task) -> Tensor:
        """Return the cross-entropy of a plain batch over all training classes."""
        logits: Tensor = self.head(self.features(concatenated(task.support.x, task.query.x), "batch"))
        return self.prediction_loss(logits, torch.cat([task.support.y, task.query.y]))

    def observe(self, x: Tree) -> None:
        """Record the population's batch statistics."""
        record_population(self.net, x)


class FinetunedHead(SupervisedLearner):
    """Learner whose ``adapt`` fits a new head to the support's features by gradient descent; all heads are of one kind.

    Args:
        net: Maps inputs to features, (n, net.out_features).
        n_classes: Number of training classes.
        head: Maps features to logits.
        head_lr: Step size of the new head.
        head_steps: Gradient steps of the new head, over the whole support.
    """

    def __init__(self, net: nn.Module, n_classes: int, head: nn.Module, head_lr: float, head_steps: int) -> None:
        super().__init__(net, n_classes, head)
        self.head_lr, self.head_steps = head_lr, head_steps

    @abstractmethod
    def new_head(self, support: Examples) -> Params:
        """Return the initial parameters of a new head, given the support's features, x (n, d)."""

    def adapt(self, support: Examples) -> Predictor:
        """Fit a new head to the support's features."""

        def loss(params: Params, features: Examples, t: int) -> Tensor:
            return self.prediction_loss(self.logits(params, features.x), features.y)

        features = Examples(self.features(support.x), support.y)
        rule = Sgd(self.head_lr)
        head = descend(loss, self.new_head(features), self.weighted(features), rule, self.head_steps, first_order=True)
        return NewHead(self, head)

    def logits(self, head: Params, z: Tensor) -> Tensor:
        """Return the logits of a head, (n, d) features -> (n, n_way)."""
        out: Tensor = functional_call(self.head, head, (z,), tie_weights=False)
        return out


@dataclass(frozen=True, eq=False)
class NewHead(Adapted):
    """Predictor with a head that was fitted to one task."""

    learner: FinetunedHead
    head: Params

    def __call__(self, x: Tree) -> Tensor:
        """Answer queries."""
        return self.learner.logits(self.head, self.learner.features(x))
