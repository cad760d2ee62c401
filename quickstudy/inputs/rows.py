"""Rows of CSV, TSV, JSONL, Parquet and Excel files."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quickstudy.errors import DataError, SettingError, one_line
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.cells import not_text, not_unicode, number_of, word
from quickstudy.inputs.row_files import Row, cells, json_lines, parquet, records, sheet

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".xlsx")
TEXT = "text"
"""Name of the column of sentences, if no other is given."""
LABEL = "label"
"""Name of the column of labels, if no other is given."""
_MAX_ROWS = 1_000_000


@dataclass(frozen=True)
class Columns:
    """Columns and encoding of a file of rows.

    Attributes:
        text: Name of the column of sentences. Case and blanks around a name do not matter.
        label: Name of the column of labels.
        encoding: Encoding of a CSV, TSV or JSONL file, such as "cp1252". If None, the byte order mark decides, and
            UTF-8 is read without one.

    >>> Columns(text="Subject", label="Queue", encoding="cp1252")
    Columns(text='Subject', label='Queue', encoding='cp1252')
    """

    text: str = TEXT
    label: str = LABEL
    encoding: str | None = None


COMMON = Columns()


class RowInputs(Inputs):
    """Base class of the inputs that are read from files of rows."""

    @classmethod
    @abstractmethod
    def recognises(cls, source: Path, columns: Columns = COMMON) -> bool:
        """Return whether a file of labelled examples holds inputs of this kind."""

    @abstractmethod
    def open(self, source: str | Path | bytes, columns: Columns = COMMON) -> Iterator[Item]:
        """Yield the items of a source."""

    @classmethod
    @abstractmethod
    def labelled(cls, source: Path, columns: Columns = COMMON) -> list[tuple[Item, str]]:
        """Return the items of a file with their labels."""


def opened(inputs: Inputs, sources: Sequence[Path | str], columns: Columns = COMMON) -> Sequence[Path | str | Item]:
    """Return sources for ``Inputs.items``; those with columns of other names are read here.

    Raises:
        DataError: A source cannot be read.
        SettingError: Columns are given for inputs that are not rows.
    """
    if columns == COMMON:
        return sources
    if not isinstance(inputs, RowInputs):
        raise no_columns(inputs.noun)
    return [item for source in sources for item in inputs.open(source, columns)]


def no_columns(noun: str) -> SettingError:
    """Return the error about columns or an encoding that are given for inputs that are not rows."""
    return SettingError(f"names of columns and an encoding are for files of rows, not for {noun}s; leave them out")


def read_rows(source: Path | bytes, columns: Columns = COMMON) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file as dictionaries by column name. In CSV and TSV files, all values are strings.

    CSV files may be divided by commas, semicolons, tabs or |. Blanks around the names of columns are left out. Of an
    Excel file, the first sheet is read.

    Args:
        source: Path of a CSV, TSV, JSONL, Parquet or Excel file, known by its suffix; or the content of a CSV file.
        columns: Columns that help to find the delimiter, and the encoding.

    Raises:
        DataError: The file or a row cannot be read, or there are more than a million rows.
        SettingError: The encoding is unknown, or a package that reads the file is not installed.

    >>> list(read_rows(b"width;label\\n2,5;small\\n"))
    [{'width': '2,5', 'label': 'small'}]
    """
    for row in all_rows(source, columns):
        if isinstance(row, DataError):
            raise row
        yield row


def all_rows(source: Path | bytes, columns: Columns = COMMON) -> Iterator[Row]:
    """Yield the rows of a file as ``read_rows`` does; a row that cannot be read is its error, and others follow it.

    Raises:
        DataError: The file cannot be read, or holds more than a million rows.
        SettingError: The encoding is unknown, or a package that reads the file is not installed.

    >>> list(all_rows(b"width\\n'1'\\n\\"1\\" cm\\n2\\n"))
    [{'width': "'1'"}, DataError(...), {'width': '2'}]
    """
    kind = ".csv" if isinstance(source, bytes) else source.suffix.lower()
    name = "upload" if isinstance(source, bytes) else str(source)
    if kind not in SUFFIXES:
        raise DataError(f"{name!r} does not end in one of {', '.join(SUFFIXES)}; convert it")
    try:
        if isinstance(source, Path) and kind == ".parquet":
            rows: Iterator[Row] = parquet(source)
        elif isinstance(source, Path) and kind == ".xlsx":
            rows = records(name, sheet(source))
        elif kind == ".jsonl":
            rows = json_lines(name, source, columns.encoding)
        else:
            delimiters = "\t,;|" if kind == ".tsv" else ",;\t|"
            wanted = columns.text, columns.label
            rows = records(name, cells(name, source, delimiters, wanted, columns.encoding))
        for number, row in enumerate(rows, 1):
            if number > _MAX_ROWS:
                raise DataError(f"{name} has more than {_MAX_ROWS:,} rows; give fewer")
            if not isinstance(row, DataError):
                text = "".join([*row, *(cell for cell in row.values() if isinstance(cell, str))])
                if fault := not_unicode(text, columns.encoding or "utf-8"):
                    row = DataError(f"{name} row {number} {fault}")
            yield row
    except OSError as error:
        raise DataError(f"{name!r} cannot be read: {error.strerror}") from error
    except UnicodeError as error:
        encoding = columns.encoding or str(getattr(error, "encoding", "utf-8"))
        raise DataError(f"{name} {not_text(encoding, getattr(error, 'reason', str(error)))}") from error


def has_column(path: Path, column: str, columns: Columns = COMMON) -> bool:
    """Return whether a file holds rows and its first row has a column.

    >>> has_column(Path("nowhere.csv"), "text")
    False
    """
    try:
        return key_of(next(read_rows(path, columns), {}), column) is not None
    except (DataError, SettingError):
        return False


def key_of(row: Mapping[str, Any], column: str) -> str | None:
    """Return the key of a column in a row, or None; case and blanks around names do not matter.

    >>> key_of({" Label": "a"}, "label")
    ' Label'
    """
    if column in row:
        return column
    wanted = column.strip().casefold()
    return next((key for key in row if key.strip().casefold() == wanted), None)


def values_of(place: str, row: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """Return the cells of some columns of a row as text.

    Args:
        place: Name of the row, for messages.
        row: Cells by column.
        columns: Names of columns.

    Raises:
        DataError: A column is missing or empty.
    """
    keys = [key_of(row, column) for column in columns]
    values = ["" if key is None else word(row[key]) for key in keys]
    if "" in values:
        empty = " and no ".join(column for column, value in zip(columns, values, strict=True) if not value)
        raise DataError(f"{place} has no {empty}; {'fill it' if None not in keys else _other_names(row)}")
    return values


def check_spelling(labels: Iterable[str]) -> None:
    """Warn if two labels are the same number, written in two ways, such as "1" and "1.0"."""
    first: dict[float, str] = {}
    for label in dict.fromkeys(labels):
        number = number_of(label)
        other = None if number is None else first.setdefault(number, label)
        if other not in (None, label):
            warnings.warn(
                f"the labels {other!r} and {label!r} are two classes, but the same number; write one of them only",
                stacklevel=2,
            )


def _other_names(row: Mapping[str, Any]) -> str:
    names = ", ".join(one_line(repr(key), most=60) for key in list(row)[:20])
    return f"its columns are {names or 'none'}; say which is which by --text-column and --label-column"
