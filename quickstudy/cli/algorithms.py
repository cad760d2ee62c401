"""``quickstudy algorithms``."""

from __future__ import annotations

from typing import Any

from quickstudy.cli.options import Json


def algorithms(json: Json = False) -> None:
    """List the algorithms, their settings and their papers."""
    from quickstudy.cli.output import print_rows
    from quickstudy.runs.algorithms import algorithms

    rows = algorithms()
    if not json:
        rows = [_line(**row) for row in rows]
    print_rows(rows, json)


def _line(settings: dict[str, Any], arguments: dict[str, Any], **row: Any) -> dict[str, Any]:
    every = settings | {f"arguments.{name}": default for name, default in arguments.items()}
    words = ", ".join(f"{name} {default}" for name, default in every.items())
    return {"algorithm": row["algorithm"], "what": row["what"], "settings": words, "source": row["source"]}
