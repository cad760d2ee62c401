"""Tables: rows of numbers and categories, encoded as vectors."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.rows import LABEL, SUFFIXES, labels_of, read_rows

_MAX_COLUMNS, _MAX_VALUES = 1000, 50
_FARTHEST = 10.0
"""Standard deviations at which a number is clipped, so that one mistyped number does not outweigh all others."""


@dataclass(frozen=True)
class Table(Inputs):
    """Rows of a table: numbers are standardised, categories are one-hot encoded.

    A missing number is replaced by the mean. A missing or unknown category is encoded as zeros.

    Attributes:
        numbers: Mean and standard deviation of each column of numbers, over the rows it was fitted on.
        categories: Values of each column of categories.

    Raises:
        SettingError: A deviation is not positive, or there are no columns or more than 1,000.

    >>> table = Table({"width": [2.0, 0.5]}, {"colour": ["blue", "red"]})
    >>> rows = {"width": "2.5", "colour": "red"}, {"width": "", "colour": "green"}
    >>> table.encode(table.items(rows))
    tensor([[1., 0., 1.],
            [0., 0., 0.]])
    """

    numbers: dict[str, list[float]]
    categories: dict[str, list[str]]

    noun: ClassVar[str] = "row"
    part: ClassVar[str] = "column"
    part_plural: ClassVar[str] = "columns"

    def __post_init__(self) -> None:
        for name, pair in self.numbers.items():
            if len(pair) != 2 or not all(map(math.isfinite, pair)) or pair[1] <= 0:
                raise SettingError(f"column {name!r} has mean and deviation {pair}; train again")
        if not 0 < len(self.numbers) + len(self.categories) <= _MAX_COLUMNS:
            raise SettingError(f"a table has 1 to {_MAX_COLUMNS} columns beside the label; choose among them")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded row, (n_features,)."""
        return (len(self.numbers) + sum(map(len, self.categories.values())),)

    @classmethod
    def takes(cls, value: Any) -> bool:
        """Return whether a value is a mapping."""
        return isinstance(value, Mapping)

    @property
    def recipe(self) -> str:
        """Description of how one vector is made."""
        return (
            f"For each column of numbers, in order: (value - mean) / deviation, cut at -{_FARTHEST:g} and "
            f"{_FARTHEST:g}, 0 where missing. Then for each value of each column of categories, in order: 1 where the "
            f"cell holds it, 0 otherwise."
        )

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Return whether the source is a file of rows."""
        return source.suffix.lower() in SUFFIXES

    @classmethod
    def fitted(cls, items: Sequence[Item]) -> Self:
        """Return the table for some rows. A column holds numbers if every value in it is a number or empty.

        Raises:
            DataError: A column of words has more than 50 values, too many for categories.

        >>> Table.fitted([Item("1", {"a": "1", "b": "x"}), Item("2", {"a": "3", "b": "y"})])
        Table(numbers={'a': [2.0, 1.0]}, categories={'b': ['x', 'y']})
        """
        numbers, categories = {}, {}
        for name in dict.fromkeys(name for item in items for name in _row(item)):
            if name is None or name == LABEL:
                continue
            try:
                column = _numbers(name, items)
            except DataError:
                values = Counter(word for word in _words(name, items) if word)
                if len(values) > _MAX_VALUES:
                    raise DataError(
                        f"column {name!r} has {len(values)} different values, too many for categories; leave it out"
                    ) from None
                categories[name] = sorted(values)
                continue
            if not np.isnan(column).all():
                numbers[name] = [float(np.nanmean(column)), float(np.nanstd(column)) or 1.0]
        return cls(numbers, categories)

    def open(self, source: str | Path | bytes) -> Iterator[Item]:
        """Yield the rows of a file, or of an uploaded CSV file."""
        name = "upload" if isinstance(source, bytes) else str(source)
        number = 0
        for number, row in enumerate(read_rows(source if isinstance(source, bytes) else Path(source)), 1):
            yield Item(f"{name} row {number}", row)
        if not number:
            raise DataError(f"{name!r} holds no rows; give at least one")

    @classmethod
    def labelled(cls, source: Path) -> list[tuple[Item, str]]:
        """Return the rows of a file with a column ``label``."""
        return labelled_rows(source)

    def encode(self, items: Sequence[Item]) -> Tensor:
        """Return rows as vectors, (n, n_features); an array of n_features numbers is unchanged."""
        if items and all(isinstance(item.value, np.ndarray | Tensor) for item in items):
            return Arrays(self.shape).encode(items)
        items = [Item(item.name, _row(item)) for item in items]
        columns = [_standard(_numbers(name, items), *pair) for name, pair in self.numbers.items()]
        for name, values in self.categories.items():
            words = _words(name, items)
            columns += [np.array([word == value for word in words], dtype=float) for value in values]
        return torch.from_numpy(np.stack(columns, 1)).to(torch.get_default_dtype())

    def keep(self, item: Item) -> bytes:
        """Return the columns of the row as JSON."""
        if isinstance(item.value, bytes):
            return item.value
        row = {name: _cell(name, item) for name in (*self.numbers, *self.categories)}
        return json.dumps({name: value if value is None else str(value) for name, value in row.items()}).encode()

    def caption(self, item: Item) -> str:
        """Return the row's name and its columns."""
        row = _row(Item(item.name, self.keep(item)))
        return f"{item.name}: " + ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)

    def parts(self, item: Item) -> Iterator[tuple[str, Item]]:
        """Yield each column, and the row in which it is empty."""
        row = _row(Item(item.name, self.keep(item)))
        for name in row:
            yield name, Item(item.name, row | {name: None})


def labelled_rows(source: Path) -> list[tuple[Item, str]]:
    """Return the rows of a file with a column ``label``.

    Raises:
        DataError: The file cannot be read, holds no rows, or a row has no label.
    """
    rows = list(read_rows(source))
    labels = labels_of(source, rows)
    return [(Item(f"{source} row {i}", row), label) for i, (row, label) in enumerate(zip(rows, labels, strict=True), 1)]


def _row(item: Item) -> Any:
    """Return the row of an item; a saved row is JSON."""
    if not isinstance(item.value, bytes):
        return item.value
    try:
        row = json.loads(item.value)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{item.name} is not a saved row; give its columns by name") from error
    if not isinstance(row, dict):
        raise DataError(f"{item.name} is not a saved row; give its columns by name")
    return row


def _cell(name: str, item: Item) -> Any:
    if not isinstance(item.value, Mapping) or name not in item.value:
        raise DataError(f"{item.name} has no column {name!r}, which others have; add it, empty where it is unknown")
    return item.value[name]


def _words(name: str, items: Sequence[Item]) -> list[str]:
    cells = [_cell(name, item) for item in items]
    return ["" if value is None else str(value).strip() for value in cells]


def _numbers(name: str, items: Sequence[Item]) -> np.ndarray:
    """Return the numbers of a column, NaN where a cell is empty."""
    column = []
    for item, value in zip(items, _words(name, items), strict=True):
        try:
            number = float(value) if value else math.nan
        except ValueError:
            number = math.inf
        if abs(number) > 1e30:  # its square must be finite too
            raise DataError(f"{item.name} has {value[:40]!r} in column {name!r}, which holds numbers; correct it")
        column.append(number)
    return np.array(column)


def _standard(column: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    return np.nan_to_num((column - mean) / deviation).clip(-_FARTHEST, _FARTHEST)
