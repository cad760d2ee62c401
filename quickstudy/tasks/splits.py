"""Classes for training, for validation and for the test: three sets that never meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from quickstudy.errors import NotEnoughClasses
from quickstudy.inputs.dataset import ClassDataset

Split = Literal["train", "validation", "test"]


class Splits(NamedTuple):
    """A data set cut into three by class: learn from train, choose by validation, report test.

    >>> Splits._fields
    ('train', 'validation', 'test')
    """

    train: ClassDataset
    validation: ClassDataset
    test: ClassDataset


def split_classes(data: ClassDataset, sizes: Sequence[int], seed: int | None = 0) -> Splits:
    """Cut by class into train, validation and test of the sizes given.

    Args:
        data: What to cut.
        sizes: Number of classes of train, validation and test.
        seed: Of the shuffle before the cut; None keeps the order of the classes.

    Raises:
        NotEnoughClasses: The sizes add up to more classes than there are.

    >>> import torch
    >>> data = ClassDataset.from_labels(torch.zeros(4, 1), list("abcd"))
    >>> split_classes(data, (2, 1, 1), seed=None).test.names
    ('d',)
    """
    if sum(sizes) > data.n_classes:
        raise NotEnoughClasses(
            f"a split into {'/'.join(map(str, sizes))} classes needs {sum(sizes)}, but there are {data.n_classes}; "
            f"lower the sizes"
        )
    order = np.arange(data.n_classes)
    if seed is not None:
        np.random.default_rng([seed, data.n_classes]).shuffle(order)
    first, second, third = np.split(order[: sum(sizes)], np.cumsum(sizes)[:2])
    return Splits(data.select(first), data.select(second), data.select(third))


def split_in_fifths(data: ClassDataset, seed: int = 0) -> Splits:
    """Cut by class into three fifths to train, one to validate and one to test, at least one class each.

    Raises:
        NotEnoughClasses: There are fewer than three.

    >>> import torch
    >>> data = ClassDataset.from_labels(torch.zeros(10, 1), list("abcdefghij"))
    >>> [part.n_classes for part in split_in_fifths(data)]
    [6, 2, 2]
    """
    held = max(1, round(data.n_classes / 5))
    return split_classes(data, (max(1, data.n_classes - 2 * held), held, held), seed)
