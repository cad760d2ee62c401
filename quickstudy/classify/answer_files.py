"""Files of answers: CSV, JSON lines and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from quickstudy.errors import SettingError
from quickstudy.inputs.batches import grouped
from quickstudy.io.files import whole_file

SUFFIXES = (".csv", ".jsonl", ".parquet")
_GROUP = 65_536  # rows of a row group of Parquet


def check_suffix(path: Path) -> None:
    """Refuse a name of another kind of file, or one whose package is not installed.

    Raises:
        SettingError: Always with the reason.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SettingError(f"--out {str(path)!r} does not end in one of {', '.join(SUFFIXES)}; choose another name")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise SettingError("Parquet needs pyarrow, which is not installed; pip install pyarrow") from None


def write_answers(path: Path, summaries: Iterable[dict[str, Any]], labels: Sequence[str]) -> None:
    """Write answers in the form of docs/output.md, one row each, in constant memory.

    Args:
        path: Name of the file; its suffix is the form.
        summaries: Results of ``Answer.summary``.
        labels: Labels of the classifier.
    """
    write = {".csv": _write_csv, ".jsonl": _write_json_lines, ".parquet": _write_parquet}[path.suffix.lower()]
    with whole_file(path) as file:
        write(file, summaries, labels)


def csv_lines(summaries: Iterable[dict[str, Any]], labels: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a CSV file of answers, the names of the columns first.

    >>> answer = {**dict.fromkeys(_COLUMNS), "input": "a", "label": "yes", "probabilities": {"yes": 0.9, "no": 0.1}}
    >>> print(*csv_lines([answer], ["yes", "no"]), sep="", end="")
    input,label,confidence,set,unlike,none,rest_on,p(yes),p(no)
    a,yes,,,,,,0.900000,0.100000
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heading: list[object] = [*_COLUMNS, *_names(labels)]
    summaries = iter(summaries)
    first = list(islice(summaries, 1))  # if it fails, nothing is written
    for cells in chain([heading], (_cells(summary, labels) for summary in chain(first, summaries))):
        writer.writerow(cells)
        yield text.getvalue()
        text.seek(0)
        text.truncate()


_COLUMNS = ("input", "label", "confidence", "set", "unlike", "none", "rest_on")


def _names(labels: Sequence[str]) -> list[str]:
    return [f"p({label})" for label in labels]


def _cells(summary: dict[str, Any], labels: Sequence[str]) -> list[object]:
    probabilities = summary["probabilities"]
    return [*(_cell(summary[key]) for key in _COLUMNS), *(f"{probabilities[label]:.6f}" for label in labels)]


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6f}"
    return "|".join(value) if isinstance(value, list) else value


def _bytes(text: str) -> bytes:
    r"""Return text as UTF-8; a byte of the name of a file or class that is not is written as \udcXX."""
    return text.encode(errors="backslashreplace")


def _plain(value: Any) -> Any:
    """Return a text, or the texts of a list, as ``_bytes`` writes them; anything else as it is."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return _bytes(value).decode() if isinstance(value, str) else value


def _write_csv(file: BinaryIO, summaries: Iterable[dict[str, Any]], labels: Sequence[str]) -> None:
    for line in csv_lines(summaries, labels):
        file.write(_bytes(line))


def _write_json_lines(file: BinaryIO, summaries: Iterable[dict[str, Any]], labels: Sequence[str]) -> None:
    for summary in summaries:
        file.write(json.dumps(summary).encode() + b"\n")


def _write_parquet(file: BinaryIO, summaries: Iterable[dict[str, Any]], labels: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = [pa.string(), pa.string(), pa.float64(), pa.list_(pa.string()), pa.bool_(), pa.bool_(), pa.string()]
    fields = [*zip(_COLUMNS, kinds, strict=True), *((_plain(name), pa.float64()) for name in _names(labels))]
    schema = pa.schema(fields)
    with pq.ParquetWriter(file, schema) as writer:
        for group in grouped(summaries, _GROUP):
            columns = [[_plain(summary[key]) for summary in group] for key in _COLUMNS]
            columns += [[summary["probabilities"][label] for summary in group] for label in labels]
            writer.write_table(pa.table(columns, schema=schema))
