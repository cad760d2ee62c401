"""Messages for people: on stderr, apart from results; quiet mode suppresses them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

_T = TypeVar("_T")

messages = Console(stderr=True)
"""Console on stderr; set ``messages.quiet`` to suppress all drawing."""


def drawn() -> bool:
    """Return whether progress is drawn, which needs a terminal and no quiet mode."""
    return messages.is_terminal and not messages.quiet


def note(text: str) -> None:
    """Print one line on stderr, unless in quiet mode.

    >>> note("about 14 h")
    """
    messages.print(f"quickstudy: {text}", highlight=False, markup=False, soft_wrap=True)


def shown(sequence: Iterable[_T], title: str) -> Iterable[_T]:
    """Return the same sequence, with a progress bar if progress is drawn.

    >>> list(shown(range(3), "counting"))
    [0, 1, 2]
    """
    return track(sequence, title, console=messages, transient=True) if drawn() else sequence
