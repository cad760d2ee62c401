"""Base of the learners that compare embeddings: one net for support and query, class means and distances."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.learners.base import Adapted, Learner, Predictor, like, prototypes
from quickstudy.learners.inner import Params
from quickstudy.nets import apply, has_foreign, normalised_by, record_population, usable
from quickstudy.nets.statistics import Statistics
from quickstudy.tasks.task import Examples, Task
from quickstudy.tasks.tree import Tree, concatenated


class MetricLearner(Learner):
    """Learner that embeds support and query with one net and compares them, for any number of classes.

    In training, support and queries are embedded in one pass, by their common batch statistics. Outside of training,
    the statistics are those of the training population, or of the whole batch if transductive.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        transductive: Normalise by the batch statistics of a task's support and queries.

    Attributes:
        compared_by: Methods that decide what ``comparison`` answers. A subclass that overrides one does not inherit
            ``contributions`` and ``left_out``, since closed forms hold only for the methods they were derived from.
    """

    compared_by: ClassVar[tuple[str, ...]] = ("comparison",)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for form in ("contributions", "left_out"):
            definer = next(i for i, each in enumerate(cls.__mro__) if form in vars(each))
            if any(method in vars(below) for below in cls.__mro__[:definer] for method in cls.compared_by):
                setattr(cls, form, vars(MetricLearner)[form])

    def __init__(self, net: nn.Module, *, transductive: bool = False) -> None:
        super().__init__()
        self.net, self.transductive = in_own_layout(usable(net)), transductive

    def follow_net(self) -> None:
        """Move what the learner adds to its net to the device and number type of the net's weights."""
        for child in self.children():
            if child is not self.net:
                child.to(like(self.net))
        for p in self.parameters(recurse=False):
            p.data = p.data.to(like(self.net))

    @abstractmethod
    def comparison(self, support: Examples) -> Predictor:
        """Return a comparison with the embedded support, x (n, d): from queries (m, d) to logits (m, n_way)."""

    def contributions(self, support: Examples, query: Tensor) -> Tensor | None:
        """Return what each support example adds to the score of its class; the sum over a class is exactly its score.

        Args:
            support: Embedded support, x (n, d) and y (n, n_way).
            query: Embedded queries, (m, d).

        Returns:
            Contributions, (m, n). None, the default, if a score is not a sum over examples.
        """
        return None

    def left_out(self, support: Examples, query: Tensor | None = None) -> Tensor:
        """Return the logits of queries without each example in turn (leave-one-out), (n, m, n_way).

        Args:
            support: Embedded support, x (n, d) and y (n, n_way).
            query: Embedded queries, (m, d). If None, the only query of each turn is its own example, m = 1.
        """
        of_turn = [support.x[i : i + 1] if query is None else query for i in range(len(support.y))]
        return torch.stack([self.comparison(support.without(i))(q) for i, q in enumerate(of_turn)])

    def adapt(self, support: Examples) -> Predictor:
        """Embed the support, with which queries are then compared."""
        if self.transductive:
            return Together(self, support)
        return Apart(self, self.comparison(Examples(self.embed(support.x), support.y)))

    def embed(self, x: Tree, statistics: Statistics = "population", params: Params | None = None) -> Tensor:
        """Return embeddings of inputs, (m, *input) -> (m, d), in the learner's ``number_type``.

        Args:
            x: Inputs.
            statistics: Batch statistics that normalise them.
            params: Replacements for parameters of the net, by name.

        Raises:
            SettingError: The net does not return one vector per input.
        """
        z = apply(self.net, x, params, statistics=statistics)
        if z.ndim != 2:
            raise SettingError(
                f"the net returns shape {tuple(z.shape[1:])} for one input, but a learner needs (width,); flatten "
                f"or pool its output"
            )
        return z.to(self.number_type(z.dtype))

    def meta_loss(self, task: Task) -> Tensor:
        """Return the loss of the queries, compared with the support, under the batch statistics of both."""
        with normalised_by("batch"):
            return self.embedded_loss(*self.embed_together(task.support, task.query.x), task.query.y)

    def embedded_loss(self, support: Examples, query: Tensor, query_y: Tensor) -> Tensor:
        """Return the loss of embedded queries (m, d) with targets (m, n_way), a scalar."""
        logits = self.comparison(support)(query)
        if logits.shape == query_y.shape:
            # A class without support has -inf, which times a target of 0 would be NaN.
            absent = (logits == -torch.inf) & (query_y == 0)
            logits = logits.masked_fill(absent, torch.finfo(logits.dtype).min / 2)
        return self.prediction_loss(logits, query_y)

    def observe(self, x: Tree) -> None:
        """Record the population's batch statistics."""
        record_population(self.net, x)

    def embed_together(self, support: Examples, x: Tree) -> tuple[Examples, Tensor]:
        """Return support and queries, embedded in one pass by their common batch statistics."""
        z = self.embed(concatenated(support.x, x), "batch")
        n = len(support.y)
        return Examples(z[:n], support.y.to(z.dtype)), z[n:]


def in_own_layout(net: nn.Module) -> nn.Module:
    """Return the net with its weights in the memory layout of a CPU's convolutions, if it is from this package.

    All examples of a metric learner share one set of weights, so a step is 1.5 times as fast. Nets from elsewhere are
    not changed: some of torch's layers refuse this layout under ``vmap``.
    """
    if not has_foreign(net):
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net


@dataclass(frozen=True, eq=False)
class Apart(Adapted):
    """Inductive predictor: embeds each query independently of the others, then compares it with the support."""

    learner: MetricLearner
    compare: Predictor

    def __call__(self, x: Tree) -> Tensor:
        """Answer queries."""
        with normalised_by("population"):  # also inside a learned comparison
            return self.compare(self.learner.embed(x))


@dataclass(frozen=True, eq=False)
class Together(Adapted):
    """Transductive predictor: embeds support and queries by their common batch statistics."""

    learner: MetricLearner
    support: Examples

    def __call__(self, x: Tree) -> Tensor:
        """Answer queries."""
        with normalised_by("batch"):
            z, query = self.learner.embed_together(self.support, x)
            return self.learner.comparison(z)(query)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the squared Euclidean distances between rows, (m, d) and (n, d) -> (m, n), at least in float32.

    They are computed by the expanded square, after the mean of ``b`` is subtracted. Far from zero, squares are so large
    that their differences would be rounding errors.

    >>> squared_distances(torch.tensor([[1000.0, 0.1]]), torch.tensor([[1000.0, 0.0]])).round(decimals=4)
    tensor([[0.0100]])
    """
    with torch.autocast(a.device.type, enabled=False):
        dtype = torch.promote_types(a.dtype, torch.float32)
        origin = b.to(dtype).mean(0)
        a, b = a.to(dtype) - origin, b.to(dtype) - origin
        return (a**2).sum(-1, keepdim=True) + (b**2).sum(-1) - 2 * a @ b.T


def nearest_mean(support: Examples) -> Predictor:
    """Return a comparison by minus the squared distance to each class mean; minus infinity for an empty class.

    Args:
        support: Embedded support, x (n, d) and y (n, n_way).

    Returns:
        Function from embedded queries (m, d) to logits (m, n_way).

    Source: Snell et al. 2017, eq. 2, arXiv:1703.05175.

    >>> nearest_mean(Examples(torch.tensor([[0.0], [3.0]]), torch.eye(2)))(torch.tensor([[1.0]])).tolist()
    [[-1.0, -4.0]]
    """
    return NearestMean(prototypes(support.x, support.y), support.y.any(0))


@dataclass(frozen=True, eq=False)
class NearestMean(Adapted):
    """Logits of embedded queries: minus the squared distances to the means of classes that have examples."""

    means: Tensor
    has_examples: Tensor

    def __call__(self, query: Tensor) -> Tensor:
        """Compare embedded queries, (m, d) -> (m, n_way)."""
        return torch.where(self.has_examples, -squared_distances(query, self.means), -torch.inf)


def nearest_mean_left_out(support: Examples, query: Tensor | None = None) -> Tensor:
    """Return the logits of ``nearest_mean`` without each example in turn; see ``MetricLearner.left_out``.

    Only the mean of the example's own class changes, so all other logits are computed once.

    >>> support = Examples(torch.tensor([[0.0], [2.0], [5.0]]), torch.eye(2)[[0, 0, 1]])
    >>> nearest_mean_left_out(support)[:, 0].tolist()
    [[-4.0, -25.0], [-4.0, -9.0], [-16.0, -inf]]
    """
    x, y = support
    logits = nearest_mean(support)(x if query is None else query)
    if query is None:
        turns, logits = x[:, None], logits[:, None]
    else:
        turns, logits = (each.expand(len(x), *each.shape) for each in (query, logits))
    counts = (y @ y.sum(0))[:, None]
    rest = (counts * (y @ prototypes(x, y)) - x) / (counts - 1)  # mean of the class without the example
    own = -((turns - rest[:, None]) ** 2).sum(-1)
    own = torch.where(counts > 1, own, -torch.inf)
    return torch.where(y[:, None] > 0, own[..., None], logits)


def shares_of_mean(support: Examples, query: Tensor) -> Tensor:
    """Return the logits of ``nearest_mean`` as sums over examples.

    It uses the identity that ||q - c||^2 is the mean of ||q - z_i||^2 - ||z_i - c||^2.

    Args:
        support: Embedded support, x (n, d) and y (n, n_way).
        query: Embedded queries, (m, d).

    Returns:
        Shares, (m, n); the shares of a class's examples sum to its logit.

    >>> support = Examples(torch.tensor([[0.0], [2.0]]), torch.ones(2, 1))
    >>> shares_of_mean(support, torch.tensor([[3.0]])).tolist()  # of -(3 - 1)^2
    [[-4.0, 0.0]]
    """
    means = support.y @ prototypes(support.x, support.y)
    counts = support.y @ support.y.sum(0)
    shares: Tensor = (((support.x - means) ** 2).sum(-1) - squared_distances(query, support.x)) / counts
    return shares


def most_similar(similarity: Tensor, y: Tensor) -> Tensor:
    """Return the similarity of each query to the most similar example per class; minus infinity for an empty class.

    Args:
        similarity: Similarity of queries to support examples, (m, n).
        y: One-hot classes of the support, (n, n_way).

    Returns:
        Scores, (m, n_way).

    >>> most_similar(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    tensor([[2., 3.]])
    """
    return torch.where(y.T[:, None] > 0, similarity, -torch.inf).amax(-1).T
