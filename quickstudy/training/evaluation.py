"""How well a learner does on tasks it never saw: a mean, its interval, and what it rests on."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.io.console import shown
from quickstudy.learners import Learner, Predictor
from quickstudy.learners.draws import seeded
from quickstudy.tasks.episodes import seeds_of
from quickstudy.tasks.task import Task, TaskSource
from quickstudy.tasks.tree import Tree, rows
from quickstudy.training.engine import Engine, Settled, distance, map_tasks, settle
from quickstudy.training.workers import ALONE, Workers

BATCH = 10
"""Tasks evaluated together. Fixed, because task i of step s depends on both."""


@dataclass(frozen=True)
class Evaluation:
    """A mean over tasks with its 95% interval.

    Attributes:
        metric: "accuracy" in [0, 1], or "mse", mean squared error.
        mean: Mean over tasks.
        ci95: Half width of the 95% interval of the mean, 1.96 standard errors.
        median: Median over tasks.
        n_tasks: Number of tasks.
        transductive: Whether an answer could depend on the other queries.
        seconds_per_adaptation: Median time to adapt to one task, alone, and answer its first query, seconds.
        values: The figure of every task.
    """

    metric: str
    mean: float
    ci95: float
    median: float
    n_tasks: int
    transductive: bool
    seconds_per_adaptation: float
    values: tuple[float, ...]

    def __str__(self) -> str:
        how = "transductive" if self.transductive else "inductive"
        if self.metric == "accuracy":
            return f"{100 * self.mean:.2f} ± {100 * self.ci95:.2f} % over {self.n_tasks} tasks, {how}"
        return f"mse {self.mean:.4f} ± {self.ci95:.4f} (median {self.median:.4f}) over {self.n_tasks} tasks, {how}"

    def summary(self) -> dict[str, Any]:
        """Everything but the single values, for JSON, which has no NaN or infinity: they become None."""
        kept = {name: value for name, value in vars(self).items() if name != "values"}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in kept.items()}


def evaluate(
    learner: Learner,
    tasks: TaskSource,
    *,
    n_tasks: int = 600,
    transductive: bool | None = None,
    one_to_one: bool = False,
    engine: Engine = "auto",
    workers: Workers = ALONE,
    bar: bool = False,
) -> Evaluation:
    """Return the mean accuracy (or squared error) of a learner over tasks.

    A figure is called inductive only where a query alone gets the answer that it gets among others; a net of one's own
    may normalise queries by each other (torch's batch norms do), and is then told to be transductive.

    Args:
        learner: Left as it was.
        tasks: Where tasks come from; the same source and seed give the same figure.
        n_tasks: Number of tasks, at least 2.
        transductive: Whether predictors may use the statistics of all queries; the learner's own setting if None.
        one_to_one: Give every class as many of a task's queries as every other, as classes and queries fit best: for
            tests that say so of themselves. An answer then depends on the other queries, so it is transductive.
        engine: "auto" takes tasks together where that is exact, "loop" one after another, "vmap" together.
        workers: Processes that share the tasks; each gets the whole result.
        bar: Whether progress is drawn on a terminal.

    >>> from quickstudy.learners import MAML
    >>> from quickstudy.nets import MLP
    >>> from quickstudy.tasks.sinusoid import Sinusoid
    >>> str(evaluate(MAML(MLP(), 1, inner_lr=0.01, loss="mse"), Sinusoid(), n_tasks=20)).split()[0]
    'mse'
    """
    if n_tasks < 2:
        raise SettingError(f"n_tasks={n_tasks}, but an interval needs at least 2 tasks; 600 is usual")

    def answer(task: Task) -> Tensor:
        return learner.adapt(task.support)(task.query.x)

    with _mode(learner, transductive):
        values: list[float] = []
        steps = range(math.ceil(n_tasks / BATCH))
        how: Settled | None = None
        for step in shown(steps, "tasks") if bar else steps:
            batch = Task(*learner.with_rows(*tasks.sample(step, min(BATCH, n_tasks - len(values))), axes=2))
            how = how or settle(learner, lambda few, engine: [map_tasks(answer, few, engine=engine)], batch, engine)
            mine = workers.share(batch)
            seeds = workers.share_of(seeds_of(tasks, step, len(batch))) if how.draws else None
            answers = map_tasks(answer, mine, engine=how.engine, seeds=seeds)
            answers = torch.stack([assigned(scores) for scores in answers]) if one_to_one else answers
            values += workers.gather(metric(answers, mine.query.y, learner.loss).tolist())
        seconds = median(_adaptation_seconds(learner, tasks, min(n_tasks, 11)))
        used = learner.transductive or one_to_one or _transductive(learner, tasks)
    name = "accuracy" if learner.loss == "cross_entropy" else "mse"
    # Not statistics.stdev, which fails on a task that diverged to infinity or NaN.
    ci95 = 1.96 * torch.tensor(values, dtype=torch.float64).std().item() / math.sqrt(n_tasks)
    middle = median(math.inf if math.isnan(value) else value for value in values)  # NaN, too, is a task that diverged
    return Evaluation(name, fmean(values), ci95, middle, n_tasks, used, seconds, tuple(values))


def metric(answers: Tensor, y: Tensor, loss: str) -> Tensor:
    """Accuracy, or mean squared error where that is the loss, of (..., n_query, n) answers, a figure a task (...)."""
    if loss == "mse":
        return ((answers - y) ** 2).mean((-2, -1))
    return (answers.argmax(-1) == y.argmax(-1)).to(answers.dtype).mean(-1)


def assigned(scores: Tensor) -> Tensor:
    """The best answers that give every class as many queries, one-hot, of scores (n_query, n_way).

    Raises:
        SettingError: The queries cannot be dealt out evenly.

    Source: the assignment problem, Kuhn 1955, as solved by ``scipy.optimize.linear_sum_assignment``.

    >>> assigned(torch.tensor([[5.0, 4.0], [9.0, 1.0]]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    from scipy.optimize import linear_sum_assignment  # takes longer to import than all else here

    n_query, n_way = scores.shape
    if n_query % n_way:
        raise SettingError(f"{n_query} queries cannot be dealt out evenly to {n_way} classes; leave out one_to_one")
    _, place = linear_sum_assignment(scores.cpu().repeat(1, n_query // n_way).numpy(), maximize=True)
    return F.one_hot(torch.from_numpy(place) % n_way, n_way).to(scores)


@contextmanager
def _mode(learner: Learner, transductive: bool | None) -> Iterator[None]:
    """Evaluation mode without gradients, undone afterwards."""
    training, before = learner.training, learner.transductive
    learner.eval()
    learner.transductive = before if transductive is None else transductive
    try:
        with torch.no_grad():
            yield
    finally:
        learner.train(training)
        learner.transductive = before


def _transductive(learner: Learner, tasks: TaskSource) -> bool:
    """Whether the queries of the first task normalise each other."""
    support, query = tasks.sample(0, 1).at(0)
    return depends_on_others(learner.adapt(support), query.x)


def depends_on_others(predict: Predictor, x: Tree) -> bool:
    """Return whether the first of some queries gets another answer alone than among the others, and warn if so.

    >>> depends_on_others(lambda x: x - x.mean(0), torch.tensor([[1.0], [3.0]]))
    True
    """
    with seeded(0):
        among = predict(x)
    with seeded(0):
        try:
            alone = predict(rows(x, slice(1)))
        except ValueError:  # a batch norm of torch's, of one number
            off = math.inf
        else:
            off = distance([among[:1]], [alone])
    if off <= math.sqrt(torch.finfo(among.dtype).eps):
        return False
    warnings.warn(
        "a query's answer depends on the other queries, so it is transductive; qs.convert_norms(net) makes a net with "
        "torch's batch norms inductive",
        stacklevel=3,
    )
    return True


def _adaptation_seconds(learner: Learner, tasks: TaskSource, n: int) -> Iterator[float]:
    for step in range(n):
        support, query = tasks.sample(step, 1).at(0)
        start = time.perf_counter()
        learner.adapt(support)(rows(query.x, slice(1)))
        yield time.perf_counter() - start
