"""Ranges of settings to search, such as ``inner_lr=1e-3..1`` and ``width=32|64``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quickstudy.errors import SettingError, unknown
from quickstudy.runs.schema import FIELDS, hints

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Choice = str | int | float
_WHOLE = (int, int | None)
_REAL = (float, float | None)


@dataclass(frozen=True)
class Range:
    """Numbers from a smallest to a largest one; whole ones for a setting that is an integer.

    A range over a factor of ten or more is searched by the logarithm.
    """

    low: float
    high: float
    whole: bool = False

    @property
    def log(self) -> bool:
        """Whether the logarithm is searched."""
        return self.low > 0 and self.high >= 10 * self.low

    def distribution(self) -> BaseDistribution:
        """Return the range in Optuna's form."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Choices:
    """Some values."""

    values: tuple[Choice, ...]

    def distribution(self) -> BaseDistribution:
        """Return the values in Optuna's form."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)


Space = dict[str, Range | Choices]


def space_of(texts: Sequence[str]) -> Space:
    """Return the space of texts such as "inner_lr=1e-3..1" and "width=32|64".

    Raises:
        SettingError: A text has another form, or names no setting.

    >>> space_of(["inner_lr=1e-3..1", "inner_steps=1..5", "net=conv4|resnet6"])["inner_steps"]
    Range(low=1.0, high=5.0, whole=True)
    """
    result: Space = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise SettingError(f"--space {text!r} is not SETTING=LOW..HIGH or SETTING=A|B; correct it")
        if name not in FIELDS:
            raise SettingError(f"--space: {unknown('setting', name, FIELDS)}")
        if name in result:
            raise SettingError(f"--space gives {name} twice; give one of them")
        bounds = ".." in values and "|" not in values and _is_number(name)
        result[name] = _range(text, name, values) if bounds else Choices(tuple(map(_value, values.split("|"))))
    if not result:
        raise SettingError("there is nothing to search; give --space SETTING=LOW..HIGH or SETTING=A|B")
    return result


def _is_number(name: str) -> bool:
    """Return whether a setting is a number, and not yes or no, a name or a path."""
    return hints()[name] in (*_WHOLE, *_REAL)


def _range(text: str, name: str, values: str) -> Range:
    try:
        low, high = map(float, values.replace("...", "?").split(".."))  # 1...5 may be meant as 1 to .5, or to 5
    except ValueError:
        raise SettingError(f"--space {text!r}: LOW..HIGH are two numbers, such as 1e-3..1; correct it") from None
    if not -float("inf") < low < high < float("inf"):
        raise SettingError(f"--space {text!r}: {low:g} is not below {high:g}; correct it")
    whole = hints()[name] in _WHOLE
    if whole and not (low.is_integer() and high.is_integer()):
        raise SettingError(f"--space {text!r}: {name} is a whole number; give whole numbers")
    return Range(low, high, whole)


def _value(text: str) -> Choice:
    text = text.strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
