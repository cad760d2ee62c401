"""Basic types: a task is a small data set (support) and questions about it (query)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from quickstudy.errors import DataError
from quickstudy.tasks.tree import Tree, leaves, rows, tree_map


class Examples(NamedTuple):
    """Inputs and their targets, one row per example.

    The width of ``y`` is the number of classes, so a learner knows it from a shape. This also works under ``vmap``,
    where values cannot be read, and for classes without an example in a task. Learners, ``train`` and ``evaluate``
    convert class indices to such rows (see ``with_rows``).

    Attributes:
        x: Inputs, (n, *input), or a tuple, list or dictionary of tensors with a common first axis, such as token ids
            and their mask. A net receives them unchanged.
        y: Targets, (n, n_way) one-hot rows, or (n, d) real numbers.

    >>> support = Examples(torch.rand(4, 8), torch.eye(2).repeat(2, 1))  # 4 examples of 8 numbers, 2 classes
    >>> support.x.shape, support.y[1]
    (torch.Size([4, 8]), tensor([0., 1.]))
    """

    x: Tree
    y: Tensor

    def at(self, index: int | slice | list[int] | Tensor) -> Examples:
        """Return the chosen examples.

        >>> Examples(torch.arange(3), torch.eye(3)).at(slice(2)).x
        tensor([0, 1])
        """
        return Examples(rows(self.x, index), self.y[index])

    def without(self, i: int) -> Examples:
        """Return all examples but one.

        >>> Examples(torch.arange(3), torch.eye(3)).without(1).x
        tensor([0, 2])
        """
        return self.at(torch.arange(len(self.y), device=self.y.device) != i)


class Task(NamedTuple):
    """One task, or a batch of tasks with one more leading axis in every tensor.

    Attributes:
        support: Examples that the inner loop learns from.
        query: Examples that the adapted predictor answers.

    >>> support, query = Examples(torch.rand(4, 8), torch.eye(4)), Examples(torch.rand(6, 8), torch.eye(6, 4))
    >>> Task(support, query).query.x.shape
    torch.Size([6, 8])
    """

    support: Examples
    query: Examples

    def __len__(self) -> int:
        """Return the number of tasks of a batch."""
        return len(self.support.y)

    def at(self, i: int | slice | list[int]) -> Task:
        """Return task ``i`` of a batch, or several as a batch."""
        return Task(self.support.at(i), self.query.at(i))


def one_hot(labels: Tensor, n_way: int) -> Tensor:
    """Return class indices as one-hot rows.

    >>> one_hot(torch.tensor([1, 0]), 2)
    tensor([[0., 1.],
            [1., 0.]])
    """
    return torch.nn.functional.one_hot(labels.long(), n_way).to(torch.get_default_dtype())


def check_tensors(*parts: Examples) -> None:
    """Refuse examples whose inputs or targets are not tensors, such as NumPy's arrays.

    Raises:
        DataError: An input or the targets are not a tensor.
    """
    for x, y in parts:
        check_leaves("inputs", leaves(x))
        check_leaves("targets", [y])


def check_leaves(name: str, values: Iterable[object]) -> None:
    """Refuse values that are not tensors.

    Args:
        name: Word for the values in the message, such as "inputs".
        values: Values to check.

    Raises:
        DataError: A value is not a tensor.
    """
    for value in values:
        if not isinstance(value, Tensor):
            raise DataError(
                f"{name} are of type {type(value).__name__}, but a learner takes tensors; give torch.as_tensor({name})"
            )


def with_rows(*parts: Examples, axes: int = 1) -> tuple[Examples, ...]:
    """Return the examples with a row per target; class indices become one-hot rows of one width.

    The number of classes is that of rows, or else one more than the largest index of all parts.

    Args:
        parts: Support and query of one task, or of a batch of tasks.
        axes: Number of axes before those of one target: 1 for one task, 2 for a batch of tasks.

    Raises:
        DataError: Inputs or targets are no tensors, or their numbers differ. An index is below 0 or beyond the rows.
            Or real targets are not of shape (n, d).

    >>> with_rows(Examples(torch.zeros(2, 4), torch.tensor([1, 0])))[0].y
    tensor([[0., 1.],
            [1., 0.]])
    """
    check_tensors(*parts)
    for x, y in parts:
        shape = y.shape[:axes]
        for t in leaves(x):
            if t.shape[:axes] != shape:
                raise DataError(f"{list(t.shape[:axes])} inputs but {list(shape)} targets; give one target per input")
        if y.is_floating_point() and y.ndim == axes:
            raise DataError(f"targets have shape {list(y.shape)}, but real targets are (n, d); give y.unsqueeze(-1)")
    if all(y.is_floating_point() for _, y in parts):
        return parts
    widths = {y.shape[-1] for _, y in parts if y.ndim > axes}
    indices = torch.cat([*(y.flatten() for _, y in parts if y.ndim == axes), torch.empty(0, dtype=torch.int64)])
    least, most = (int(indices.min()), int(indices.max())) if len(indices) else (0, -1)
    if least < 0:
        raise DataError(f"class index {least} is below 0; number the classes of a task from 0")
    n_way = max(widths, default=most + 1)
    if most >= n_way:
        raise DataError(f"class index {most}, but the rows have {n_way} classes; number the classes of a task from 0")
    dtype = torch.get_default_dtype()
    return tuple(  # rows of integers are what torch's one_hot returns
        Examples(x, one_hot(y, n_way) if y.ndim == axes else y if y.is_floating_point() else y.to(dtype))
        for x, y in parts
    )


@dataclass(frozen=True)
class UnequalTasks:
    """Tasks of different ways and shots, which no batch can hold.

    Attributes:
        tasks: Single tasks, without the axis of a batch.

    >>> small, large = (Task(*[Examples(torch.eye(n), torch.eye(n))] * 2) for n in (2, 3))
    >>> [(numbers, len(group)) for numbers, group in UnequalTasks((small, large, small)).groups()]
    [([0, 2], 2), ([1], 1)]
    """

    tasks: tuple[Task, ...]

    def __len__(self) -> int:
        """Return the number of tasks."""
        return len(self.tasks)

    def at(self, i: slice | list[int]) -> UnequalTasks:
        """Return several of the tasks."""
        return UnequalTasks(self.tasks[i] if isinstance(i, slice) else tuple(self.tasks[each] for each in i))

    def groups(self, as_rows: Callable[..., tuple[Examples, ...]] = with_rows) -> list[tuple[list[int], Task]]:
        """Return the tasks of each size as a batch, with their numbers.

        Args:
            as_rows: Function that makes a task's targets rows, as ``with_rows``: the shape of indices hides the way.
        """
        tasks = [Task(*as_rows(*task)) for task in self.tasks]
        numbers: dict[tuple[torch.Size, ...], list[int]] = {}
        for i, task in enumerate(tasks):
            shapes = tuple(t.shape for part in task for t in (*leaves(part.x), part.y))
            numbers.setdefault(shapes, []).append(i)
        return [(each, stacked([tasks[i] for i in each])) for each in numbers.values()]


def stacked(tasks: Sequence[Task]) -> Task:
    """Return tasks of one size as a batch.

    >>> stacked([Task(*[Examples(torch.zeros(2, 3), torch.eye(2))] * 2)] * 4).query.x.shape
    torch.Size([4, 2, 3])
    """
    parts: list[Examples] = []
    for each in zip(*tasks, strict=True):
        x: Tree = tree_map(lambda *t: torch.stack(t), *(part.x for part in each))
        parts.append(Examples(x, torch.stack([part.y for part in each])))
    return Task(*parts)


def grouped(
    batch: Task | UnequalTasks, as_rows: Callable[..., tuple[Examples, ...]] = with_rows
) -> list[tuple[list[int], Task]]:
    """Return batches of tasks of one size, with rows as targets, and the numbers of their tasks; a batch is one group.

    Args:
        batch: Tasks with class indices or rows as targets.
        as_rows: Function that makes targets rows, such as a learner's ``with_rows``.
    """
    if isinstance(batch, UnequalTasks):
        return batch.groups(as_rows)
    if not len(batch):  # the share of a process, if there are more processes than tasks
        return []
    return [(list(range(len(batch))), Task(*as_rows(*batch, axes=2)))]


class TaskSource(Protocol):
    """A distribution of tasks. ``sample`` is a pure function: the same step gives the same tasks."""

    def sample(self, step: int, n_tasks: int) -> Task:
        """Return tasks 0 .. n_tasks - 1 of a step, as one batch."""
        ...


class UnequalSource(Protocol):
    """A distribution of tasks of different sizes, such as ``quickstudy.tasks.varied.VariedEpisodes``."""

    def sample(self, step: int, n_tasks: int) -> UnequalTasks:
        """Return tasks 0 .. n_tasks - 1 of a step."""
        ...


AnySource = TaskSource | UnequalSource
"""Source of tasks of one size or of different sizes."""
