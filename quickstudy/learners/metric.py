"""What learners that compare embeddings share: one net for support and query, class means and distances."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.learners.base import Adapted, Learner, Predictor, like, prototypes
from quickstudy.nets import apply, has_foreign, normalised_by, record_population, usable
from quickstudy.nets.statistics import Statistics
from quickstudy.tasks.task import Examples, Task
from quickstudy.tasks.tree import Tree, concatenated


class MetricLearner(Learner):
    """Embeds support and query with one net and compares; any number of classes at any time.

    In training, support and queries are embedded in one pass with their common batch statistics. Otherwise, statistics
    are those of the training population, or again those of the whole batch where transductive.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        transductive: Normalise by the statistics of the support and queries at hand.
    """

    def __init__(self, net: nn.Module, *, transductive: bool = False) -> None:
        super().__init__()
        self.net, self.transductive = in_own_layout(usable(net)), transductive

    def follow_net(self) -> None:
        """Bring what the learner adds to its net to the device and number type of the net's weights."""
        for child in self.children():
            if child is not self.net:
                child.to(like(self.net))
        for p in self.parameters(recurse=False):
            p.data = p.data.to(like(self.net))

    @abstractmethod
    def comparison(self, support: Examples) -> Predictor:
        """What is learned of the embedded support, x (n, d): embedded queries (m, d) to logits (m, n_way)."""

    def contributions(self, support: Examples, query: Tensor) -> Tensor | None:
        """What each support example adds to the score of its own class, exactly: over a class they sum to its score.

        Args:
            support: Embedded, x (n, d) and y (n, n_way).
            query: Embedded, (m, d).

        Returns:
            (m, n); None, the default, where a score is no sum over examples.
        """
        return None

    def adapt(self, support: Examples) -> Predictor:
        """Embed the support; a query is compared with it."""
        if self.transductive:
            return Together(self, support)
        return Apart(self, self.comparison(Examples(self.embed(support.x), support.y)))

    def embed(self, x: Tree, statistics: Statistics = "population") -> Tensor:
        """Return embeddings of inputs, (m, *input) -> (m, d), at least in float32, for distances are differences.

        Raises:
            SettingError: The net does not make one vector of each input.
        """
        z = apply(self.net, x, statistics=statistics)
        if z.ndim != 2:
            raise SettingError(
                f"the net makes {tuple(z.shape[1:])} of an input, and a learner (width,); flatten or pool it"
            )
        return z.to(torch.promote_types(z.dtype, torch.float32))

    def meta_loss(self, task: Task) -> Tensor:
        """Loss of the queries compared with the support, all under their common batch statistics."""
        with normalised_by("batch"):
            return self.embedded_loss(*self.embed_together(task.support, task.query.x), task.query.y)

    def embedded_loss(self, support: Examples, query: Tensor, query_y: Tensor) -> Tensor:
        """Loss of embedded queries (m, d) with targets (m, n_way), a scalar."""
        return self.prediction_loss(self.comparison(support)(query), query_y)

    def observe(self, x: Tree) -> None:
        """Record the population's batch statistics."""
        record_population(self.net, x)

    def embed_together(self, support: Examples, x: Tree) -> tuple[Examples, Tensor]:
        """Return support and queries, embedded in one pass by their common batch statistics."""
        z = self.embed(concatenated(support.x, x), "batch")
        n = len(support.y)
        return Examples(z[:n], support.y), z[n:]


def in_own_layout(net: nn.Module) -> nn.Module:
    """Return the net with weights in the layout of a CPU's convolutions, if it is one of this package.

    One set of weights serves all examples of a metric learner, so a step is 1.5 times as fast. Other people's nets stay
    as they are: some of torch's layers refuse this layout under ``vmap``.
    """
    if not has_foreign(net):
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net


@dataclass(frozen=True, eq=False)
class Apart(Adapted):
    """Answers queries each by itself: embedded, then compared with what the support taught."""

    learner: MetricLearner
    compare: Predictor

    def __call__(self, x: Tree) -> Tensor:
        """Answer queries."""
        with normalised_by("population"):  # of a learned comparison, too
            return self.compare(self.learner.embed(x))


@dataclass(frozen=True, eq=False)
class Together(Adapted):
    """Answers queries by the common batch statistics of the support and all of them."""

    learner: MetricLearner
    support: Examples

    def __call__(self, x: Tree) -> Tensor:
        """Answer queries."""
        with normalised_by("batch"):
            z, query = self.learner.embed_together(self.support, x)
            return self.learner.comparison(z)(query)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the squared Euclidean distances between rows, (m, d) and (n, d) -> (m, n), at least in float32.

    Computed by the expanded square, from the mean of ``b``: far from zero, squares are so large that their differences
    are rounding errors.

    >>> squared_distances(torch.tensor([[1000.0, 0.1]]), torch.tensor([[1000.0, 0.0]])).round(decimals=4)
    tensor([[0.0100]])
    """
    with torch.autocast(a.device.type, enabled=False):
        dtype = torch.promote_types(a.dtype, torch.float32)
        origin = b.to(dtype).mean(0)
        a, b = a.to(dtype) - origin, b.to(dtype) - origin
        return (a**2).sum(-1, keepdim=True) + (b**2).sum(-1) - 2 * a @ b.T


def nearest_mean(support: Examples) -> Predictor:
    """Minus the squared distance of a query to each class mean; minus infinity where a class has no examples.

    Args:
        support: Embedded, x (n, d) and y (n, n_way).

    Returns:
        Embedded queries (m, d) to logits (m, n_way).

    Source: Snell et al. 2017, eq. 2, arXiv:1703.05175.

    >>> nearest_mean(Examples(torch.tensor([[0.0], [3.0]]), torch.eye(2)))(torch.tensor([[1.0]])).tolist()
    [[-1.0, -4.0]]
    """
    return NearestMean(prototypes(support.x, support.y), support.y.any(0))


@dataclass(frozen=True, eq=False)
class NearestMean(Adapted):
    """Minus the squared distances of embedded queries to class means, where examples of the class were shown."""

    means: Tensor
    shown: Tensor

    def __call__(self, query: Tensor) -> Tensor:
        """Compare embedded queries, (m, d) -> (m, n_way)."""
        return torch.where(self.shown, -squared_distances(query, self.means), -torch.inf)


def shares_of_mean(support: Examples, query: Tensor) -> Tensor:
    """``nearest_mean`` as a sum over examples: ||q - c||^2 is the mean of ||q - z_i||^2 - ||z_i - c||^2.

    Args:
        support: Embedded, x (n, d) and y (n, n_way).
        query: Embedded, (m, d).

    Returns:
        (m, n), which over the examples of a class sum to its logit.

    >>> support = Examples(torch.tensor([[0.0], [2.0]]), torch.ones(2, 1))
    >>> shares_of_mean(support, torch.tensor([[3.0]])).tolist()  # of -(3 - 1)^2
    [[-4.0, 0.0]]
    """
    means = support.y @ prototypes(support.x, support.y)
    counts = support.y @ support.y.sum(0)
    shares: Tensor = (((support.x - means) ** 2).sum(-1) - squared_distances(query, support.x)) / counts
    return shares


def most_similar(similarity: Tensor, y: Tensor) -> Tensor:
    """Similarity of each query to the most similar example of each class; minus infinity where a class has none.

    Args:
        similarity: Of queries to support examples, (m, n).
        y: One-hot classes of the support, (n, n_way).

    Returns:
        (m, n_way).

    >>> most_similar(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    tensor([[2., 3.]])
    """
    return torch.where(y.T[:, None] > 0, similarity, -torch.inf).amax(-1).T
