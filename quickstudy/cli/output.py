"""Output of results: on stdout as JSON or as a table, and in files as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def print_json(value: Any) -> None:
    """Print a result as one line of JSON."""
    print(json.dumps(value))


def print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows with the same columns as a table, or as JSON."""
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(*(Column(name, overflow="fold") for name in rows[0]))  # nothing is cut off
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console = Console()
    if console.measure(table).maximum <= 1.5 * console.width:
        console.print(table)
        return
    for row in rows:  # a table would break every word
        first, *others = row.items()
        print(first[1])
        for name, value in others:
            if value != "":
                print(f"  {name}: {value}")


def write_record(record: dict[str, Any], out: Path | None) -> None:
    """Write a record as JSON to a file, if one was given."""
    if out is not None:
        from quickstudy.io.files import replace

        replace(out, (json.dumps(record, indent=2) + "\n").encode())
