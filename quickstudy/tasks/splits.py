"""Splits by class: disjoint sets of classes for training, validation and the test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch

from quickstudy.errors import NotEnoughClasses, SettingError
from quickstudy.inputs.dataset import ClassDataset

FIFTHS = (0.6, 0.2, 0.2)
"""Shares of the classes for train, validation and test."""
Split = Literal["train", "validation", "test"]


class Splits(NamedTuple):
    """A data set split by class into train, validation (to choose by) and test (to report).

    Attributes:
        train: Classes to train on.
        validation: Classes to choose settings and weights by.
        test: Classes to report results on.

    >>> Splits._fields
    ('train', 'validation', 'test')
    """

    train: ClassDataset
    validation: ClassDataset
    test: ClassDataset


def split_classes(data: ClassDataset, sizes: Sequence[int], seed: int | None = 0) -> Splits:
    """Split by class into train, validation and test with given numbers of classes.

    Args:
        data: Data set to split.
        sizes: Number of classes of train, validation and test.
        seed: Seed of the shuffle before the split; None keeps the order of the classes.

    Raises:
        NotEnoughClasses: The sum of the sizes is larger than the number of classes.

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


def cut_labels(labels: Sequence[str], seed: int = 0) -> Splits:
    """Return the numbers of rows with labels as splits, by the rule of ``cut``.

    >>> cut_labels(["a", "b", "c", "b"]).train.n_classes
    1
    """
    return cut(ClassDataset.from_labels(torch.arange(len(labels)), labels), seed=seed)


def cut(data: ClassDataset, sizes: Sequence[float] = FIFTHS, seed: int = 0) -> Splits:
    """Split by class into train, validation and test, after a shuffle: the rule for data sets without splits.

    Args:
        data: Data set to split.
        sizes: Shares of the classes. Those of validation and test are rounded, to at least one class if a share is
            above 0; train gets the rest.
        seed: Seed of the shuffle.

    Raises:
        NotEnoughClasses: There are fewer classes than sets.
        SettingError: Shares are negative, or their sum is not 1.

    >>> import torch
    >>> data = ClassDataset.from_labels(torch.zeros(10, 1), list("abcdefghij"))
    >>> [part.n_classes for part in cut(data)]
    [6, 2, 2]
    """
    if len(sizes) != 3 or not min(sizes) >= 0 or not abs(sum(sizes) - 1) < 1e-6:
        raise SettingError(f"sizes={tuple(sizes)}: give three shares of 0 or more that add up to 1")
    validation, test = (max(1, round(share * data.n_classes)) if share else 0 for share in sizes[1:])
    train = max(1, data.n_classes - validation - test) if sizes[0] else 0
    return split_classes(data, (train, validation, test), seed)
