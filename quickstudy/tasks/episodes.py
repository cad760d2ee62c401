"""Tasks cut from a data set: seeded N-way K-shot episodes, and plain batches for learners without episodes.

Task i of step s is a pure function of (seed, split, s, i): the same in any process, after any resume. All indices of a
batch are drawn first, then the images are gathered once, from memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quickstudy.errors import NotEnoughClasses, NotEnoughExamples, SettingError
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.inputs.warp import warped
from quickstudy.tasks.items import Items, Labelled, labels_of, numbered
from quickstudy.tasks.task import Examples, Task, one_hot
from quickstudy.tasks.tree import mapped


def generator(seed: int, split: str, step: int, task: int) -> np.random.Generator:
    """The random numbers of one task, independent of every other task's.

    >>> a, b = (generator(0, "train", step=5, task=2) for _ in range(2))
    >>> bool(a.integers(1000) == b.integers(1000))
    True
    """
    return np.random.default_rng([seed, int.from_bytes(split.encode()), step, task])


def seeds_of(tasks: object, step: int, n_tasks: int) -> list[int]:
    """Return a seed for each task of a step, for nets that draw random numbers: apart from those that make the task.

    >>> seeds_of(object(), 0, 2) == seeds_of(object(), 0, 3)[:2]
    True
    """
    seed, split = getattr(tasks, "seed", 0), getattr(tasks, "split", "")
    return [int(generator(seed, f"{split}/net", step, i).integers(1 << 63)) for i in range(n_tasks)]


class Episodes:
    """N-way K-shot tasks over a data set in memory.

    Args:
        data: What to draw from; its inputs' device is the tasks' device.
        n_way: Classes a task.
        n_shot: Support examples of each class, or a sequence of ``n_way`` counts, dealt to the classes at random, for
            tasks with unequal shots.
        n_query: Query examples of each class.
        seed: Of the whole sequence of tasks.
        split: Name of the split; the same seed draws other tasks for another split.
        rotate: Turn each class of each task by one random multiple of 90 degrees, support and query alike.
        warp: Move, turn, stretch and shear each image a little, each in its own way (see ``warped``).
        within: Group of each class. The classes of a task are then of one group, any that has ``n_way`` or more: they
            are more alike than any classes, as the characters of one alphabet are (Triantafillou et al. 2020,
            section 3.2.1, arXiv:1903.03096).

    Raises:
        NotEnoughClasses: ``data``, or each of its groups, has fewer than ``n_way`` classes.
        NotEnoughExamples: A class has fewer than shots + queries examples.

    Uint8 images come out as floats in [0, 1].

    >>> data = ClassDataset.from_labels(torch.zeros(12, 1, 8, 8, dtype=torch.uint8), list("aaaabbbbcccc"))
    >>> tasks = Episodes(data, n_way=2, n_shot=1, n_query=3).sample(step=0, n_tasks=7)
    >>> tasks.support.x.shape, tasks.query.y.shape
    (torch.Size([7, 2, 1, 8, 8]), torch.Size([7, 6, 2]))
    """

    def __init__(
        self,
        data: ClassDataset,
        n_way: int = 5,
        n_shot: int | Sequence[int] = 1,
        n_query: int = 15,
        *,
        seed: int = 0,
        split: str = "train",
        rotate: bool = False,
        warp: bool = False,
        within: Sequence[str] | None = None,
    ) -> None:
        shots = [n_shot] * n_way if isinstance(n_shot, int) else list(n_shot)
        if n_way < 1 or n_query < 0 or len(shots) != n_way or min(shots) < 1:
            raise SettingError(
                f"n_way={n_way}, n_shot={n_shot}, n_query={n_query}: ways and shots are 1 or more, queries 0 or more, "
                f"and a list of shots has one count a way"
            )
        if n_way > data.n_classes:
            raise NotEnoughClasses(
                f"n_way={n_way} asked, but the {split} split has {data.n_classes} classes; lower n_way or add classes"
            )
        kinds = np.asarray([""] * data.n_classes if within is None else within)
        groups = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
        self.groups = [group for group in groups if len(group) >= n_way]
        if not self.groups:
            raise NotEnoughClasses(
                f"n_way={n_way} asked, but the {split} split has at most {max(map(len, groups))} classes of one group; "
                f"lower n_way"
            )
        scarce = int(data.counts.argmin())
        if data.counts[scarce] < max(shots) + n_query:
            raise NotEnoughExamples(
                f"class {data.names[scarce]!r} has {data.counts[scarce]} examples, but n_shot={max(shots)} + "
                f"n_query={n_query} needs {max(shots) + n_query}; lower n_query or drop the class"
            )
        self.data, self.n_way, self.shots, self.n_query = data, n_way, np.array(shots), n_query
        self.seed, self.split, self.rotate, self.warp = seed, split, rotate, warp
        self.items: Items | None = None

    @classmethod
    def from_dataset(
        cls,
        dataset: Labelled,
        n_way: int = 5,
        n_shot: int | Sequence[int] = 1,
        n_query: int = 15,
        *,
        classes: Sequence[Any] | None = None,
        cache: bool = True,
        threads: int = 0,
        **options: Any,
    ) -> Episodes:
        """Tasks cut from any torch dataset of (input, label), whose inputs are read when a task wants them.

        Labels are read once: from ``dataset.targets`` or ``dataset.labels``, or else from the items. A task is again a
        pure function of its numbers as long as an item is: leave random augmentation to ``rotate`` and ``warp``.

        Args:
            dataset: Map-style; an input is a tensor or an array, or a tuple or dictionary of them.
            n_way, n_shot, n_query: As above.
            classes: Labels to draw from, such as those of one split; all if None.
            cache: Keep every input in memory once it was read.
            threads: Threads that read a task's inputs; 0 reads in the caller's.
            options: ``seed``, ``split``, ``rotate``, ``warp`` and ``within``, as above.

        Raises:
            DataError: A class has no items, or inputs cannot be stacked.

        >>> from torch.utils.data import TensorDataset
        >>> dataset = TensorDataset(torch.rand(8, 3), torch.tensor([0, 1, 2, 3] * 2))
        >>> Episodes.from_dataset(dataset, n_way=2, n_query=1, classes=[0, 2, 3]).sample(0, 4).support.x.shape
        torch.Size([4, 2, 3])
        """
        tasks = cls(numbered(labels_of(dataset), classes), n_way, n_shot, n_query, **options)
        tasks.items = Items(dataset, cache=cache, threads=threads)
        return tasks

    def sample(self, step: int, n_tasks: int) -> Task:
        """Tasks 0 .. n_tasks - 1 of a step, as one batch."""
        drawn = [self._draw(generator(self.seed, self.split, step, i)) for i in range(n_tasks)]
        support, support_y, query, query_y, turns, warps = (np.stack(parts) for parts in zip(*drawn, strict=True))
        n = support.shape[1]
        return Task(
            self._gather(support, support_y, turns, warps[:, :n]), self._gather(query, query_y, turns, warps[:, n:])
        )

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Rows and class positions of one task's support and query, and the turn of each class."""
        n_way, most = self.n_way, int(self.shots.max())
        group = self.groups[rng.integers(len(self.groups))]
        classes = rng.choice(group, n_way, replace=False)  # in random order: a position means nothing
        counts = self.data.counts[classes]
        order = rng.random((n_way, counts.max()))
        order[np.arange(counts.max()) >= counts[:, None]] = 2.0  # beyond a smaller class's end: never chosen
        rows = self.data.starts[classes][:, None] + order.argsort(axis=1)
        shots = rng.permutation(self.shots)
        # Shot by shot, not class by class, so that any run of rows is about balanced: Reptile's inner batches are runs.
        position = np.tile(np.arange(n_way), (most, 1))
        taken = np.arange(most)[:, None] < shots
        query = rows[:, most : most + self.n_query].T
        query_position = np.tile(np.arange(n_way), (self.n_query, 1))
        turns = rng.integers(4, size=n_way) if self.rotate else np.zeros(n_way, dtype=np.int64)
        n = int(shots.sum()) + n_way * self.n_query
        warps = _warps(rng, n if self.warp else 0)
        return rows[:, :most].T[taken], position[taken], query.ravel(), query_position.ravel(), turns, warps

    def _gather(self, rows: np.ndarray, position: np.ndarray, turns: np.ndarray, warps: np.ndarray) -> Examples:
        x = take(self.data.x, torch.from_numpy(rows))
        device = x.device
        if self.items is not None:
            x = self.items(x)
        if self.rotate:
            turn = torch.from_numpy(np.take_along_axis(turns, position, axis=1)).to(x.device)
            for k in (1, 2, 3):
                x[turn == k] = torch.rot90(x[turn == k], k, (-2, -1))
        x = mapped(as_float, x)
        if self.warp and x.numel():  # affine_grid refuses zero images, and Reptile's tasks have no query
            x = _warped(x, warps)
        return Examples(x, one_hot(torch.from_numpy(position).to(device), self.n_way))


class Batches:
    """Plain labelled batches over all classes of a data set, for learners that train without episodes.

    A batch is a task whose ways are all the classes, with an empty support.

    Args:
        data: What to draw from.
        batch_size: Examples a task.
        seed: Of the whole sequence.
        split: Name of the split.
        warp: Move, turn, stretch and shear each image a little, each in its own way (see ``warped``).

    >>> data = ClassDataset.from_labels(torch.zeros(4, 3), list("aabc"))
    >>> Batches(data, batch_size=8).sample(step=0, n_tasks=1).query.y.shape
    torch.Size([1, 8, 3])
    """

    def __init__(
        self, data: ClassDataset, batch_size: int = 64, *, seed: int = 0, split: str = "train", warp: bool = False
    ) -> None:
        self.data, self.batch_size, self.seed, self.split, self.warp = data, batch_size, seed, split, warp

    def sample(self, step: int, n_tasks: int) -> Task:
        """Tasks 0 .. n_tasks - 1 of a step, as one batch."""
        drawn = [self._draw(generator(self.seed, self.split, step, i)) for i in range(n_tasks)]
        rows, warps = (np.stack(parts) for parts in zip(*drawn, strict=True))
        index = torch.from_numpy(rows)
        x = as_float(take(self.data.x, index))
        if self.warp:
            x = _warped(x, warps)
        y = one_hot(self.data.y[index].to(x.device), self.data.n_classes)
        return Task(Examples(x[:, :0], y[:, :0]), Examples(x, y))

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Rows of one task, and how far each image is warped."""
        rows = rng.integers(len(self.data.x), size=self.batch_size)
        return rows, _warps(rng, self.batch_size if self.warp else 0)


def _warps(rng: np.random.Generator, n: int) -> np.ndarray:
    """How far each of n images is warped, (n, 7)."""
    return rng.uniform(-1, 1, (n, 7))


def _warped(x: Tensor, warps: np.ndarray) -> Tensor:
    """Images of several tasks, (tasks, n, channels, height, width), each warped as told, (tasks, n, 7)."""
    return warped(x.flatten(0, 1), torch.from_numpy(warps).to(x).flatten(0, 1)).view_as(x)


def take(x: Tensor, rows: Tensor) -> Tensor:
    """Rows of ``x`` by an index of any shape; ``index_select`` copies whole rows, three times as fast as ``x[rows]``.

    >>> take(torch.tensor([5, 6, 7]), torch.tensor([[2, 0]]))
    tensor([[7, 5]])
    """
    return x.index_select(0, rows.flatten().to(x.device)).view(*rows.shape, *x.shape[1:])
