"""Records of results/ and tables in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"


def records(folder: str) -> list[dict[str, Any]]:
    """Return what the files of a folder of results/ hold, by name."""
    return [json.loads(path.read_text()) for path in sorted((RESULTS / folder).glob("*.json"))]


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def percent(figure: dict[str, Any]) -> str:
    interval = "" if figure["ci95"] is None else f" ± {100 * figure['ci95']:.2f}"
    return f"{100 * figure['mean']:.2f}{interval}"


def minutes(record: dict[str, Any]) -> str:
    trainings = [record[name] for name in ("first_training", "training") if name in record]
    return f"{sum(training['seconds'] for training in trainings) / 60:.0f} min"
