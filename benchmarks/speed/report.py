"""Timings as JSON, as a table and as a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.speed.measure import Row
from benchmarks.speed.work import Work
from quickstudy.errors import SettingError

MAIN_AXIS = Work()
"""Work whose time is plotted against the number of tasks."""


def figures(row: Row) -> dict[str, Any]:
    """Return one row as JSON data."""
    plain = row.timings["plain loop"].median
    return {
        "work": str(row.work),
        **vars(row.work),
        "floor_seconds": row.floor,
        "contenders": {
            name: {
                "median_seconds": t.median,
                "seconds": t.seconds,
                "times_plain_loop": plain / t.median if t.valid else None,
                "share_of_floor": row.floor / t.median if t.valid else None,
                "megabytes": t.megabytes,
                "off": t.off,
                "valid": t.valid,
            }
            for name, t in row.timings.items()
        },
    }


def table(rows: list[Row]) -> Table:
    """Return all rows as a table: how many times as fast as the plain loop each contender is."""
    table = Table(title="Times as fast as the plain loop, medians; void: other numbers")
    names = list(dict.fromkeys(name for row in rows for name in row.timings if name != "plain loop"))
    table.add_column("")
    for heading in ("plain loop", *names, "floor"):
        table.add_column(heading, justify="right")
    for row in rows:
        plain = row.timings["plain loop"].median
        cells = []
        for name in names:
            t = row.timings.get(name)
            cells.append("" if t is None else f"{plain / t.median:.2f}" if t.valid else "void")
        table.add_row(str(row.work), f"{1000 * plain:.0f} ms", *cells, f"{plain / row.floor:.2f}")
    return table


def draw(rows: list[Row], path: Path) -> None:
    """Draw the cost against the number of tasks, log-log, and every row's share of the floor."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SettingError("matplotlib is not installed; pip install 'quickstudy[plot]'") from None
    figure = Figure(figsize=(11, 4.5 + 0.25 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    axis = [row for row in rows if vars(row.work) | {"n_tasks": 0} == vars(MAIN_AXIS) | {"n_tasks": 0}]
    names = list(dict.fromkeys(name for row in rows for name in row.timings))
    for k, name in enumerate(names):
        points = sorted((r.work.n_tasks, r.timings[name].median) for r in axis if name in r.timings)
        if points:
            left.plot(*zip(*points, strict=True), marker="o", color=f"C{k}")
        bars = [(i, r.floor / r.timings[name].median) for i, r in enumerate(rows) if name in r.timings]
        height = 0.8 / len(names)
        right.barh([i + k * height for i, _ in bars], [share for _, share in bars], height, color=f"C{k}", label=name)
    left.set(xscale="log", yscale="log", xlabel="tasks per step", ylabel="seconds per step", title=str(MAIN_AXIS)[:40])
    right.legend(fontsize=7)
    right.set_yticks([i + 0.3 for i in range(len(rows))], [str(r.work) for r in rows], fontsize=7)
    right.invert_yaxis()
    right.set(xlabel="share of the matrix-product peak", title="the floor divided by the time (1 is the maximum)")
    figure.savefig(path, dpi=120)
