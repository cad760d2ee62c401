"""Tables: rows of numbers and categories, encoded as vectors."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Item
from quickstudy.inputs.cells import has_comma, is_missing, number_of, word
from quickstudy.inputs.columns import categories_of, holds_numbers
from quickstudy.inputs.rows import (
    COMMON,
    LABEL,
    SUFFIXES,
    TEXT,
    Columns,
    RowInputs,
    all_rows,
    check_spelling,
    key_of,
    read_rows,
    values_of,
)

_MAX_COLUMNS = 1000
_FARTHEST = 10.0
"""Standard deviations at which a number is clipped, so that one mistyped number does not outweigh all others."""


@dataclass(frozen=True)
class Table(RowInputs):
    """Rows of a table: numbers are standardised, categories are one-hot encoded.

    A missing number is replaced by the mean. A missing or unknown category is encoded as zeros. Cells such as "", "NA",
    "n/a", "nan", "null", "-" and "?" are missing.

    Attributes:
        numbers: Mean and standard deviation of each column of numbers, over the rows it was fitted on.
        categories: Values of each column of categories.
        decimal_commas: Columns of numbers in which "1,5" is 1.5.

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
    decimal_commas: tuple[str, ...] = ()

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
            + (f" A comma is a decimal point in {', '.join(self.decimal_commas)}." if self.decimal_commas else "")
        )

    @classmethod
    def recognises(cls, source: Path, columns: Columns = COMMON) -> bool:
        """Return whether the source is a file of rows."""
        return source.suffix.lower() in SUFFIXES and columns.text == TEXT

    @classmethod
    def fitted(cls, items: Sequence[Item]) -> Self:
        """Return the table for some rows.

        A column holds numbers if at least nine tenths of its cells that are not missing are numbers. Otherwise it holds
        categories.

        Raises:
            DataError: A column of numbers has a cell that is not a number, or numbers whose thousands may be separated.
                A column of words has sentences, or more than 50 values.

        >>> Table.fitted([Item("1", {"a": "1", "b": "x"}), Item("2", {"a": "3", "b": "y"})])
        Table(numbers={'a': [2.0, 1.0]}, categories={'b': ['x', 'y']}, decimal_commas=())
        """
        numbers, categories, commas = {}, {}, {}
        for name in dict.fromkeys(name for item in items for name in _row(item)):
            cells = [(item.name, text) for item, text in zip(items, _words(name, items), strict=True)]
            cells = [(place, text) for place, text in cells if not is_missing(text)]
            if name == LABEL or not cells:
                continue
            if not holds_numbers(name, cells):
                categories[name] = categories_of(name, [_category(text) for _, text in cells])
                continue
            comma = next((text for _, text in cells if has_comma(text)), None)
            if comma is not None:
                commas[name] = comma
            numbers[name] = [float(number) for number in _measured(_numbers(name, items, comma is not None))]
        if commas:
            example = next(iter(commas.values()))
            warnings.warn(
                f"{_named(commas)} decimal commas: {example!r} is read as {number_of(example, comma=True)}",
                stacklevel=2,
            )
        return cls(numbers, categories, tuple(commas))

    def fits(self, items: Sequence[Item]) -> bool:
        """Return whether the columns were measured on these rows, in any order; false if they are not rows."""
        if not all(isinstance(item.value, Mapping | bytes) for item in items):
            return False
        items = [Item(item.name, _row(item)) for item in items]
        mean, deviation = _measured(self._numbers(items))
        expected = np.array(list(self.numbers.values())).reshape(-1, 2)
        slack = 1e-6 * expected[:, 1] + 1e-12 * abs(expected[:, 0])  # the order of the rows changes the rounding
        same = [abs(mean - expected[:, 0]) <= slack, abs(deviation - expected[:, 1]) <= slack]
        return bool(np.all(same)) and all(
            {text for text in _categories(name, items) if not is_missing(text)} == set(map(_category, values))
            for name, values in self.categories.items()
        )

    def refitted(self, items: Sequence[Item]) -> Self:
        """Return the table with its columns measured on other rows; the same table if they are not rows."""
        if not all(isinstance(item.value, Mapping | bytes) for item in items):
            return self
        rows = [Item(item.name, _row(item)) for item in items]
        names = (*self.numbers, *self.categories)
        return self.fitted([Item(item.name, {name: _cell(name, item) for name in names}) for item in rows])

    def without(self, items: Sequence[Item], turns: Iterable[Sequence[int]]) -> Iterator[Tensor]:
        """Yield all rows for each turn, (n, n_features), with columns that are measured without the turn's rows."""
        items = [Item(item.name, _row(item)) for item in items]
        numbers, words = self._numbers(items), self.encode(items)[:, len(self.numbers) :]
        for turn in turns:
            rest = np.ones(len(items), dtype=bool)
            rest[list(turn)] = False
            x = torch.from_numpy(_standard(numbers, *_measured(numbers[rest]))).to(words)
            yield torch.cat([x, words * words[torch.from_numpy(rest)].any(0)], 1)

    def _numbers(self, items: Sequence[Item]) -> np.ndarray:
        """Return the columns of numbers, (n, n_numbers), NaN where a cell is missing."""
        columns = [_numbers(name, items, name in self.decimal_commas) for name in self.numbers]
        return np.array(columns).reshape(len(self.numbers), len(items)).T

    def open(self, source: str | Path | bytes, columns: Columns = COMMON) -> Iterator[Item]:
        """Yield the rows of a file, or of an uploaded CSV file."""
        name = "upload" if isinstance(source, bytes) else str(source)
        _refuse_text(columns)
        number = 0
        for number, row in enumerate(all_rows(source if isinstance(source, bytes) else Path(source), columns), 1):
            yield Item(f"{name} row {number}", row)
        if not number:
            raise DataError(f"{name!r} holds no rows; give at least one")

    @classmethod
    def labelled(cls, source: Path, columns: Columns = COMMON) -> list[tuple[Item, str]]:
        """Return the rows of a file with a column of labels."""
        return labelled_rows(source, columns)

    def encode(self, items: Sequence[Item]) -> Tensor:
        """Return rows as vectors, (n, n_features); an array of n_features numbers is unchanged."""
        if items and all(isinstance(item.value, np.ndarray | Tensor) for item in items):
            return Arrays(self.shape).encode(items)
        items = [Item(item.name, _row(item)) for item in items]
        scales = self.numbers.values()
        columns = [_standard(column, *pair) for column, pair in zip(self._numbers(items).T, scales, strict=True)]
        for name, values in self.categories.items():
            words = _categories(name, items)
            columns += [np.array([word == _category(value) for word in words], dtype=float) for value in values]
        return torch.from_numpy(np.stack(columns, 1)).to(torch.get_default_dtype())

    def unknown(self, items: Sequence[Item]) -> str | None:
        """Return one line about the categories that no example has; None if there are none."""
        rows = [item for item in items if isinstance(item.value, Mapping)]
        unknown = [
            (row.name, text, name)
            for name, values in self.categories.items()
            for row in rows
            if name in row.value and not is_missing(text := word(row.value[name]))
            if _category(text) not in map(_category, values)
        ]
        if not unknown:
            return None
        place, text, name = unknown[0]
        count = "it counts" if len(unknown) == 1 else f"it and {len(unknown) - 1} more count"
        return (
            f"{place} has {text[:40]!r} in column {name!r}, which no example has; {count} as missing; correct it, or "
            f"give examples with it"
        )

    def keep(self, item: Item) -> bytes:
        """Return the columns of the row as JSON."""
        if isinstance(item.value, bytes):
            return item.value
        row = {name: _cell(name, item) for name in (*self.numbers, *self.categories)}
        return json.dumps({name: value if _is_plain(value) else word(value) for name, value in row.items()}).encode()

    def caption(self, item: Item) -> str:
        """Return the row's name and its columns."""
        row = _row(Item(item.name, self.keep(item)))
        return f"{item.name}: " + ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)

    def parts(self, item: Item) -> Iterator[tuple[str, Item]]:
        """Yield each column, and the row in which it is empty."""
        row = _row(Item(item.name, self.keep(item)))
        for name in row:
            yield name, Item(item.name, row | {name: None})


def labelled_rows(source: Path, columns: Columns = COMMON) -> list[tuple[Item, str]]:
    """Return the rows of a file, without their labels, and the labels.

    Raises:
        DataError: The file cannot be read, holds no rows, or a row has no label.
    """
    _refuse_text(columns)
    pairs = []
    for number, row in enumerate(read_rows(source, columns), 1):
        name = f"{source} row {number}"
        (label,) = values_of(name, row, [columns.label])
        key = key_of(row, columns.label)
        pairs.append((Item(name, {column: cell for column, cell in row.items() if column != key}), label))
    if not pairs:
        raise DataError(f"{source} holds no rows; give rows with labels")
    check_spelling(label for _, label in pairs)
    return pairs


def _refuse_text(columns: Columns) -> None:
    if columns.text != TEXT:
        raise SettingError("rows of a table have no column of sentences; leave --text-column out")


def _row(item: Item) -> Any:
    """Return the row of an item; a saved row is JSON."""
    if isinstance(item.value, DataError):
        raise item.value
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
    value = item.value[name]
    return value.item() if isinstance(value, np.generic) else value


def _words(name: str, items: Sequence[Item]) -> list[str]:
    return [word(_cell(name, item)) for item in items]


def _categories(name: str, items: Sequence[Item]) -> list[str]:
    return [_category(text) for text in _words(name, items)]


def _category(text: str) -> str:
    """Return the text of a category; truth values are written in different ways by different programs."""
    return text.casefold() if text.casefold() in ("true", "false") else text


def _is_plain(value: Any) -> bool:
    """Return whether a cell is saved as it is: None or a finite number; others are saved as text."""
    return value is None or (isinstance(value, int | float) and type(value) is not bool and abs(value) < math.inf)


def _numbers(name: str, items: Sequence[Item], comma: bool) -> np.ndarray:
    """Return the numbers of a column, NaN where a cell is missing."""
    column = []
    for item, text in zip(items, _words(name, items), strict=True):
        given = _cell(name, item)
        is_text = isinstance(given, str)
        number = math.nan if is_missing(text) else number_of(text, comma and is_text)
        if number is None or abs(number) > 1e30:  # its square must be finite too
            written = "numbers with decimal commas" if comma else "numbers"
            hint = "write it with a decimal point" if has_comma(text) else "correct it"
            raise DataError(f"{item.name} has {text[:40]!r} in column {name!r}, which holds {written}; {hint}")
        column.append(number)
    return np.array(column)


def _named(columns: Mapping[str, str]) -> str:
    names = ", ".join(map(repr, list(columns)[:5])) + (", ..." if len(columns) > 5 else "")
    return f"column {names} has" if len(columns) == 1 else f"columns {names} have"


def _measured(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation over the rows, without NaN: a mean of NaN without numbers, 1 for a deviation of 0."""
    known = ~np.isnan(numbers)
    n = np.where(known.any(0), known.sum(0), np.nan)
    mean = np.where(known, numbers, 0).sum(0) / n
    deviation = np.sqrt(np.where(known, (numbers - mean) ** 2, 0).sum(0) / n)
    return mean, np.where(deviation > 0, deviation, 1.0)


def _standard(column: np.ndarray, mean: float | np.ndarray, deviation: float | np.ndarray) -> np.ndarray:
    return np.nan_to_num((column - mean) / deviation).clip(-_FARTHEST, _FARTHEST)
