"""Cells of tables: how values of any type read as text and as numbers."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np

_MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "-", "--", "?"})
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([.,' \u00a0\u202f\u2019])\d{3}(\1\d{3})*([.,]\d+)?")


def word(value: Any) -> str:
    """Return a cell as text, by the same rule for every kind of file; "" for None, NaN and lists.

    Whole numbers have no decimal point, dates are as in ISO 8601.

    >>> word(1.0), word(" 1.0"), word(True), word(datetime(2026, 5, 1)), word(math.nan)
    ('1', '1.0', 'True', '2026-05-01', '')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, date | time):
        return str(value)
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return "" if math.isnan(value) else str(value)
    if isinstance(value, float | Decimal) and float(value).is_integer() and abs(float(value)) < 1e15:
        value = int(value)
    return str(value).strip() if isinstance(value, str | int | float | Decimal) else ""


def not_unicode(text: str, encoding: str = "utf-8") -> str | None:
    r"""Return what is wrong with text that cannot be written as UTF-8, and what to do; None if nothing is.

    Args:
        text: Text that was decoded with ``errors="surrogateescape"``.
        encoding: Encoding that it was decoded by.

    >>> not_unicode("hello"), not_unicode("hello \ud83d")
    (None, "is not valid Unicode ('\\ud83d' is half of a character); correct it")
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        if "\udc80" <= half <= "\udcff":
            return not_text(encoding, f"byte 0x{ord(half) - 0xDC00:02X}")
        return f"is not valid Unicode ({half!a} is half of a character); correct it"
    return None


def not_text(encoding: str, reason: str) -> str:
    """Return what is wrong with bytes that are not text in an encoding, and what to do."""
    name = encoding.upper()
    return f"is not text in {name} ({reason}); save it as UTF-8, or name its encoding, such as --encoding cp1252"


def is_missing(text: str) -> bool:
    """Return whether a cell says that its value is unknown.

    >>> [is_missing(text) for text in ("", "n/a", "NaN", "-", "0", "no")]
    [True, True, True, True, False, False]
    """
    return text.casefold() in _MISSING


def number_of(text: str, comma: bool = False) -> float | None:
    """Return the number that a cell is, or None.

    Args:
        text: Text of the cell.
        comma: Whether the numbers of its column have decimal commas. "1.500" is then no number, as it may be 1500.

    >>> number_of("1.5"), number_of("1,5"), number_of("1,5", comma=True), number_of("1.500", comma=True)
    (1.5, None, 1.5, None)
    """
    if comma and _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    elif comma and _GROUPED.fullmatch(text):
        return None
    return float(text) if _PLAIN.fullmatch(text) else None


def has_comma(text: str) -> bool:
    """Return whether a cell is a number with a decimal comma, or might be one.

    >>> has_comma("1,5"), has_comma("1,500"), has_comma("1.5")
    (True, True, False)
    """
    return _COMMA.fullmatch(text) is not None


def is_grouped(text: str) -> bool:
    """Return whether a cell is a number whose thousands are separated, or might be one.

    >>> is_grouped("1,500"), is_grouped("1.234,5"), is_grouped("12 000"), is_grouped("1,5"), is_grouped("0,125")
    (True, True, True, False, False)
    """
    return _GROUPED.fullmatch(text) is not None
