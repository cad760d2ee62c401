"""Rows of CSV, JSONL and Parquet files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from quickstudy.errors import DataError, SettingError

SUFFIXES = (".csv", ".jsonl", ".parquet")
LABEL = "label"
"""Name of the column of labels."""
_MAX_ROWS = 1_000_000


def read_rows(source: Path | bytes) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file as dictionaries by column name. In CSV files, all values are strings.

    Args:
        source: Path of a CSV, JSONL or Parquet file, known by its suffix; or the content of a CSV file.

    Raises:
        DataError: The file cannot be read, or holds more than a million rows.
        SettingError: The file is Parquet, and pyarrow is not installed.

    >>> list(read_rows(b"width,label\\n2.5,small\\n"))
    [{'width': '2.5', 'label': 'small'}]
    """
    kind = ".csv" if isinstance(source, bytes) else source.suffix.lower()
    name = "upload" if isinstance(source, bytes) else str(source)
    if kind not in SUFFIXES:
        raise DataError(f"{name!r} does not end in one of {', '.join(SUFFIXES)}; convert it")
    try:
        for number, row in enumerate(_parquet(source) if kind == ".parquet" else _lines(source, kind), 1):
            if number > _MAX_ROWS:
                raise DataError(f"{name} has more than {_MAX_ROWS:,} rows; give fewer")
            yield row
    except OSError as error:
        raise DataError(f"{name!r} cannot be read: {error.strerror}") from error
    except (csv.Error, ValueError, RecursionError) as error:
        raise DataError(f"{name} is damaged: {error}") from error


def has_column(path: Path, column: str) -> bool:
    """Return whether a file holds rows and its first row has a column.

    >>> has_column(Path("nowhere.csv"), "text")
    False
    """
    try:
        return column in next(read_rows(path), {})
    except (DataError, SettingError):
        return False


def labels_of(path: Path, rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return the label of each row.

    Raises:
        DataError: There are no rows, or a row has no label.
    """
    labels = [str(row.get(LABEL) if row.get(LABEL) is not None else "").strip() for row in rows]
    if not labels:
        raise DataError(f"{path} holds no rows; give rows with labels")
    if "" in labels:
        raise DataError(f"{path} row {labels.index('') + 1} has no label; fill its column {LABEL!r}")
    return labels


def _lines(source: Path | bytes, kind: str) -> Iterator[dict[str, Any]]:
    with _text(source) as file:
        for row in csv.DictReader(file, strict=True) if kind == ".csv" else map(json.loads, file):
            yield row if isinstance(row, dict) else {}


def _text(source: Path | bytes) -> io.TextIOBase:
    if isinstance(source, bytes):
        return io.TextIOWrapper(io.BytesIO(source), encoding="utf-8-sig", newline="")
    return source.open(encoding="utf-8-sig", newline="")


def _parquet(path: Path | bytes) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise SettingError("pyarrow is not installed; pip install 'quickstudy[text]'") from None
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise DataError(f"{path!s} is damaged: {error}") from error
