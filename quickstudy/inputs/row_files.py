"""Readers of the files of rows: CSV, JSONL, Excel and Parquet."""

from __future__ import annotations

import codecs
import csv
import io
import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from quickstudy.errors import DataError, QuickstudyError, SettingError, one_line
from quickstudy.inputs.cells import word

_MAX_UNPACKED = 2**30
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HEAD = 2**16
"""Number of bytes in which the header of a file is looked for."""
_ONE_COLUMN = "\x1f"
"""Delimiter of a file with a single column, whose texts may hold commas."""


def records(name: str, rows: Iterator[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield rows as dictionaries; the first row that is not empty is the header. Empty rows are left out.

    Raises:
        DataError: Two columns have the same name, or a cell is in a column without a name.
    """
    full = (row for row in rows if any(cell not in ("", None) for cell in row))
    header = [word(cell).removeprefix("\ufeff").strip() for cell in next(full, ())]
    repeated = next((column for column in header if column and header.count(column) > 1), None)
    if repeated is not None:
        raise DataError(f"{name} has two columns {repeated[:60]!r}; rename or remove one")
    if any("\0" in column for column in header):
        raise DataError(f"{name} is damaged: its header holds NUL; name its encoding, such as --encoding utf-16")
    for number, row in enumerate(full, 1):
        unnamed = [cell for column, cell in zip_longest(header, row, fillvalue="") if not column and word(cell)]
        if unnamed:
            raise DataError(
                f"{name} row {number} has {one_line(unnamed[0], most=40)!r} in a column without a name; name the "
                f"column, or put quotes around a cell that holds the delimiter"
            )
        yield {column: cell for column, cell in zip_longest(header, row[: len(header)]) if column}


def cells(
    name: str, source: Path | bytes, delimiters: str, wanted: Sequence[str] = (), encoding: str | None = None
) -> Iterator[list[str]]:
    """Yield the cells of each row of a CSV file.

    Args:
        name: Name of the file.
        source: The file, or its content.
        delimiters: Delimiters that the file may have, the most likely first.
        wanted: Names of columns, of which the header has one.
        encoding: See ``Columns``.

    Raises:
        DataError: A quote is not closed, or has text after it.
        SettingError: The encoding is unknown.
    """
    with _text(source, encoding) as (head, file):
        reader = csv.reader(file, delimiter=_delimiter(head, delimiters, wanted), strict=True)
        try:
            yield from reader
        except csv.Error as error:
            raise DataError(
                f'{name} line {reader.line_num} is damaged: {error}; write a quote inside of a quoted cell twice, ""'
            ) from error


def _delimiter(head: str, delimiters: str, wanted: Sequence[str]) -> str:
    """Return the delimiter by which a header has a wanted column, or else the most columns."""
    known = {column.strip().casefold() for column in wanted}
    line = next((line for line in head.splitlines() if line.strip()), "")

    def fits(delimiter: str) -> tuple[bool, int]:
        names = next(csv.reader([line], delimiter=delimiter), [])
        return any(name.strip().casefold() in known for name in names) and len(names) > 1, len(names)

    best = max(delimiters, key=fits)  # the first of those that fit equally well
    return best if fits(best)[1] > 1 else _ONE_COLUMN


def json_lines(name: str, source: Path | bytes, encoding: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file; a line that is not an object is an empty row.

    Raises:
        DataError: A line is not JSON.
    """
    with _text(source, encoding) as (_, file):
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{name} line {number} is damaged: {one_line(error)}; correct it") from error
                yield row if isinstance(row, dict) else {}


@contextmanager
def _text(source: Path | bytes, encoding: str | None) -> Iterator[tuple[str, io.TextIOWrapper]]:
    """Open a file, or the content of one, as text; return its beginning too."""
    raw = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb", buffering=0)
    with io.BufferedReader(raw, _HEAD) as binary:  # a BytesIO is read like a raw file
        head = binary.peek(_HEAD)
        encoding = encoding or next((name for mark, name in _MARKS.items() if head.startswith(mark)), "utf-8")
        try:
            encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
            beginning = head.decode(encoding, "ignore")
        except (LookupError, ValueError) as error:
            raise SettingError(
                f"encoding = {encoding[:40]!r} is unknown; give one such as utf-8, utf-16 or cp1252"
            ) from error
        with io.TextIOWrapper(binary, encoding, newline="") as file:
            yield beginning.removeprefix("\ufeff"), file


def sheet(path: Path) -> Iterator[Sequence[Any]]:
    """Yield the cells of each row of the first sheet of an Excel file.

    Raises:
        DataError: The file is damaged, or too large.
        SettingError: openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError:
        raise SettingError("openpyxl is not installed; pip install 'quickstudy[tables]'") from None
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(each.file_size for each in archive.infolist())
        if size > _MAX_UNPACKED:
            raise DataError(f"{path} is {size:,} bytes unpacked, more than {_MAX_UNPACKED:,}; save it as CSV")
        with closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as book:
            sheet, *others = book.worksheets
            if others:
                warnings.warn(f"{path} has {1 + len(others)} sheets; only {sheet.title!r} is read", stacklevel=2)
            sheet.reset_dimensions()  # some programs write wrong ones
            yield from sheet.iter_rows(values_only=True)
    except (QuickstudyError, OSError, UserWarning):
        raise
    except Exception as error:  # of many kinds, from ZIP, XML and openpyxl itself
        raise DataError(f"{path} is damaged: {one_line(error)}; save it again, or as CSV") from error


def parquet(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file, a batch in memory at a time.

    Raises:
        DataError: The file is damaged.
        SettingError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise SettingError("pyarrow is not installed; pip install 'quickstudy[tables]'") from None
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, ValueError) as error:
        raise DataError(f"{path!s} is damaged: {one_line(error)}") from error
