"""Records of results/ and tables in Markdown."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scipy import stats

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


def over_seeds(means: Sequence[float]) -> str:
    """Return the mean of trainings that differ in the seed alone, in percent, with its interval by Student's t.

    >>> over_seeds([0.95, 0.96, 0.97])
    '96.00 ± 2.48'
    """
    half = stats.t.ppf(0.975, len(means) - 1) * statistics.stdev(means) / math.sqrt(len(means))
    return f"{100 * statistics.mean(means):.2f} ± {100 * half:.2f}"


def minutes(record: dict[str, Any]) -> str:
    trainings = [record[name] for name in ("first_training", "training") if name in record]
    return f"{sum(training['seconds'] for training in trainings) / 60:.0f} min"
