"""Section of docs/results.md about sinusoids."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.results.seeds import POINTS, STEPS, as_trained, by_finn, errors_by_cell, trainings
from benchmarks.results.tables import records, table
from benchmarks.results.words import bullets, prose

Record = dict[str, Any]
FAR = 1000
"""A mean of more than so many medians is that of the tasks that diverge."""


def sinusoids() -> str:
    found = records("sinusoid")
    rows = []
    for r in found:
        for where in dict.fromkeys(row["range"] for row in r["rows"]):
            for n_shot in POINTS:
                curve = [row for row in r["rows"] if (row["range"], row["n_shot"]) == (where, n_shot)]
                cells = [next(mse(row) for row in curve if row["test_steps"] == k) for k in (0, *STEPS)]
                diverged = max(row["diverged"] for row in curve)
                tasks = str(curve[0]["n_tasks"])
                rows.append([r["name"], where, str(n_shot), *cells, f"{100 * diverged:.2f} %", tasks])
    columns = ["", "test tasks", "points", *(f"{k} steps" for k in (0, *STEPS)), "diverged", "tasks"]
    said = prose(
        "Mean squared error (median) after so many inner steps, by algorithm and inner rate. Trained on amplitudes",
        "0.1 to 5, phases 0 to pi. Finn: as in the authors' program, weights start from a normal distribution cut off",
        "at two standard deviations of 0.01, and biases at 0. A number is the seed. The other rows start as torch",
        "does.",
        starts(found),
        "Diverged: the largest share of tasks, after any number of steps up to 10, with an error above 100.",
    )
    said += divergences(found)
    figure = "![Error against inner steps](sinusoids.png)\n"
    return f"{said}{table(columns, rows)}\n{figure}\n{trainings(found)}"


def starts(found: list[Record]) -> str:
    """Return in how many cells of the table torch's start ends with a lower error than the mean of Finn's."""
    torchs, finns = (errors_by_cell(rs) for rs in ([r for r in found if r["name"] == "maml-0.001"], by_finn(found)))
    lower = sum(error < statistics.mean(finns[cell]) for cell, [error] in torchs.items())
    return (
        f"With that start, MAML at an inner rate of 0.001 errs less than the mean by Finn's in {lower} of "
        f"{len(torchs)} cells. These are of tasks as trained, after a step or more."
    )


def divergences(found: list[Record]) -> str:
    """Return a line per row as trained that holds tasks that diverge, and whether these determine the mean."""
    lines = []
    for r in found:
        for n_shot in POINTS:
            curve = [c for c in as_trained(r) if c["n_shot"] == n_shot]
            n = round(max(c["diverged"] * c["n_tasks"] for c in curve))
            alone = any(c["mean"] is None or c["mean"] > FAR * c["median"] for c in curve)
            if n:
                what = ", enough to determine the mean" * alone
                lines.append(f"{r['name']} from {n_shot} points: {n} of {curve[0]['n_tasks']:,}{what}.")
    return prose("Tasks as trained that diverge:") + bullets(lines or ["none."]) + "\n"


def mse(row: Record) -> str:
    if row["mean"] is None:
        return "infinite"
    return f"{row['mean']:.3g} ± {row['ci95']:.2g} ({row['median']:.3g})"
