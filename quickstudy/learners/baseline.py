"""No meta-learning: a net trained to tell the training classes apart, then a fresh head for every task."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.inner import Params, Sgd, descend
from quickstudy.learners.base import Learner, Predictor, embedding_width
from quickstudy.nets import apply, record_population
from quickstudy.tasks.task import Examples, Task


class Baseline(Learner):
    """Ordinary classification of all training classes; a task fits a new linear head to frozen features.

    Its training tasks are plain batches (``quickstudy.tasks.Batches``): every class a way, and no support.

    Args:
        net: Maps inputs to features, (n, net.out_features).
        n_classes: Number of training classes.
        head_lr: Step size of the new head.
        head_steps: Gradient steps of the new head, over the whole support, from zero.

    Source: "Baseline" of Chen et al. 2019, section 3.2, arXiv:1904.04232.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> Baseline(MLP(2, (8,)), n_classes=64).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, n_classes: int, *, head_lr: float = 0.1, head_steps: int = 100) -> None:
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.n_classes, self.head_lr, self.head_steps = n_classes, head_lr, head_steps
        self.head = nn.Linear(embedding_width(net), n_classes)

    def adapt(self, support: Examples) -> Predictor:
        """Fit a linear head to the support's features."""
        z = apply(self.net, support.x, statistics="population")

        def loss(params: Params, features: Examples, t: int) -> Tensor:
            return self.prediction_loss(F.linear(features.x, params["weight"], params["bias"]), features.y)

        n_way = support.y.shape[-1]
        zero = {"weight": z.new_zeros(n_way, z.shape[-1]), "bias": z.new_zeros(n_way)}
        head = descend(loss, zero, Examples(z, support.y), Sgd(self.head_lr), self.head_steps, first_order=True)
        return lambda x: F.linear(apply(self.net, x, statistics="population"), head["weight"], head["bias"])

    def meta_loss(self, task: Task) -> Tensor:
        """Cross-entropy of a plain batch over all training classes."""
        logits: Tensor = self.head(apply(self.net, torch.cat([task.support.x, task.query.x]), statistics="batch"))
        return self.prediction_loss(logits, torch.cat([task.support.y, task.query.y]))

    def observe(self, x: Tensor) -> None:
        """Record the population's batch statistics."""
        record_population(self.net, x)
