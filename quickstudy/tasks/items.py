"""Items of a torch dataset, read when a task needs them, so that data need not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, default_collate

from quickstudy.errors import DataError, one_line
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.tasks.tree import Tree, leaves, tree_map


class Labelled(Protocol):
    """Interface of a map-style ``torch.utils.data.Dataset`` of pairs (input, label)."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


class Items:
    """Inputs of a dataset, by their numbers.

    Args:
        dataset: Dataset that returns (input, label) for a number. An input is a tensor, an array, or a tuple or
            dictionary of them.
        cache: Keep every input in memory after it was read.
        threads: Number of threads that read the inputs of a task; 0 reads in the calling thread.
    """

    def __init__(self, dataset: Labelled, *, cache: bool = True, threads: int = 0) -> None:
        self.dataset, self.cache, self.threads = dataset, cache, threads
        self._read: dict[int, Any] = {}

    def __call__(self, numbers: Tensor) -> Tree:
        """Return the inputs of a batch of tasks, (tasks, n) numbers -> tensors (tasks, n, *input).

        Raises:
            DataError: An item is no pair, or inputs cannot be stacked: they are not tensors, or their shapes differ.
        """
        wanted = numbers.flatten().tolist()
        missing = [i for i in dict.fromkeys(wanted) if i not in self._read]
        if self.threads:
            with ThreadPoolExecutor(self.threads) as pool:
                inputs = dict(zip(missing, pool.map(self._one, missing), strict=True))
        else:
            inputs = {i: self._one(i) for i in missing}
        if self.cache:
            self._read |= inputs
        known = self._read | inputs
        try:
            x = default_collate([known[i] for i in wanted])
        except (TypeError, RuntimeError) as error:
            reason = one_line(error)
            raise DataError(
                f"inputs of the dataset cannot be stacked ({reason}); let a transform make tensors of one shape"
            ) from error
        return tree_map(lambda t: t.unflatten(0, tuple(numbers.shape)), x)

    def _one(self, i: int) -> Any:
        return _input(self.dataset[i], i)


def labels_of(dataset: Labelled) -> Sequence[Any]:
    """Return the label of every item: the dataset's ``targets`` or ``labels``, or else those read from its items.

    A one-hot row is returned as the number of its class.

    Raises:
        DataError: The dataset has no length, an item is no pair or its input is a string, or a label is no class.

    >>> labels_of([([0.5], "b"), ([0.1], torch.tensor([0, 1, 0]))])
    ['b', 1]
    """
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
        raise DataError(
            f"{type(dataset).__name__} is read in one order alone, but tasks choose items by number; give a map-style "
            f"dataset, such as list(dataset)"
        )
    for name in ("targets", "labels"):
        given = getattr(dataset, name, None)
        if given is not None and len(given) == len(dataset):
            labels = given.tolist() if hasattr(given, "tolist") else given
            return [_class(label, i) for i, label in enumerate(labels)]
    return [_class(_label(dataset[i], i), i) for i in range(len(dataset))]


def _label(item: Any, i: int) -> Any:
    _input(item, i)  # an unusable input is refused before the first task
    return _part(item, 1, i)


def _input(item: Any, i: int) -> Any:
    x = _part(item, 0, i)
    if any(isinstance(leaf, str | bytes) for leaf in leaves(x)):
        raise DataError(f"the input of item {i} is or contains a string; give tensors of one shape, such as token ids")
    return x


def _part(item: Any, part: int, i: int) -> Any:
    try:
        return item[part]
    except (IndexError, KeyError, TypeError) as error:
        raise DataError(
            f"item {i} of the dataset is a {type(item).__name__}, but a pair (input, label) is needed; make pairs, "
            f"such as [(item['x'], item['label']) for item in dataset]"
        ) from error


def _class(label: Any, i: int) -> Any:
    value = label.tolist() if isinstance(label, Tensor | np.ndarray | np.generic) else label
    if isinstance(value, list) and len(value) == 1:
        return _class(value[0], i)
    if isinstance(value, list) and value.count(1) == 1 and value.count(0) == len(value) - 1:
        return value.index(1)
    if isinstance(value, list | dict):
        raise DataError(
            f"the label of item {i} is {one_line(value, 60)}, which is no class; give a number, a string or a "
            f"one-hot row"
        )
    return value


def numbered(labels: Sequence[Any], classes: Sequence[Any] | None) -> ClassDataset:
    """Return the numbers of items, grouped by their labels.

    Args:
        labels: Label of every item.
        classes: Labels to use; all if None.

    Raises:
        DataError: A class has no item.

    >>> numbered(["b", "a", "b"], ["b"]).x
    tensor([0, 2])
    """
    chosen = set(labels) if classes is None else set(classes)
    if missing := sorted(map(str, chosen.difference(labels))):
        raise DataError(
            f"no item of the dataset has the class {missing[0]!r}; use one of {sorted(set(map(str, labels)))[:9]}"
        )
    rows = [i for i, label in enumerate(labels) if label in chosen]
    return ClassDataset.from_labels(torch.tensor(rows), [str(labels[i]) for i in rows])
