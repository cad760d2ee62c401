"""Messages for people: on stderr, apart from results, and none where quiet was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

_T = TypeVar("_T")

messages = Console(stderr=True)
"""Set ``messages.quiet`` and nothing is drawn."""


def drawn() -> bool:
    """Whether progress is drawn: on a terminal."""
    return messages.is_terminal and not messages.quiet


def shown(sequence: Iterable[_T], title: str) -> Iterable[_T]:
    """The same sequence, with a progress bar over it where one is drawn.

    >>> list(shown(range(3), "counting"))
    [0, 1, 2]
    """
    return track(sequence, title, console=messages, transient=True) if drawn() else sequence
