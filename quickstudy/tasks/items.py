"""Items of a torch dataset, read when a task needs them, so that data need not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, default_collate

from quickstudy.errors import DataError, SettingError, one_line
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

    Ten items over the dataset are compared with the attribute. If the dataset has a ``target_transform``, so is one
    item of each class. If a label differs, the labels of all items are read; without such a transform, names may stand
    for numbers. A one-hot row is returned as the number of its class.

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
    n = len(dataset)
    for name in ("targets", "labels"):
        with suppress(DataError):  # an attribute that holds no classes is ignored
            known = [_class(label, i) for i, label in enumerate(_sequence(getattr(dataset, name, None)))]
            if len(known) == n and _agree(dataset, known):
                return known
    return [_class(_label(dataset[i], i), i) for i in range(n)]


def _sequence(given: Any) -> list[Any]:
    """Return the value of an attribute as a list, empty if it is no sequence, such as a method or a dictionary."""
    if isinstance(given, Tensor | np.ndarray):
        return given.tolist() if given.ndim else []
    indexed = hasattr(given, "__len__") and hasattr(given, "__getitem__")
    return list(given) if indexed and not isinstance(given, str | bytes | Mapping | type) else []


def _compared(dataset: Labelled, known: Sequence[Any]) -> set[int]:
    """Return which items are compared with an attribute: ten, and one of each class if a transform changes labels."""
    spread = set(np.linspace(0, len(known) - 1, min(len(known), 10)).round().astype(int).tolist())
    changed = getattr(dataset, "target_transform", None) is not None
    return spread | set({label: i for i, label in enumerate(known)}.values()) if changed else spread


def _agree(dataset: Labelled, known: Sequence[Any]) -> bool:
    """Return whether known labels are those that items give; names may stand for numbers."""
    pairs = [(known[i], own) for i in _compared(dataset, known) if (own := _own(dataset, i)) is not None]
    changed = getattr(dataset, "target_transform", None) is not None
    return all(a == b or (not changed and isinstance(a, str) != isinstance(b, str)) for a, b in pairs)


def _own(dataset: Labelled, i: int) -> Any:
    """Return the label that an item gives, None if it is no pair of input and class, or cannot be read."""
    try:
        item = dataset[i]
    except Exception:  # any exception may come from the dataset; the item may be in none of the classes that are used
        return None
    _input(item, i)
    if hasattr(item, "__len__") and len(item) != 2:
        return None
    with suppress(DataError):
        return _class(_part(item, 1, i), i)
    return None


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


def _class(label: Any, i: int, noun: str = "the label of item") -> Any:
    value = label.tolist() if isinstance(label, Tensor | np.ndarray | np.generic) else label
    if isinstance(value, list) and len(value) == 1:
        return _class(value[0], i, noun)
    if isinstance(value, list) and value.count(1) == 1 and value.count(0) == len(value) - 1:
        return value.index(1)
    try:
        hash(value)
        missing = value is None or bool(value != value)
    except TypeError as error:  # a list, a dictionary, or pandas.NA, which is neither equal nor unequal
        raise DataError(
            f"{noun} {i} is {one_line(value, 60)}, which is no class; give a number, a string or a one-hot row"
        ) from error
    if missing:
        raise DataError(f"{noun} {i} is {value}, which is no class; leave that item out or give it one")
    return value


def numbered(labels: Sequence[Any], classes: Iterable[Any] | None) -> ClassDataset:
    """Return the numbers of items, grouped by their labels; equal numbers, such as 0 and 0.0, are one class.

    Args:
        labels: Label of every item.
        classes: Labels to use; all if None.

    Raises:
        DataError: A class has no item, or a number and a string are written alike.
        SettingError: ``classes`` is no list.

    >>> numbered(["b", "a", "b"], ["b"]).x
    tensor([0, 2])
    """
    names = {label: str(label) for label in dict.fromkeys(labels)}  # named as where it is first
    if classes is not None:
        if isinstance(classes, str | bytes) or not hasattr(classes, "__iter__") or getattr(classes, "ndim", 1) == 0:
            raise SettingError(f"classes={classes!r} is one label, but a list of labels is needed; write [{classes!r}]")
        chosen = {_class(label, i, "classes: label") for i, label in enumerate(classes)}
        if missing := sorted(map(repr, chosen - names.keys())):
            raise DataError(f"no item of the dataset has the class {missing[0]}; use some of {list(names)[:9]}")
        names = {label: name for label, name in names.items() if label in chosen}
    first: dict[str, Any] = {}
    for label, name in names.items():
        if (other := first.setdefault(name, label)) != label:
            raise DataError(f"classes {other!r} and {label!r} have the same name; give labels of one type")
    rows = [i for i, label in enumerate(labels) if label in names]
    return ClassDataset.from_labels(torch.tensor(rows), [names[labels[i]] for i in rows])
