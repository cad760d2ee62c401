"""BD-CSPN: class means that are rectified by the queries."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.transductive import TransductiveLearner, directions, moved, rectified
from quickstudy.tasks.task import Examples
from quickstudy.tasks.tree import Tree


class BDCSPN(TransductiveLearner):
    """BD-CSPN: prototypes that take in the queries, which are moved onto the support; then cosines.

    With ``shifted``, the moved queries are answered. It assumes that each class occurs about equally often among them.

    The net is trained as in Prototypical Networks; in the paper, as a classifier by cosines.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        scale: Scale of the cosines, in the weights of the means and in the answers.
        shifted: Answer the moved queries, not the queries.

    Source: Liu et al. 2020, section 3, arXiv:1911.10713.

    >>> import torch
    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> BDCSPN(MLP(2, (8,))).adapt(support)(torch.randn(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, net: nn.Module, *, scale: float = 10.0, shifted: bool = False) -> None:
        super().__init__(net)
        self.scale, self.shifted = scale, shifted

    def answers(self, support: Examples, x: Tree) -> Tensor:
        """Return scaled cosines of the queries and the rectified prototypes."""
        support, query = directions(support, self.embed(x))
        means = rectified(support, query, self.scale)
        query = F.normalize(moved(support, query), dim=-1) if self.shifted else query
        return self.scale * query @ F.normalize(means, dim=-1).T
