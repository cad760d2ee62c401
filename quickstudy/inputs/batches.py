"""Encoding of many items in batches, with or without the ones that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs, Item

T = TypeVar("T")
BATCH = 64
"""Number of items that are encoded and classified at once."""
Skip = Callable[[DataError], object]
"""Function that is called with the error of each item that cannot be read, which is then left out."""


def encoded_batches(
    inputs: Inputs, items: Sequence[Item], skip: Skip | None = None, size: int = BATCH
) -> Iterator[tuple[Sequence[int], Tensor]]:
    """Yield the numbers of the items of each batch, from 0, and the encoded inputs.

    Args:
        inputs: Inputs that encode the items.
        items: Items to encode.
        skip: See ``Skip``; if None, the first item that cannot be read raises its error.
        size: Number of items per batch.

    Raises:
        DataError: An item cannot be read, and there is no ``skip``.

    >>> from quickstudy.inputs.arrays import Arrays
    >>> errors = []
    >>> items = [Item("a", [1.0]), Item("b", "no array"), Item("c", [2.0])]
    >>> [list(rows) for rows, _ in encoded_batches(Arrays((1,)), items, errors.append)]
    [[0, 2]]
    """
    for start in range(0, len(items), size):
        rows: Sequence[int] = range(start, min(start + size, len(items)))
        try:
            x = inputs.encode([items[i] for i in rows])
        except DataError:
            if skip is None:
                raise
            rows, parts = [], []
            for i in range(start, min(start + size, len(items))):
                try:
                    parts.append(inputs.encode([items[i]]))
                    rows.append(i)
                except DataError as error:
                    skip(error)
            if not rows:
                continue
            x = torch.cat(parts)
        yield rows, x


def grouped(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield things in lists of a size; the last one may be shorter.

    >>> list(grouped("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(things)
    while group := list(islice(rest, size)):
        yield group
