"""Tasks of unequal ways and shots from a data set in memory, by the sampler of Meta-Dataset."""

from __future__ import annotations

import math

import numpy as np
import torch

from quickstudy.errors import NotEnoughClasses, NotEnoughExamples, SettingError
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.tasks.episodes import generator, take
from quickstudy.tasks.task import Examples, Task, UnequalTasks, one_hot

MOST_QUERIES, MOST_SUPPORT, MOST_OF_CLASS = 10, 500, 100
"""Most queries of a class, most support examples of a task, and most of a class that count for a task's size."""


class VariedEpisodes:
    """Source of tasks whose ways are drawn evenly, and whose shots follow the sizes of the classes.

    A class has 10 queries, or as many as half of the smallest class of its task. All classes together have a support
    of at most 500 examples, of which a class has one or more.

    Args:
        data: Data set to draw from; the device of its inputs is the tasks' device.
        ways: Fewest and most classes of a task; at most all classes of the data set.
        seed: Seed of the whole sequence of tasks.
        split: Name of the split; the same seed draws other tasks for another split.

    Raises:
        NotEnoughClasses: ``data`` has fewer classes than the fewest ways.
        NotEnoughExamples: A class has fewer than two examples.
        SettingError: The fewest ways are below 1, or above the most.

    Source: Triantafillou et al. 2020, section 3.2, arXiv:1903.03096.

    >>> data = ClassDataset.from_labels(torch.zeros(60, 3), [str(i % 6) for i in range(60)])
    >>> [len(task.query.y) // task.query.y.shape[1] for task in VariedEpisodes(data).sample(step=0, n_tasks=2).tasks]
    [5, 5]
    """

    def __init__(
        self, data: ClassDataset, ways: tuple[int, int] = (5, 50), *, seed: int = 0, split: str = "train"
    ) -> None:
        fewest, most = ways
        if not 1 <= fewest <= most:
            raise SettingError(f"ways={ways}: give the fewest and the most classes of a task, such as (5, 50)")
        if fewest > data.n_classes:
            raise NotEnoughClasses(f"ways={ways}, but the {split} split has {data.n_classes} classes; lower the fewest")
        scarce = int(data.counts.argmin())
        if data.counts[scarce] < 2:
            raise NotEnoughExamples(f"class {data.names[scarce]!r} has 1 example, but a task needs 2; drop the class")
        self.data, self.ways, self.seed, self.split = data, (fewest, min(most, data.n_classes)), seed, split

    def sample(self, step: int, n_tasks: int) -> UnequalTasks:
        """Return tasks 0 .. n_tasks - 1 of a step."""
        return UnequalTasks(tuple(self._task(generator(self.seed, self.split, step, i)) for i in range(n_tasks)))

    def _task(self, rng: np.random.Generator) -> Task:
        data, n_way = self.data, int(rng.integers(self.ways[0], self.ways[1] + 1))
        classes = rng.choice(data.n_classes, n_way, replace=False)
        counts = data.counts[classes]
        n_query = min(MOST_QUERIES, int(counts.min()) // 2)
        shots = shots_of(counts - n_query, counts, rng)
        rows = [data.starts[c] + rng.permutation(int(data.counts[c])) for c in classes]

        def part(chosen: list[np.ndarray]) -> Examples:
            x = as_float(take(data.x, torch.from_numpy(np.concatenate(chosen))))
            y = np.repeat(np.arange(n_way), [len(each) for each in chosen])
            return Examples(x, one_hot(torch.from_numpy(y).to(x.device), n_way))

        return Task(
            part([each[n_query : n_query + k] for each, k in zip(rows, shots, strict=True)]),
            part([each[:n_query] for each in rows]),
        )


def shots_of(most: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the number of support examples of each class of a task.

    Args:
        most: Examples of each class that are left beside its queries.
        counts: Examples of each class.
        rng: Generator of the task.

    Source: Triantafillou et al. 2020, section 3.2, arXiv:1903.03096.

    >>> shots_of(np.array([1, 1]), np.array([3, 3]), np.random.default_rng(0)).tolist()
    [1, 1]
    """
    share = 1 - rng.random()  # in (0, 1]
    size = min(MOST_SUPPORT, sum(math.ceil(share * min(MOST_OF_CLASS, int(n))) for n in most))
    weights = np.exp(rng.uniform(math.log(0.5), math.log(2), len(counts))) * counts
    further = np.floor(weights / weights.sum() * max(0, size - len(counts))).astype(most.dtype)
    shots: np.ndarray = np.minimum(1 + further, most)
    return shots
