"""Examples in memory, grouped by class, from which episodes are sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from quickstudy.errors import DataError, listed, one_line
from quickstudy.inputs.base import Inputs, Item, native


@dataclass(frozen=True)
class ClassDataset:
    """Labelled examples, sorted by class.

    Attributes:
        x: Inputs, (n, *input): uint8 images (n, channels, height, width), or float features. Row ``i`` belongs to
            class ``y[i]``; rows of a class are contiguous.
        y: Class of each row, (n,) int64, in ascending order in [0, n_classes); every class is present.
        names: Name of each class, unique.
        items: Item of each row; empty if the items are not known.

    Raises:
        DataError: Lengths differ, a class is empty, labels are not in ascending order, or inputs are NaN or infinite.

    >>> data = ClassDataset.from_labels(torch.rand(4, 8), ["b", "a", "b", "a"])
    >>> data.names, data.y.tolist(), data.x.shape
    (('a', 'b'), [0, 0, 1, 1], torch.Size([4, 8]))
    """

    x: Tensor
    y: Tensor
    names: tuple[str, ...]
    items: tuple[Item, ...] = ()

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise DataError(f"{len(self.x)} inputs but {len(self.y)} labels; give one label per input")
        if len(self.items) not in (0, len(self.x)):
            raise DataError(f"{len(self.x)} inputs but {len(self.items)} items; give one item per input, or none")
        if len(set(self.names)) != len(self.names):
            repeated = next(name for name in self.names if self.names.count(name) > 1)
            raise DataError(f"two classes are named {repeated!r}; give every class another name")
        least, most = (int(self.y.min()), int(self.y.max())) if len(self.y) else (0, -1)
        counted = least >= 0 and most == len(self.names) - 1  # counting a huge label would need too much memory
        if not counted or not bool((torch.bincount(self.y, minlength=len(self.names)) > 0).all()):
            raise DataError(f"{len(self.names)} class names for labels {least}..{most}; every class needs examples")
        if not bool((self.y.diff() >= 0).all()):
            raise DataError("labels are not in ascending order; build the data set with ClassDataset.from_labels")
        if self.x.is_floating_point() and not bool(torch.isfinite(self.x).all()):
            row = int((~torch.isfinite(self.x.flatten(1)).all(1)).nonzero()[0, 0])
            raise DataError(
                f"row {row} (class {self.names[int(self.y[row])]!r}) holds NaN or infinity; clean it or drop it"
            )

    @classmethod
    def from_labels(
        cls, x: Tensor | np.ndarray, labels: Sequence[object] | np.ndarray | Tensor, items: Sequence[Item] = ()
    ) -> ClassDataset:
        """Group inputs by their labels: strings, or numbers, which need not start at 0.

        Raises:
            DataError: Lengths differ, a label is missing, or labels are not all strings or all numbers.

        >>> ClassDataset.from_labels(torch.zeros(3, 2), ["b", "a", "b"]).names
        ('a', 'b')
        """
        names, y = sorted_classes(labels)
        order = np.argsort(y, kind="stable")
        x = torch.as_tensor(native(x))
        if len(x) != len(y):
            raise DataError(f"{len(x)} inputs but {len(y)} labels; give one label per input")
        if len(items) not in (0, len(y)):
            raise DataError(f"{len(y)} labels but {len(items)} items; give one item per label, or none")
        rows = torch.from_numpy(order)
        ordered = tuple(items[i] for i in order.tolist()) if items else ()
        return cls(x[rows], torch.from_numpy(y[order]), tuple(str(name) for name in names), ordered)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.names)

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of examples of each class, (n_classes,)."""
        return np.bincount(self.y.cpu().numpy(), minlength=self.n_classes)

    @cached_property
    def starts(self) -> np.ndarray:
        """First row of each class, (n_classes,)."""
        return np.concatenate([[0], self.counts.cumsum()[:-1]])

    def select(self, classes: Sequence[int] | np.ndarray) -> ClassDataset:
        """Return the data set of some classes, in the order given.

        >>> data = ClassDataset.from_labels(torch.arange(4.).view(4, 1), list("aabc"))
        >>> data.select([2, 0]).names
        ('c', 'a')
        """
        rows = [np.arange(self.starts[c], self.starts[c] + self.counts[c]) for c in classes]
        index = torch.from_numpy(np.concatenate(rows)) if rows else torch.empty(0, dtype=torch.int64)
        counts = torch.from_numpy(self.counts[np.asarray(classes, dtype=np.int64)])
        y = torch.repeat_interleave(torch.arange(len(counts)), counts)
        items = tuple(self.items[i] for i in index.tolist()) if self.items else ()
        return ClassDataset(self.x[index], y, tuple(self.names[c] for c in classes), items)

    def to(self, device: str | torch.device) -> ClassDataset:
        """Return the same data with its inputs on a device."""
        return ClassDataset(self.x.to(device), self.y, self.names, self.items)


def sorted_classes(
    labels: Sequence[object] | np.ndarray | Tensor,
) -> tuple[Sequence[object] | np.ndarray, np.ndarray]:
    """Return the different labels, sorted, and the number of each label among them.

    Raises:
        DataError: A label is missing or is not one value, or labels cannot be compared, such as strings and numbers.

    >>> sorted_classes(["b", "a", "b"])
    (['a', 'b'], array([1, 0, 1]))
    """
    strings = [isinstance(label, str) for label in labels]
    if all(strings):
        # An array of strings would drop null characters at their ends, and give each the memory of the longest.
        names = sorted(set(labels))
        number = {name: c for c, name in enumerate(names)}
        return names, np.array([number[label] for label in labels], dtype=np.int64)
    if any(strings):
        i = strings.index(False)
        raise DataError(
            f"label {i} is {one_line(repr(labels[i]), 60)}, but others are strings; give labels of one type"
        )
    try:
        array = np.asarray(labels)
        if array.ndim != 1:
            raise ValueError
    except ValueError as error:  # rows of different lengths make no array
        raise DataError(
            f"label 0 is {one_line(next(iter(labels)), 60)}, but one number or string per input is needed; give "
            f"numbers, such as labels.argmax(1) of one-hot rows"
        ) from error
    try:
        missing = [i for i, label in enumerate(array.tolist()) if label is None or label != label]
        if missing:
            raise DataError(f"label {missing[0]} is {array[missing[0]]}; give that input a class or leave it out")
        return np.unique(array, return_inverse=True)
    except TypeError as error:
        types = listed(sorted({type(label).__name__ for label in array.tolist()}))
        raise DataError(f"labels of type {types} cannot be compared; give strings or numbers") from error


def joined(first: ClassDataset, second: ClassDataset) -> ClassDataset:
    """Return the classes of both data sets, whose inputs have the same shape.

    >>> a, b = (ClassDataset.from_labels(torch.zeros(1, 2), [name]) for name in "ab")
    >>> joined(a, b).names
    ('a', 'b')
    """
    y = torch.cat([first.y, second.y + first.n_classes])
    items = first.items + second.items if first.items and second.items else ()
    return ClassDataset(torch.cat([first.x, second.x]), y, first.names + second.names, items)


def rotated_classes(data: ClassDataset) -> ClassDataset:
    """Return each class four times, turned by 0, 90, 180 and 270 degrees: rotations become new classes.

    Apply it after splitting, so that a character and its rotations stay in one split.

    Args:
        data: Square images, (n, channels, size, size).

    >>> data = ClassDataset.from_labels(torch.zeros(2, 1, 3, 3), ["a", "b"])
    >>> rotated_classes(data).names[:3]
    ('a', 'b', 'a@90')
    """
    turned = [torch.rot90(data.x, k, (-2, -1)) for k in range(4)]
    names = [name if k == 0 else f"{name}@{90 * k}" for k in range(4) for name in data.names]
    y = torch.cat([data.y + k * data.n_classes for k in range(4)])
    return ClassDataset(torch.cat(turned), y, tuple(names))


def as_float(x: Tensor) -> Tensor:
    """Scale uint8 images to [0, 1]; return anything else unchanged.

    >>> as_float(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([0., 1.])
    """
    return x.to(torch.get_default_dtype()).div_(255) if x.dtype == torch.uint8 else x


def encoded(inputs: Inputs, labelled: Sequence[tuple[Item, str]]) -> ClassDataset:
    """Return labelled items as a data set, classes sorted by name.

    Raises:
        DataError: An item cannot be read.

    >>> from quickstudy.inputs.arrays import Arrays
    >>> encoded(Arrays((1,)), [(Item("first", [2.0]), "b"), (Item("second", [1.0]), "a")]).x.flatten().tolist()
    [1.0, 2.0]
    """
    # Sort before encoding: sorting the encoded inputs would copy what may be a gigabyte.
    labelled = sorted(labelled, key=lambda pair: pair[1])
    names = sorted({label for _, label in labelled})
    number = {name: c for c, name in enumerate(names)}
    y = torch.tensor([number[label] for _, label in labelled], dtype=torch.int64)
    items = tuple(item for item, _ in labelled)
    return ClassDataset(inputs.encode(items), y, tuple(names), items)
