"""Errors that a user can correct: each message is one line with what was given, what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class QuickstudyError(Exception):
    """Base class of all errors that quickstudy raises on purpose; the command line prints each as one line.

    Names and values from files may contain line breaks and control characters. These are escaped in the message.

    Attributes:
        exit_code: Exit code of the command line: 2 for a wrong request, 1 for a failure.

    Args:
        message: One line with what was given, what is wrong, and what to do.

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
    """A task needs more classes than there are."""


class NotEnoughExamples(DataError):
    """A class has fewer examples than a task needs."""


class ModelError(QuickstudyError, ValueError):
    """A model folder cannot be read, or a model does not fit its use."""


class CheckpointError(QuickstudyError):
    """A checkpoint is missing or damaged."""

    exit_code = 1


class WorkerLost(QuickstudyError):
    """Another process of the run has ended or does not respond."""

    exit_code = 1


class Interrupted(QuickstudyError):
    """A signal ended a run after it was saved."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ClassifierWarning(UserWarning):
    """Warning about a classifier, whatever it is asked."""


def one_line(value: object, most: int = 200) -> str:
    """Return an exception or another value as one line of text, cut after ``most`` characters.

    An exception without a message is returned as the name of its class.

    >>> one_line(ValueError("two\\nlines")), one_line(AssertionError()), one_line("0123456789", most=4)
    ('two lines', 'AssertionError', '0123...')
    """
    text = " ".join(str(value).split())
    if not text and isinstance(value, BaseException):
        text = type(value).__name__
    return text if len(text) <= most else f"{text[:most]}..."


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return the first names of a list, and how many more there are.

    >>> listed(["a", "b", "c"]), listed("abcde")
    ('a, b, c', 'a, b, c and 2 more')
    """
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return a one-line message for an unknown name, with the most similar known name.

    >>> unknown("algorithm", "mamel", ["maml", "reptile"])
    "unknown algorithm 'mamel': did you mean 'maml'? (known: maml, reptile)"
    """
    known = sorted(known)
    similar = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {similar[0]!r}? " if similar else ""
    return f"unknown {kind} {name!r}: {hint}(known: {', '.join(known)})"
