"""What can go wrong that a user can mend: each error is one line that says what was asked, found and to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class QuickstudyError(Exception):
    """Parent of every error that quickstudy raises on purpose; the command line prints it as one line.

    Line breaks and control characters, which names and values from files may hold, are spelled out.

    Attributes:
        exit_code: Of the command line: 2 for what was asked wrongly, 1 for what failed.

    >>> print(QuickstudyError("no class named 'a\\nb'"))
    no class named 'a\\nb'
    """

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in message))


class SettingError(QuickstudyError, ValueError):
    """A setting or argument is unknown, of the wrong type or out of range."""


class DataError(QuickstudyError, ValueError):
    """Data is missing, damaged or of the wrong shape."""


class NotEnoughClasses(DataError):
    """A task asks for more classes than there are."""


class NotEnoughExamples(DataError):
    """A class has fewer examples than a task takes from it."""


class ModelError(QuickstudyError, ValueError):
    """A model folder cannot be read or does not fit."""


class CheckpointError(QuickstudyError):
    """A checkpoint is missing or not as it was written."""

    exit_code = 1


class WorkerLost(QuickstudyError):
    """Another process of the run is gone or stands still."""

    exit_code = 1


class Interrupted(QuickstudyError):
    """A signal ended a run, which was saved."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def one_line(value: object, most: int = 200) -> str:
    """Return what an exception or another value says as one line, cut after ``most`` characters.

    An exception without words gives the name of its class.

    >>> one_line(ValueError("two\\nlines")), one_line(AssertionError()), one_line("0123456789", most=4)
    ('two lines', 'AssertionError', '0123...')
    """
    text = " ".join(str(value).split())
    if not text and isinstance(value, BaseException):
        text = type(value).__name__
    return text if len(text) <= most else f"{text[:most]}..."


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """One line that names the nearest known word.

    >>> unknown("algorithm", "mamel", ["maml", "reptile"])
    "unknown algorithm 'mamel': did you mean 'maml'? (known: maml, reptile)"
    """
    known = sorted(known)
    near = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {name!r}: {hint}(known: {', '.join(known)})"
