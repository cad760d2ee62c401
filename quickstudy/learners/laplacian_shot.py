"""LaplacianShot: neighbouring queries get similar answers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quickstudy.learners.metric import squared_distances
from quickstudy.learners.transductive import TransductiveLearner, directions, moved, present, rectified
from quickstudy.tasks.task import Examples
from quickstudy.tasks.tree import Tree


class LaplacianShot(TransductiveLearner):
    """LaplacianShot: squared distances to rectified prototypes, and a penalty where neighbouring queries disagree.

    With ``shifted``, distances are those of the queries moved onto the support, as in the authors' program. It assumes
    that each class occurs about equally often among them.

    The net is trained as in Prototypical Networks; in the paper, as an ordinary classifier.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        smoothness: Weight of the penalty, the paper's lambda.
        neighbours: Nearest other queries of a query. The published program's 3 count the query itself.
        test_steps: Updates of the assignments.
        scale: Scale of the cosines by which prototypes are rectified.
        shifted: Answer the moved queries, not the queries.

    Source: Ziko et al. 2020, algorithm 1, arXiv:2006.15486.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> LaplacianShot(MLP(2, (8,))).adapt(support)(torch.randn(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        smoothness: float = 0.7,
        neighbours: int = 2,
        test_steps: int = 20,
        scale: float = 10.0,
        shifted: bool = False,
    ) -> None:
        super().__init__(net)
        self.smoothness, self.neighbours, self.test_steps = smoothness, neighbours, test_steps
        self.scale, self.shifted = scale, shifted

    def answers(self, support: Examples, x: Tree) -> Tensor:
        """Return the logits of the assignments after the updates."""
        support, query = directions(support, self.embed(x))
        means = rectified(support, query, self.scale)
        query = moved(support, query) if self.shifted else query
        alone = present(support.y, -squared_distances(query, means))
        return smoothed(alone, nearest(query, self.neighbours), self.smoothness, self.test_steps)


def nearest(x: Tensor, k: int) -> Tensor:
    """Return a matrix with 1 where j is one of the k nearest other rows of row i, (n, d) -> (n, n).

    >>> nearest(torch.tensor([[0.0], [1.0], [5.0]]), 1)
    tensor([[0., 1., 0.],
            [1., 0., 0.],
            [0., 1., 0.]])
    """
    itself = torch.eye(len(x), dtype=torch.bool, device=x.device)
    distances = torch.where(itself, torch.inf, squared_distances(x, x))
    chosen = distances.topk(min(k, len(x) - 1), largest=False).indices
    return torch.eye(len(x)).to(x)[chosen].sum(-2)


def smoothed(logits: Tensor, affinity: Tensor, smoothness: float, steps: int) -> Tensor:
    """Return logits to which each step adds the neighbours' assignments, (m, n_way) -> (m, n_way).

    Args:
        logits: Logits of each query alone.
        affinity: Weights of the other queries, (m, m).
        smoothness: Weight of the neighbours.
        steps: Number of updates, each a minimum of a bound of the loss.

    Source: Ziko et al. 2020, algorithm 1, arXiv:2006.15486.

    >>> smoothed(torch.tensor([[9.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]]), 2.0, 1)[1].round()
    tensor([2., 0.])
    """
    assignments = logits.softmax(-1)
    result = logits
    for _ in range(steps):
        result = logits + smoothness * affinity @ assignments
        assignments = result.softmax(-1)
    return result
