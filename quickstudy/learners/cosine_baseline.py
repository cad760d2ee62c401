"""Baseline without meta-learning whose heads use cosine similarity."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import embedding_width, prototypes
from quickstudy.learners.inner import Params
from quickstudy.learners.supervised import FinetunedHead
from quickstudy.tasks.task import Examples


class CosineHead(nn.Module):
    """Head whose logits are scaled cosines between features and each class's weight, (n, d) -> (n, n_classes).

    >>> head = CosineHead(2, 1)
    >>> cosine = F.cosine_similarity(torch.ones(1, 2), head.weight)
    >>> torch.allclose(head(torch.ones(1, 2)), 10 * cosine)
    True
    """

    def __init__(self, d: int, n_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_classes, d))
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def forward(self, z: Tensor) -> Tensor:
        """Return the scaled cosines."""
        return self.log_scale.exp() * F.linear(F.normalize(z, dim=-1), F.normalize(self.weight, dim=-1))


class CosineBaseline(FinetunedHead):
    """Ordinary classification by cosine similarity, which reduces the variation within a class.

    Its training tasks are plain batches (``quickstudy.tasks.Batches``), with all classes as ways and no support. The
    scale of the cosines is learned with the net, from 10. A new head uses cosines too, and keeps the scale.

    Args:
        net: Maps inputs to features, (n, net.out_features).
        n_classes: Number of training classes.
        head_lr: Step size of the new head.
        head_steps: Gradient steps of the new head, over the whole support, from the mean direction of each class. The
            paper starts from a random head; adapting twice would then not give the same.

    Source: "Baseline++" of Chen et al. 2019, section 3.2, arXiv:1904.04232.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> CosineBaseline(MLP(2, (8,)), n_classes=64).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, n_classes: int, *, head_lr: float = 0.1, head_steps: int = 100) -> None:
        super().__init__(net, n_classes, CosineHead(embedding_width(net), n_classes), head_lr, head_steps)

    def new_head(self, support: Examples) -> Params:
        """Return a head whose weights are the mean direction of each class."""
        return {"weight": prototypes(F.normalize(support.x, dim=-1), support.y)}
