"""Items of a torch dataset, read when a task wants them: data need not be one tensor in memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from quickstudy.errors import DataError, one_line
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.tasks.tree import Tree, tree_map


class Labelled(Protocol):
    """What ``torch.utils.data.Dataset`` of pairs (input, label) offers."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


class Items:
    """Inputs of a dataset by their numbers.

    Args:
        dataset: Gives (input, label) for a number; an input is a tensor, an array, or a tuple or dictionary of them.
        cache: Keep every input in memory once it was read.
        threads: Threads that read the inputs of a task; 0 reads in the caller's.
    """

    def __init__(self, dataset: Labelled, *, cache: bool = True, threads: int = 0) -> None:
        self.dataset, self.cache, self.threads = dataset, cache, threads
        self._read: dict[int, Any] = {}

    def __call__(self, numbers: Tensor) -> Tree:
        """Return the inputs of a batch of tasks, (tasks, n) numbers -> tensors (tasks, n, *input).

        Raises:
            DataError: Inputs cannot be stacked, for they are no tensors or their shapes differ.
        """
        wanted = numbers.flatten().tolist()
        missing = [i for i in dict.fromkeys(wanted) if i not in self._read]
        if self.threads:
            with ThreadPoolExecutor(self.threads) as pool:
                found = dict(zip(missing, pool.map(self._one, missing), strict=True))
        else:
            found = {i: self._one(i) for i in missing}
        if self.cache:
            self._read |= found
        known = self._read | found
        try:
            x = default_collate([known[i] for i in wanted])
        except (TypeError, RuntimeError) as error:
            reason = one_line(error)
            raise DataError(
                f"inputs of the dataset cannot be stacked ({reason}); let it give tensors of one shape, by a transform"
            ) from error
        return tree_map(lambda t: t.unflatten(0, tuple(numbers.shape)), x)

    def _one(self, i: int) -> Any:
        return self.dataset[i][0]


def labels_of(dataset: Labelled) -> Sequence[Any]:
    """Return the label of every item: the dataset's ``targets`` or ``labels``, or else read once from its items."""
    for name in ("targets", "labels"):
        given = getattr(dataset, name, None)
        if given is not None and len(given) == len(dataset):
            return list(np.asarray(given).tolist())
    return [item.item() if isinstance(item, Tensor) else item for item in (dataset[i][1] for i in range(len(dataset)))]


def numbered(labels: Sequence[Any], classes: Sequence[Any] | None) -> ClassDataset:
    """Return the numbers of items, grouped by their labels.

    Args:
        labels: Of every item.
        classes: Labels to keep; all if None.

    Raises:
        DataError: A class has no item.

    >>> numbered(["b", "a", "b"], ["b"]).x
    tensor([0, 2])
    """
    kept = set(labels) if classes is None else set(classes)
    if missing := sorted(map(str, kept.difference(labels))):
        raise DataError(
            f"no item of the dataset is of class {missing[0]!r}; known are {sorted(set(map(str, labels)))[:9]}"
        )
    rows = [i for i, label in enumerate(labels) if label in kept]
    return ClassDataset.from_labels(torch.tensor(rows), [str(labels[i]) for i in rows])
