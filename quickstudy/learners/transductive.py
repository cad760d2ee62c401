"""Base of the learners that answer all queries of a task together, from embeddings of any net."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.learners.base import Adapted, Predictor
from quickstudy.learners.metric import MetricLearner, nearest_mean
from quickstudy.tasks.task import Examples
from quickstudy.tasks.tree import Tree, leaves, mapped, tree_map

FAR = 1e4
"""Distance of a class without examples. It is finite, so that no product with a share of zero is NaN."""


class TransductiveLearner(MetricLearner):
    """Learner without an inductive form: the answer to a query depends on the other queries, and one alone has none.

    Each input is embedded alone, by the statistics of the population. Training is that of Prototypical Networks; the
    net may come from any other learner, or be an encoder.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net, transductive=True)

    @property
    def transductive(self) -> bool:
        """True, always."""
        return True

    @transductive.setter
    def transductive(self, value: bool) -> None:
        if not value:
            raise SettingError(
                f"{type(self).__name__} answers the queries of a task together and has no inductive form; leave out "
                f"transductive=False, or choose another learner"
            )

    @abstractmethod
    def answers(self, support: Examples, x: Tree) -> Tensor:
        """Return the logits of queries, at least two, (m, *input) -> (m, n_way).

        Args:
            support: Embedded support, x (n, d) and y (n, n_way).
            x: Inputs of the queries.
        """

    def comparison(self, support: Examples) -> Predictor:
        """Return a comparison by minus the squared distance to each prototype, for training."""
        return nearest_mean(support)

    def adapt(self, support: Examples) -> Predictor:
        """Embed the support, with which all queries are then answered together."""
        return Jointly(self, Examples(self.embed(support.x), support.y))


@dataclass(frozen=True, eq=False)
class Jointly(Adapted):
    """Predictor that answers all queries of a call together; minus infinity for a class without examples."""

    learner: TransductiveLearner
    support: Examples

    def __call__(self, x: Tree) -> Tensor:
        """Answer queries."""
        if torch.is_inference_mode_enabled():  # some learners descend a loss of the queries
            with torch.inference_mode(False), torch.no_grad():
                return self(tree_map(torch.clone, x))
        m, y = len(leaves(x)[0]), self.support.y
        if m == 0:
            return y.new_zeros(0, y.shape[1])
        if m == 1:
            raise SettingError(
                f"{type(self.learner).__name__} answers queries together and has no answer for one alone; give two or "
                f"more, or choose an inductive learner, such as Prototypical"
            )
        x = mapped(lambda t: t.to(y.dtype) if t.is_floating_point() else t, x)  # queries have the support's type
        return torch.where(y.any(0), self.learner.answers(self.support, x), -torch.inf)


def directions(support: Examples, query: Tensor) -> tuple[Examples, Tensor]:
    """Return embedded support and queries scaled to length 1.

    >>> directions(Examples(torch.tensor([[3.0, 4.0]]), torch.ones(1, 1)), torch.tensor([[0.0, 2.0]]))[1]
    tensor([[0., 1.]])
    """
    return Examples(F.normalize(support.x, dim=-1), support.y), F.normalize(query, dim=-1)


def present(y: Tensor, logits: Tensor) -> Tensor:
    """Return logits (m, n_way) with a very low one for each class that has no row in ``y`` (n, n_way).

    >>> present(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)).tolist()
    [[0.0, -10000.0]]
    """
    return torch.where(y.any(0), logits, -FAR)


def moved(support: Examples, query: Tensor) -> Tensor:
    """Return embedded queries (m, d) moved by the difference between the means of support and queries.

    >>> moved(Examples(torch.ones(1, 1), torch.ones(1, 1)), torch.tensor([[2.0], [4.0]])).tolist()
    [[0.0], [2.0]]
    """
    result: Tensor = query + (support.x.mean(0) - query.mean(0))
    return result


def weights_by_class(cosines: Tensor, scale: float) -> Tensor:
    """Return the weight of each row in the mean of each class, from its cosines to the classes, (n, n_way)."""
    return (scale * cosines).softmax(-1)


def rectified(support: Examples, query: Tensor, scale: float) -> Tensor:
    """Return prototypes that take in the queries, (n_way, d).

    The queries are moved by the difference between the means of support and queries. Each then belongs to the class
    with the largest cosine to the class's mean. A prototype is the mean over the class's examples and such queries. The
    weight of each is what a softmax of its scaled cosines to all means gives to the class.

    Args:
        support: Embedded support, x (n, d) and y (n, n_way).
        query: Embedded queries, (m, d).
        scale: Scale of the cosines.

    Source: Liu et al. 2020, section 3, arXiv:1911.10713.

    >>> support = Examples(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.eye(2))
    >>> rectified(support, torch.tensor([[1.0, 0.0], [0.0, 1.0]]), 10.0)
    tensor([[1., 0.],
            [0., 1.]])
    """
    x, y = support
    query = moved(support, query)
    means = F.normalize((y.T @ x) / y.sum(0).clamp(min=1)[:, None], dim=-1)
    both = torch.cat([x, query])
    cosines = present(y, F.normalize(both, dim=-1) @ means.T)
    nearest = torch.eye(y.shape[1]).to(y)[cosines[len(y) :].argmax(-1)]
    weights = torch.cat([y, nearest]) * weights_by_class(cosines, scale)
    return (weights.T @ both) / weights.sum(0).clamp(min=1e-12)[:, None]
