"""Data frames of pandas and polars as rows."""

from __future__ import annotations

from typing import Any

from quickstudy.errors import DataError


def is_frame(x: Any) -> bool:
    """Return whether an object is a data frame of pandas or polars.

    >>> is_frame([{"width": 2.5}])
    False
    """
    return (hasattr(x, "itertuples") or hasattr(x, "iter_rows")) and hasattr(x, "columns")


def rows_of(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a data frame, by the names of its columns; missing cells are None.

    Raises:
        DataError: Two columns have the same name.
    """
    names = [str(name) for name in frame.columns]
    if double := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise DataError(f"the frame has two columns {double[0]!r}, which rows cannot hold; rename one")
    if hasattr(frame, "iter_rows"):
        rows = frame.iter_rows()
    else:  # pandas has several missing values, and some of them cannot be compared
        rows = frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None)
    return [dict(zip(names, row, strict=True)) for row in rows]
