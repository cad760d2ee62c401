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
from quickstudy.inputs.cells import not_unicode, word

_MAX_UNPACKED = 2**30
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HEAD = 2**16
"""Number of bytes in which the header of a file is looked for."""
_ONE_COLUMN = "\x1f"
"""Delimiter of a file with a single column, whose texts may hold commas."""
_NO_OBJECT = 'not an object; write one per line, such as {"text": "...", "label": "..."}'
Row = dict[str, Any] | DataError
"""Cells by column; or the error of a row, as a value, since a generator that raises yields no more."""


def records(name: str, rows: Iterator[Sequence[Any] | DataError]) -> Iterator[Row]:
    """Yield rows as dictionaries; the first row that is not empty is the header. Empty rows are left out.

    A row with a cell in a column without a name is an error.

    Raises:
        DataError: The header is damaged, or two columns have the same name.
    """
    full = (row for row in rows if isinstance(row, DataError) or any(cell not in ("", None) for cell in row))
    first = next(full, ())
    if isinstance(first, DataError):
        raise first
    header = [word(cell).removeprefix("\ufeff").strip() for cell in first]
    repeated = next((column for column in header if column and header.count(column) > 1), None)
    if repeated is not None:
        raise DataError(f"{name} has two columns {repeated[:60]!r}; rename or remove one")
    if fault := not_unicode("".join(header)):
        raise DataError(f"{name} {fault}")
    if any("\0" in column for column in header):
        raise DataError(f"{name} is damaged: its header holds NUL; name its encoding, such as --encoding utf-16")
    for number, row in enumerate(full, 1):
        if isinstance(row, DataError):
            yield row
            continue
        unnamed = [cell for column, cell in zip_longest(header, row, fillvalue="") if not column and word(cell)]
        if unnamed:
            yield DataError(
                f"{name} row {number} has {one_line(unnamed[0], most=40)!r} in a column without a name; name the "
                f"column, or put quotes around a cell that holds the delimiter"
            )
            continue
        yield {column: cell for column, cell in zip_longest(header, row[: len(header)]) if column}


def cells(
    name: str, source: Path | bytes, delimiters: str, wanted: Sequence[str] = (), encoding: str | None = None
) -> Iterator[list[str] | DataError]:
    """Yield the cells of each row of a CSV file, or the error of one whose quotes do not fit.

    Args:
        name: Name of the file.
        source: The file, or its content.
        delimiters: Delimiters that the file may have, the most likely first.
        wanted: Names of columns, of which the header has one.
        encoding: See ``Columns``.

    Raises:
        SettingError: The encoding is unknown.
    """
    with _text(source, encoding) as (head, file):
        reader = csv.reader(file, delimiter=_delimiter(head, delimiters, wanted), strict=True)
        while True:
            first = reader.line_num + 1
            try:
                yield next(reader)
            except StopIteration:
                return
            except csv.Error as error:  # the reader continues after it
                last = reader.line_num
                which = f"line {first} is" if first == last else f"lines {first} to {last} are"
                yield DataError(f'{name} {which} damaged: {error}; write a quote inside of a quoted cell twice, ""')


def _delimiter(head: str, delimiters: str, wanted: Sequence[str]) -> str:
    """Return the delimiter by which a header has a wanted column, or else the most columns."""
    known = {column.strip().casefold() for column in wanted}
    line = next((line for line in head.splitlines() if line.strip()), "")

    def fits(delimiter: str) -> tuple[bool, int]:
        names = next(csv.reader([line], delimiter=delimiter), [])
        return any(name.strip().casefold() in known for name in names) and len(names) > 1, len(names)

    best = max(delimiters, key=fits)  # the first of those that fit equally well
    return best if fits(best)[1] > 1 else _ONE_COLUMN


def json_lines(name: str, source: Path | bytes, encoding: str | None = None) -> Iterator[Row]:
    """Yield the objects of a JSONL file; a line that is not an object is an error."""
    with _text(source, encoding) as (_, file):
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield DataError(f"{name} line {number} is damaged: {one_line(error)}; write one object per line")
                    continue
                yield row if isinstance(row, dict) else DataError(f"{name} line {number} is {_NO_OBJECT}")


@contextmanager
def _text(source: Path | bytes, encoding: str | None) -> Iterator[tuple[str, io.TextIOWrapper]]:
    """Open a file, or the content of one, as text; return its beginning too."""
    raw = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb", buffering=0)
    with io.BufferedReader(raw, _HEAD) as binary:  # a BytesIO is read like a raw file
        head = binary.peek(_HEAD)
        encoding = encoding or next((name for mark, name in _MARKS.items() if head.startswith(mark)), "utf-8")
        encoding = "utf-8-sig" if check_encoding(encoding) == "utf-8" else encoding
        beginning = head.decode(encoding, "ignore")
        # A row with bytes of another encoding is refused by itself.
        with io.TextIOWrapper(binary, encoding, "surrogateescape", newline="") as file:
            yield beginning.removeprefix("\ufeff"), file


def check_encoding(encoding: str) -> str:
    """Return the usual name of an encoding of text.

    Raises:
        SettingError: It is unknown.

    >>> check_encoding("UTF8")
    'utf-8'
    """
    try:
        io.TextIOWrapper(io.BytesIO(), encoding)  # refuses a codec that is not of text, such as hex
        return codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise SettingError(
            f"encoding = {encoding[:40]!r} is unknown; give one such as utf-8, utf-16 or cp1252"
        ) from error


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
