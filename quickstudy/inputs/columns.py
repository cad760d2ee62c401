"""Columns of tables: whether cells are numbers or categories, or neither without doubt."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from quickstudy.errors import DataError
from quickstudy.inputs.cells import has_comma, is_grouped, number_of

_MAX_VALUES = 50


def holds_numbers(name: str, cells: Sequence[tuple[str, str]]) -> bool:
    """Return whether a column holds numbers.

    Args:
        name: Name of the column.
        cells: Name of the row and text of each cell that is not missing.

    Raises:
        DataError: Nearly all cells are numbers, but not all; or it is not clear which numbers they are.
    """
    other = [(place, text) for place, text in cells if number_of(text) is None]
    odd = [(place, text) for place, text in other if _is_word(text)]
    if 10 * len(odd) > len(cells):
        return False
    commas = [pair for pair in other if has_comma(pair[1])]
    grouped = [pair for pair in other if is_grouped(pair[1])]
    points = [text for _, text in cells if "." in text and number_of(text) is not None]
    if odd:
        place, text = odd[0]
        fault, advice = "is not a number, but nearly all others are", "correct it, or leave it empty"
    elif commas and points:
        place, text = commas[0]
        fault, advice = f"has a comma, but {points[0]!r} has a point", "write all with a decimal point"
    elif grouped and (len(grouped) == len(commas) or any(not has_comma(text) for _, text in grouped)):
        place, text = next((pair for pair in grouped if not has_comma(pair[1])), grouped[0])
        fault, advice = "may have separated thousands", "write numbers without them, with a decimal point"
    else:
        return True
    raise DataError(f"{place}: {text[:40]!r} in column {name!r} {fault}; {advice}")


def _is_word(text: str) -> bool:
    return number_of(text) is None and not has_comma(text) and not is_grouped(text)


def categories_of(name: str, values: list[str]) -> list[str]:
    """Return the different values of a column of words.

    Raises:
        DataError: They are too many, or sentences.
    """
    different = sorted(set(values))
    repeats = len(different) < 0.9 * len(values)
    if len(values) >= 4 and not repeats and sum(len(value.split()) for value in values) >= 3 * len(values):
        raise DataError(
            f"column {name!r} holds texts, not categories; name it by --text-column (in Python, give df[{name!r}]), or "
            f"leave it out"
        )
    if len(different) > _MAX_VALUES:
        raise DataError(f"column {name!r} has {len(different)} different values, too many for categories; leave it out")
    if len(different) > len(values) / 2 and sum(value[0].isdecimal() for value in values) >= len(values) / 2:
        example = next(value for value in values if _is_word(value))
        warnings.warn(
            f"column {name!r} is read as categories, because {example[:40]!r} is not a number; write numbers alone, or "
            f"leave the column out",
            stacklevel=3,
        )
    return different
