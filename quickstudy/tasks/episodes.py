"""Tasks from a data set: seeded N-way K-shot episodes, and plain batches for learners without episodes.

Task i of step s is a pure function of (seed, split, s, i): it is the same in any process, and after any resume. All
indices of a batch are drawn first, then the images are gathered from memory in one call.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quickstudy.errors import NotEnoughClasses, NotEnoughExamples, SettingError
from quickstudy.inputs.augment import augmented
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.inputs.warp import warped
from quickstudy.tasks.items import Items, Labelled, labels_of, numbered
from quickstudy.tasks.task import Examples, Task, one_hot
from quickstudy.tasks.tree import mapped


def generator(seed: int, split: str, step: int, task: int) -> np.random.Generator:
    """Return the random generator of one task, independent of those of all other tasks.

    >>> a, b = (generator(0, "train", step=5, task=2) for _ in range(2))
    >>> bool(a.integers(1000) == b.integers(1000))
    True
    """
    return np.random.default_rng([seed, int.from_bytes(split.encode()), step, task])


def seeds_of(tasks: object, step: int, n_tasks: int) -> list[int]:
    """Return a seed for each task of a step, for nets that draw random numbers; the task itself has another one.

    >>> seeds_of(object(), 0, 2) == seeds_of(object(), 0, 3)[:2]
    True
    """
    seed, split = getattr(tasks, "seed", 0), getattr(tasks, "split", "")
    return [int(generator(seed, f"{split}/net", step, i).integers(1 << 63)) for i in range(n_tasks)]


class Episodes:
    """Source of N-way K-shot tasks from a data set in memory.

    Args:
        data: Data set to draw from; the device of its inputs is the tasks' device.
        n_way: Number of classes per task.
        n_shot: Support examples per class, or a sequence of ``n_way`` counts for tasks with unequal shots; they are
            assigned to the classes at random.
        n_query: Query examples per class.
        seed: Seed of the whole sequence of tasks.
        split: Name of the split; the same seed draws other tasks for another split.
        rotate: Turn each class of each task by one random multiple of 90 degrees, support and query alike.
        warp: Move, turn, stretch and shear each image a little, each in its own way (see ``warped``).
        augment: Crop, mirror and recolour each photograph, each in its own way (see ``augmented``).
        unbalanced: Parameter of the Dirichlet distribution of the classes' shares of a task's queries, such as 2. All
            queries together stay ``n_way * n_query``. What a class has too few examples for, the others give. If None,
            each class has ``n_query`` queries.
        within: Group of each class. The classes of a task are then all from one group, chosen among those with at least
            ``n_way`` classes. Classes of one group are more similar than classes in general, as the characters of one
            alphabet are (Triantafillou et al. 2020, section 3.2.1, arXiv:1903.03096).

    Raises:
        NotEnoughClasses: ``data``, or every group, has fewer than ``n_way`` classes.
        NotEnoughExamples: A class has fewer examples than shots plus queries.
        SettingError: There is no way or no shot, a list of shots has another length than ``n_way``, or ``unbalanced``
            is not above 0.

    Source: Veilleux et al. 2021, arXiv:2204.11181, for unbalanced queries.

    Uint8 images are returned as floats in [0, 1].

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
        augment: bool = False,
        unbalanced: float | None = None,
        within: Sequence[str] | None = None,
    ) -> None:
        shots = [n_shot] * n_way if isinstance(n_shot, int) else list(n_shot)
        if n_way < 1 or n_query < 0 or len(shots) != n_way or min(shots) < 1:
            raise SettingError(
                f"n_way={n_way}, n_shot={n_shot}, n_query={n_query}: give at least 1 way, 1 shot and 0 queries; "
                f"a list of shots has one count per way"
            )
        if unbalanced is not None and not 0 < unbalanced < math.inf:
            raise SettingError(f"unbalanced={unbalanced} is not above 0; 2 is usual, and None is balanced")
        if n_way > data.n_classes:
            raise NotEnoughClasses(
                f"n_way={n_way} is too many: the {split} split has {data.n_classes} classes; lower n_way or add classes"
            )
        kinds = np.asarray([""] * data.n_classes if within is None else within)
        groups = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
        self.groups = [group for group in groups if len(group) >= n_way]
        if not self.groups:
            raise NotEnoughClasses(
                f"n_way={n_way} is too many: a group of the {split} split has at most {max(map(len, groups))} classes; "
                f"lower n_way"
            )
        scarce = int(data.counts.argmin())
        if data.counts[scarce] < max(shots) + n_query:
            raise NotEnoughExamples(
                f"class {data.names[scarce]!r} has {data.counts[scarce]} examples, but n_shot={max(shots)} + "
                f"n_query={n_query} needs {max(shots) + n_query}; lower n_query or drop the class"
            )
        self.data, self.n_way, self.shots, self.n_query = data, n_way, np.array(shots), n_query
        self.seed, self.split, self.rotate, self.warp, self.augment = seed, split, rotate, warp, augment
        self.unbalanced = unbalanced
        self.items: Items | None = None

    @classmethod
    def from_dataset(
        cls,
        dataset: Labelled,
        n_way: int = 5,
        n_shot: int | Sequence[int] = 1,
        n_query: int = 15,
        *,
        classes: Iterable[Any] | None = None,
        cache: bool = True,
        threads: int = 0,
        **options: Any,
    ) -> Episodes:
        """Return a source of tasks from any torch dataset of (input, label); inputs are read when a task needs them.

        Labels are read once: from ``dataset.targets`` or ``dataset.labels`` if these agree with some of the items, or
        else from all items. They are numbers, strings, other hashable values, or one-hot rows, which mean the number
        of their class. Equal numbers, such as 0 and 0.0, are one class. A task is a pure function of its numbers only
        if an item is; use ``rotate``, ``warp`` and ``augment`` for random augmentation.

        Args:
            dataset: Map-style dataset of pairs; an input is a tensor or an array, or a tuple or dictionary of them.
            n_way, n_shot, n_query: Arguments of the class.
            classes: Labels to draw from, such as those of one split; all if None.
            cache: Keep every input in memory after it was read.
            threads: Number of threads that read a task's inputs; 0 reads in the calling thread.
            options: Arguments ``seed``, ``split``, ``rotate``, ``warp``, ``augment`` and ``within`` of the class.

        Raises:
            DataError: The dataset is not of such pairs, a label is missing or no class, a class has no items, or inputs
                cannot be stacked.
            SettingError: ``classes`` is no list.

        >>> from torch.utils.data import TensorDataset
        >>> dataset = TensorDataset(torch.rand(8, 3), torch.tensor([0, 1, 2, 3] * 2))
        >>> Episodes.from_dataset(dataset, n_way=2, n_query=1, classes=[0, 2, 3]).sample(0, 4).support.x.shape
        torch.Size([4, 2, 3])
        """
        tasks = cls(numbered(labels_of(dataset), classes), n_way, n_shot, n_query, **options)
        tasks.items = Items(dataset, cache=cache, threads=threads)
        return tasks

    def sample(self, step: int, n_tasks: int) -> Task:
        """Return tasks 0 .. n_tasks - 1 of a step, as one batch."""
        draws = [self._draw(generator(self.seed, self.split, step, i)) for i in range(n_tasks)]
        support, support_y, query, query_y, turns, changes = (np.stack(parts) for parts in zip(*draws, strict=True))
        n = support.shape[1]
        return Task(
            self._gather(support, support_y, turns, changes[:, :n]), self._gather(query, query_y, turns, changes[:, n:])
        )

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw rows and class positions of one task's support and query, turns of classes, and changes of images."""
        n_way, most = self.n_way, int(self.shots.max())
        group = self.groups[rng.integers(len(self.groups))]
        classes = rng.choice(group, n_way, replace=False)  # in random order: a position has no meaning
        counts = self.data.counts[classes]
        order = rng.random((n_way, counts.max()))
        order[np.arange(counts.max()) >= counts[:, None]] = 2.0  # past the end of a smaller class: never chosen
        rows = self.data.starts[classes][:, None] + order.argsort(axis=1)
        shots = rng.permutation(self.shots)
        # Shot by shot, not class by class: any consecutive rows are then balanced, as Reptile's inner batches need.
        position = np.tile(np.arange(n_way), (most, 1))
        taken = np.arange(most)[:, None] < shots
        turns = rng.integers(4, size=n_way) if self.rotate else np.zeros(n_way, dtype=np.int64)
        n = int(shots.sum()) + n_way * self.n_query
        changes = _changes(rng, n, self.warp, self.augment)
        queries = np.full(n_way, self.n_query)
        if self.unbalanced is not None:  # drawn last: classes and support are those of the balanced task
            queries = shared_out(n_way * self.n_query, rng.dirichlet(np.full(n_way, self.unbalanced)), counts - most)
        further = np.arange(queries.max(initial=0))[:, None]
        chosen = further < queries
        query, query_position = rows[:, most:].T[: len(further)], np.broadcast_to(np.arange(n_way), chosen.shape)
        return rows[:, :most].T[taken], position[taken], query[chosen], query_position[chosen], turns, changes

    def _gather(self, rows: np.ndarray, position: np.ndarray, turns: np.ndarray, changes: np.ndarray) -> Examples:
        x = take(self.data.x, torch.from_numpy(rows))
        device = x.device
        if self.items is not None:
            x = self.items(x)
        if (self.rotate or self.warp or self.augment) and not isinstance(x, Tensor):
            raise SettingError(
                f"rotate, warp and augment change images, but an input is a {type(x).__name__}; leave them out"
            )
        if self.rotate:
            if x.ndim < 4 or x.shape[-2] != x.shape[-1]:
                raise SettingError(
                    f"rotate = True: inputs of shape {tuple(x.shape[2:])} are no square images; leave it out"
                )
            turn = torch.from_numpy(np.take_along_axis(turns, position, axis=1)).to(x.device)
            for k in (1, 2, 3):
                x[turn == k] = torch.rot90(x[turn == k], k, (-2, -1))
        x = mapped(as_float, x)
        if changes.size:  # affine_grid refuses zero images, and Reptile's tasks have no query
            x = _changed(x, changes, self.warp, self.augment)
        return Examples(x, one_hot(torch.from_numpy(position).to(device), self.n_way))


class Batches:
    """Source of plain labelled batches of all classes of a data set, for learners that train without episodes.

    A batch is a task with all classes as ways, and an empty support.

    Args:
        data: Data set to draw from.
        batch_size: Number of examples per task.
        seed: Seed of the whole sequence.
        split: Name of the split.
        warp: Move, turn, stretch and shear each image a little, each in its own way (see ``warped``).
        augment: Crop, mirror and recolour each photograph, each in its own way (see ``augmented``).

    >>> data = ClassDataset.from_labels(torch.zeros(4, 3), list("aabc"))
    >>> Batches(data, batch_size=8).sample(step=0, n_tasks=1).query.y.shape
    torch.Size([1, 8, 3])
    """

    def __init__(
        self,
        data: ClassDataset,
        batch_size: int = 64,
        *,
        seed: int = 0,
        split: str = "train",
        warp: bool = False,
        augment: bool = False,
    ) -> None:
        self.data, self.batch_size, self.seed, self.split = data, batch_size, seed, split
        self.warp, self.augment = warp, augment

    def sample(self, step: int, n_tasks: int) -> Task:
        """Return tasks 0 .. n_tasks - 1 of a step, as one batch."""
        draws = [self._draw(generator(self.seed, self.split, step, i)) for i in range(n_tasks)]
        rows, changes = (np.stack(parts) for parts in zip(*draws, strict=True))
        index = torch.from_numpy(rows)
        x = as_float(take(self.data.x, index))
        if changes.size:
            x = _changed(x, changes, self.warp, self.augment)
        y = one_hot(self.data.y[index].to(x.device), self.data.n_classes)
        return Task(Examples(x[:, :0], y[:, :0]), Examples(x, y))

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw the rows of one task, and the changes of each image."""
        rows = rng.integers(len(self.data.x), size=self.batch_size)
        return rows, _changes(rng, self.batch_size, self.warp, self.augment)


def shared_out(n: int, shares: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Return whole numbers in proportion to shares, none above its own limit, that sum to n.

    They are rounded down first. Each further one goes to the number that is furthest below its share.

    Args:
        n: Sum, at most that of the limits.
        shares: Shares, which sum to 1.
        most: Limit of each number.

    >>> shared_out(10, np.array([0.7, 0.2, 0.1]), np.array([9, 9, 9])).tolist()
    [7, 2, 1]
    >>> shared_out(10, np.array([0.7, 0.2, 0.1]), np.array([4, 9, 9])).tolist()
    [4, 4, 2]
    """
    result: np.ndarray = np.minimum(np.floor(n * shares).astype(most.dtype), most)
    for _ in range(n - int(result.sum())):
        result[np.where(result < most, n * shares - result, -np.inf).argmax()] += 1
    return result


def _changes(rng: np.random.Generator, n: int, warp: bool, augment: bool) -> np.ndarray:
    """Draw how n images are warped and augmented, (n, 7 numbers, 6 numbers, or both)."""
    return rng.uniform(-1, 1, (n, 7 * warp + 6 * augment))


def _changed(x: Tensor, changes: np.ndarray, warp: bool, augment: bool) -> Tensor:
    """Warp and augment images of several tasks, (tasks, n, channels, height, width), by changes (tasks, n, numbers)."""
    images, by = x.flatten(0, 1), torch.from_numpy(changes).to(x).flatten(0, 1)
    if warp:
        images = warped(images, by[:, :7])
    if augment:
        images = augmented(images, by[:, -6:])
    return images.view_as(x)


def take(x: Tensor, rows: Tensor) -> Tensor:
    """Return rows of a tensor by an index of any shape.

    ``index_select`` copies whole rows, three times as fast as ``x[rows]``.

    >>> take(torch.tensor([5, 6, 7]), torch.tensor([[2, 0]]))
    tensor([[7, 5]])
    """
    return x.index_select(0, rows.flatten().to(x.device)).view(*rows.shape, *x.shape[1:])
