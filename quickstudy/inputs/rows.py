"""Rows of files that strangers wrote: CSV, JSONL and Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quickstudy.errors import DataError, SettingError

_MAX_ROWS = 1_000_000


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file by the names of its columns: CSV, JSONL or Parquet by its suffix. CSV holds words alone.

    Raises:
        DataError: The file cannot be read, or holds more than a million rows.
        SettingError: Parquet, and pyarrow is not installed.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "all.csv").write_text("width,label\\n2.5,small\\n")
    ...     list(read_rows(Path(folder, "all.csv")))
    [{'width': '2.5', 'label': 'small'}]
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".jsonl", ".parquet"):
        raise DataError(f"{str(path)!r} ends in none of .csv, .jsonl, .parquet; convert it")
    try:
        for number, row in enumerate(_parquet(path) if kind == ".parquet" else _lines(path, kind), 1):
            if number > _MAX_ROWS:
                raise DataError(f"{path} has more than {_MAX_ROWS:,} rows; give fewer")
            yield row
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except (csv.Error, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def _lines(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, strict=True) if kind == ".csv" else map(json.loads, file):
            yield row if isinstance(row, dict) else {}


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
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
        raise DataError(f"{path} is damaged: {error}") from error
