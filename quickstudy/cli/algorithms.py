"""``quickstudy algorithms``."""

from __future__ import annotations

from quickstudy.cli.options import Json


def algorithms(json: Json = False) -> None:
    """The algorithms, their settings and their papers."""
    from quickstudy.cli.output import print_rows
    from quickstudy.runs.algorithms import algorithms

    rows = algorithms()
    if not json:
        rows = [row | {"settings": ", ".join(f"{k} {v}" for k, v in row["settings"].items())} for row in rows]
    print_rows(rows, json)
