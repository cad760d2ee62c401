"""Sentences of docs/results.md whose figures come from records."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

WIDTH = 118


def prose(*sentences: str) -> str:
    """Return a paragraph in lines of WIDTH; empty sentences are left out."""
    return _wrapped(" ".join(" ".join(sentences).split())) + "\n\n"


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(_wrapped(f"- {line}", subsequent_indent="  ") for line in lines) + "\n"


def _wrapped(text: str, subsequent_indent: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, break_long_words=False, break_on_hyphens=False, subsequent_indent=subsequent_indent
    )


def listed(names: Iterable[str], none: str = "none") -> str:
    """Return names as "a, b and c"."""
    *rest, last = list(names) or [none]
    return f"{', '.join(rest)} and {last}" if rest else last


def cell_name(row: dict[str, Any]) -> str:
    return f"{row['n_way']}-way {row['n_shot']}-shot"


def ahead(difference: dict[str, float]) -> bool:
    """Return whether a difference task by task is above 0 with its whole interval."""
    return difference["mean"] > difference["ci95"]


def behind(difference: dict[str, float]) -> bool:
    """Return whether a difference task by task is below 0 with its whole interval."""
    return -difference["mean"] > difference["ci95"]
