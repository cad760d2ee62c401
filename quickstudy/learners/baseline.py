"""Baseline without meta-learning: a net that classifies the training classes, then a new linear head per task."""

from __future__ import annotations

from torch import nn

from quickstudy.learners.base import embedding_width
from quickstudy.learners.inner import Params
from quickstudy.learners.supervised import FinetunedHead
from quickstudy.tasks.task import Examples


class Baseline(FinetunedHead):
    """Ordinary classification of all training classes; a task fits a new linear head to frozen features.

    Its training tasks are plain batches (``quickstudy.tasks.Batches``), with all classes as ways and no support.

    Args:
        net: Maps inputs to features, (n, net.out_features).
        n_classes: Number of training classes.
        head_lr: Step size of the new head.
        head_steps: Gradient steps of the new head, from zero, over the whole support.

    Source: "Baseline" of Chen et al. 2019, section 3.2, arXiv:1904.04232.

    >>> import torch
    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> Baseline(MLP(2, (8,)), n_classes=64).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, n_classes: int, *, head_lr: float = 0.03, head_steps: int = 100) -> None:
        super().__init__(net, n_classes, nn.Linear(embedding_width(net), n_classes), head_lr, head_steps)

    def new_head(self, support: Examples) -> Params:
        """Return a head of zeros."""
        n_way, z = support.y.shape[-1], support.x
        return {"weight": z.new_zeros(n_way, z.shape[-1]), "bias": z.new_zeros(n_way)}
