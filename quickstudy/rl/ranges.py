"""Check of numbers that an argument allows."""

from __future__ import annotations

import math

from quickstudy.errors import SettingError


def check_range(least: float, most: float = math.inf, /, **numbers: float) -> None:
    """Refuse arguments below ``least`` or above ``most``.

    Raises:
        SettingError: A number is out of range, or is NaN.

    >>> check_range(0, 1, discount=1.5)
    Traceback (most recent call last):
        ...
    quickstudy.errors.SettingError: discount=1.5 is out of range: give at least 0 and at most 1
    """
    for name, number in numbers.items():
        if not least <= number <= most:
            limit = "" if most == math.inf else f" and at most {most:g}"
            raise SettingError(f"{name}={number} is out of range: give at least {least:g}{limit}")
