"""Accuracy or error of a learner on new tasks, with a confidence interval."""

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
from quickstudy.tasks.task import AnySource, Task, grouped
from quickstudy.tasks.tree import Tree, rows
from quickstudy.training.engine import Engine, Settled, distance, map_tasks, settle
from quickstudy.training.workers import ALONE, Workers

BATCH = 10
"""Number of tasks evaluated together. It is fixed, since task i of step s depends on both numbers."""


@dataclass(frozen=True)
class Evaluation:
    """A mean over tasks with its 95% interval.

    Attributes:
        metric: "accuracy" in [0, 1], or "mse" (mean squared error).
        mean: Mean over tasks.
        ci95: Half width of the 95% interval of the mean, 1.96 standard errors.
        median: Median over tasks.
        n_tasks: Number of tasks.
        transductive: True if an answer could depend on the other queries.
        seconds_per_adaptation: Median time to adapt to one task and answer its first query, in seconds; all queries if
            transductive, since they are answered together.
        values: Result of every task.

    >>> print(Evaluation("accuracy", 0.981, 0.0026, 1.0, 600, False, 0.004, ()))
    98.10 ± 0.26 % over 600 tasks, inductive
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
        """Return everything except ``values``, for JSON; NaN and infinity, which JSON lacks, become None."""
        fields = {name: value for name, value in vars(self).items() if name != "values"}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in fields.items()}


def evaluate(
    learner: Learner,
    tasks: AnySource,
    *,
    n_tasks: int = 600,
    transductive: bool | None = None,
    one_to_one: bool = False,
    engine: Engine = "auto",
    workers: Workers = ALONE,
    bar: bool = False,
) -> Evaluation:
    """Return the mean accuracy (or squared error) of a learner over tasks.

    A result counts as inductive only if a query gets the same answer alone as among other queries. A net from elsewhere
    may normalise queries by each other, as torch's batch norms do; the result is then reported as transductive.

    Args:
        learner: Learner to evaluate; it is not changed.
        tasks: Source of the tasks; the same source and seed give the same result.
        n_tasks: Number of tasks, at least 2.
        transductive: True if predictors may use the statistics of all queries; the learner's own setting if None.
        one_to_one: Assign the same number of queries to every class, by the best assignment; for tests that state this
            property. An answer then depends on the other queries, so it is transductive.
        engine: "auto" computes tasks together if that is exact; "vmap" always does, and "loop" computes them one by
            one.
        workers: Processes that share the tasks; each gets all results.
        bar: Draw progress on a terminal.

    Raises:
        SettingError: There are fewer than two tasks, which give no interval.

    >>> from quickstudy.learners import MAML
    >>> from quickstudy.nets import MLP
    >>> from quickstudy.tasks.sinusoid import Sinusoid
    >>> str(evaluate(MAML(MLP(), 1, inner_lr=0.01, loss="mse"), Sinusoid(), n_tasks=20)).split()[0]
    'mse'
    """
    if n_tasks < 2:
        raise SettingError(f"n_tasks={n_tasks} is too small: an interval needs at least 2 tasks; 600 is usual")

    def answer(task: Task) -> Tensor:
        return learner.adapt(task.support)(task.query.x)

    with _mode(learner, transductive):
        values: list[float] = []
        steps = range(math.ceil(n_tasks / BATCH))
        how: Settled | None = None
        for step in shown(steps, "tasks") if bar else steps:
            batch = tasks.sample(step, min(BATCH, n_tasks - len(values)))
            mine = workers.share(batch)
            results = [0.0] * len(mine)
            for numbers, group in grouped(mine, learner.with_rows):
                how = how or settle(learner, lambda few, engine: [map_tasks(answer, few, engine=engine)], group, engine)
                seeds = workers.share_of(seeds_of(tasks, step, len(batch))) if how.draws else None
                answers = map_tasks(answer, group, engine=how.engine, seeds=seeds and [seeds[i] for i in numbers])
                answers = torch.stack([assigned(scores) for scores in answers]) if one_to_one else answers
                for i, value in zip(numbers, metric(answers, group.query.y, learner.loss).tolist(), strict=True):
                    results[i] = value
            values += workers.gather(results)
        seconds = median(_adaptation_seconds(learner, tasks, min(n_tasks, 11)))
        used = learner.transductive or one_to_one or _transductive(learner, tasks)
    name = "accuracy" if learner.loss == "cross_entropy" else "mse"
    # Not statistics.stdev, which fails if a task diverged to infinity or NaN.
    ci95 = 1.96 * torch.tensor(values, dtype=torch.float64).std().item() / math.sqrt(n_tasks)
    middle = median(math.inf if math.isnan(value) else value for value in values)  # NaN also means that a task diverged
    return Evaluation(name, fmean(values), ci95, middle, n_tasks, used, seconds, tuple(values))


def metric(answers: Tensor, y: Tensor, loss: str) -> Tensor:
    """Return the accuracy, or the mean squared error if that is the loss, of each task, (..., n_query, n) -> (...).

    An answer with NaN is wrong.

    Raises:
        SettingError: There are no queries, or answers and targets differ in shape.
    """
    if not y.shape[-2]:
        raise SettingError("tasks have no queries; sample at least one")
    if answers.shape != y.shape:
        raise SettingError(
            f"answers have shape {list(answers.shape)} for targets {list(y.shape)}; return logits (m, n_way), or "
            f"real answers (m, d)"
        )
    if loss == "mse":
        return ((answers - y) ** 2).mean((-2, -1))
    right = (answers.argmax(-1) == y.argmax(-1)) & ~answers.isnan().any(-1)
    return right.to(answers.dtype).mean(-1)


def assigned(scores: Tensor) -> Tensor:
    """Return the best one-hot answers that assign equally many queries to every class, for scores (n_query, n_way).

    Raises:
        SettingError: The number of queries is not a multiple of the number of classes.

    Source: Kuhn 1955, the assignment problem, as solved by ``scipy.optimize.linear_sum_assignment``.

    >>> assigned(torch.tensor([[5.0, 4.0], [9.0, 1.0]]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    from scipy.optimize import linear_sum_assignment  # importing it takes longer than all else here

    n_query, n_way = scores.shape
    if n_query % n_way:
        raise SettingError(f"{n_query} queries cannot be divided equally among {n_way} classes; leave out one_to_one")
    _, place = linear_sum_assignment(scores.cpu().repeat(1, n_query // n_way).numpy(), maximize=True)
    return F.one_hot(torch.from_numpy(place) % n_way, n_way).to(scores)


@contextmanager
def _mode(learner: Learner, transductive: bool | None) -> Iterator[None]:
    """Context in evaluation mode without gradients; the former mode is restored afterwards."""
    training, before = learner.training, learner.transductive
    learner.eval()
    learner.transductive = before if transductive is None else transductive
    try:
        with torch.no_grad():
            yield
    finally:
        learner.train(training)
        learner.transductive = before


def _transductive(learner: Learner, tasks: AnySource) -> bool:
    """Return whether the queries of the first task normalise each other."""
    support, query = _first(learner, tasks, 0)
    return depends_on_others(learner.adapt(support), query.x)


def depends_on_others(predict: Predictor, x: Tree) -> bool:
    """Return whether the first query gets another answer alone than among the others, and warn if so.

    >>> depends_on_others(lambda x: x - x.mean(0), torch.tensor([[1.0], [3.0]]))
    True
    """
    with seeded(0):
        among = predict(x)
    with seeded(0):
        try:
            alone = predict(rows(x, slice(1)))
        except ValueError:  # torch's batch norm refuses a single number
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


def _first(learner: Learner, tasks: AnySource, step: int) -> Task:
    """Return the first task of a step, with targets in the learner's form."""
    return grouped(tasks.sample(step, 1), learner.with_rows)[0][1].at(0)


def _adaptation_seconds(learner: Learner, tasks: AnySource, n: int) -> Iterator[float]:
    for step in range(n):
        support, query = _first(learner, tasks, step)
        start = time.perf_counter()
        learner.adapt(support)(query.x if learner.transductive else rows(query.x, slice(1)))
        yield time.perf_counter() - start
