"""Rows of numbers and categories with labels, as vectors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.rows import read_rows
from quickstudy.tasks.splits import Splits, split_in_fifths

LABEL = "label"
"""The column that is to be told from the others."""
_MAX_COLUMNS, _MAX_VALUES = 1000, 50
_FARTHEST = 10.0
"""Standard deviations beyond which a number is as far as that: one slip of a keyboard must not outweigh all else."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TableFormat:
    """How a row becomes a vector: numbers standardised, categories as one 0 or 1 for each value known.

    A missing number becomes the mean, a missing or unknown category none of the values.

    Attributes:
        numbers: Mean and standard deviation of each column of numbers, of the rows that were trained on.
        categories: Values of each column of categories.

    Raises:
        SettingError: A deviation is not positive, or there is no column.

    >>> told = TableFormat({"width": [2.0, 0.5]}, {"colour": ["blue", "red"]})
    >>> told.vectors([{"width": "2.5", "colour": "red"}, {"width": "", "colour": "green"}])
    tensor([[1., 0., 1.],
            [0., 0., 0.]])
    """

    numbers: dict[str, list[float]]
    categories: dict[str, list[str]]

    def __post_init__(self) -> None:
        for name, told in self.numbers.items():
            if len(told) != 2 or not all(map(math.isfinite, told)) or told[1] <= 0:
                raise SettingError(f"column {name!r} has mean and deviation {told}; train again")
        if not 0 < len(self.numbers) + len(self.categories) <= _MAX_COLUMNS:
            raise SettingError(f"a table has 1 to {_MAX_COLUMNS} columns beside the label; choose among them")

    @property
    def features(self) -> list[str]:
        """Column of each entry of a vector.

        >>> TableFormat({"width": [0.0, 1.0]}, {"colour": ["blue", "red"]}).features
        ['width', 'colour', 'colour']
        """
        return [*self.numbers, *(name for name, values in self.categories.items() for _ in values)]

    def vectors(self, rows: Sequence[Row]) -> Tensor:
        """Rows as vectors, (n, n_features).

        Raises:
            DataError: A column is missing, or a number is none.
        """
        columns = [_standard(_numbers(name, rows), *told) for name, told in self.numbers.items()]
        for name, values in self.categories.items():
            said = _words(name, rows)
            columns += [np.array([word == value for word in said], dtype=float) for value in values]
        return torch.from_numpy(np.stack(columns, 1)).to(torch.get_default_dtype())

    def read(self, path: Path) -> ClassDataset:
        """A file of rows with labels."""
        rows = list(read_rows(path))
        return ClassDataset.from_labels(self.vectors(rows), _labels(path, rows))


def fit_table(rows: Sequence[Row], columns: Iterable[str]) -> TableFormat:
    """The format that some rows suggest: a column is of numbers where all that is written there are numbers.

    Raises:
        DataError: A column of words has more than 50 values: too many to be categories.

    >>> fit_table([{"a": "1", "b": "x"}, {"a": "3", "b": "y"}], ["a", "b"])
    TableFormat(numbers={'a': [2.0, 1.0]}, categories={'b': ['x', 'y']})
    """
    numbers, categories = {}, {}
    for name in columns:
        try:
            found = _numbers(name, rows)
        except DataError:
            values = Counter(word for word in _words(name, rows) if word)
            if len(values) > _MAX_VALUES:
                raise DataError(
                    f"column {name!r} has {len(values)} different values, too many for categories; leave it out"
                ) from None
            categories[name] = sorted(values)
            continue
        if not np.isnan(found).all():
            numbers[name] = [float(np.nanmean(found)), float(np.nanstd(found)) or 1.0]
    return TableFormat(numbers, categories)


def table(path: Path | None, seed: int = 0) -> tuple[Splits, TableFormat]:
    """A file of rows as three sets of labels, 60, 20 and 20 percent of them; standardised as the rows of training are.

    Args:
        path: CSV, JSONL or Parquet; the column ``label`` is what the other columns tell.
        seed: Of the shuffle of labels.

    Raises:
        DataError: The file cannot be read, or what a column holds is neither numbers nor categories.
        NotEnoughClasses: There are fewer than three labels.
    """
    if path is None:
        raise DataError("data = 'table' needs a file of rows with labels; give it as data_root")
    rows = list(read_rows(path))
    labels = _labels(path, rows)
    columns = [name for name in rows[0] if name is not None and name != LABEL]
    order = split_in_fifths(ClassDataset.from_labels(torch.arange(len(rows)), labels), seed)
    told = fit_table([rows[i] for i in order.train.x.tolist()], columns)
    return Splits(*(ClassDataset(told.vectors(rows)[part.x], part.y, part.names) for part in order)), told


def _labels(path: Path, rows: Sequence[Row]) -> list[str]:
    if not rows:
        raise DataError(f"{path} holds no rows; give rows with labels")
    labels = [str(row.get(LABEL) if row.get(LABEL) is not None else "").strip() for row in rows]
    if "" in labels:
        raise DataError(f"{path} row {labels.index('') + 1} has no label; the column is called {LABEL}")
    return labels


def _column(name: str, rows: Sequence[Row]) -> list[Any]:
    if missing := next((i for i, row in enumerate(rows, 1) if name not in row), 0):
        raise DataError(f"row {missing} has no column {name!r}, which others have; add it, empty where it is unknown")
    return [row[name] for row in rows]


def _words(name: str, rows: Sequence[Row]) -> list[str]:
    return ["" if value is None else str(value).strip() for value in _column(name, rows)]


def _numbers(name: str, rows: Sequence[Row]) -> np.ndarray:
    """Numbers of a column, NaN where nothing is written."""
    found = []
    for i, value in enumerate(_words(name, rows), 1):
        try:
            number = float(value) if value else math.nan
        except ValueError:
            number = math.inf
        if abs(number) > 1e30:  # its square must be a number too
            raise DataError(f"row {i} has {value[:40]!r} in column {name!r}, which holds numbers; mend it")
        found.append(number)
    return np.array(found)


def _standard(found: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    return np.nan_to_num((found - mean) / deviation).clip(-_FARTHEST, _FARTHEST)
