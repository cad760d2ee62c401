"""Section of docs/results.md about sinusoids."""

from __future__ import annotations

import math
import statistics
from typing import Any

from scipy import stats

from benchmarks.results.tables import records, table

POINTS, STEPS = (5, 10, 20), (0, 1, 5, 10)
REPLICATED = {5: (0.715, 0.408, 0.375), 10: (0.432, 0.174, 0.144), 20: (0.293, 0.097, 0.073)}
"""By points, after 1, 5 and 10 steps at an inner rate of 0.001: the paper's program replicated in numpy."""


def sinusoids() -> str:
    found = records("sinusoid")
    rows = []
    for r in found:
        for where in dict.fromkeys(row["range"] for row in r["rows"]):
            for n_shot in POINTS:
                curve = [row for row in r["rows"] if (row["range"], row["n_shot"]) == (where, n_shot)]
                cells = [next(mse(row) for row in curve if row["test_steps"] == k) for k in STEPS]
                diverged = max(row["diverged"] for row in curve)
                tasks = str(curve[0]["n_tasks"])
                rows.append([r["name"], where, str(n_shot), *cells, f"{100 * diverged:.2f} %", tasks])
    columns = ["", "test tasks", "points", *(f"{k} steps" for k in STEPS), "diverged", "tasks"]
    said = (
        "Mean squared error (median) after so many inner steps, by algorithm and inner rate. Trained on amplitudes\n"
        "0.1 to 5, phases 0 to pi. Finn: as in the authors' program, weights start from a normal distribution cut off\n"
        "at two standard deviations of 0.01, and biases at 0. A number is the seed. The other rows start as torch\n"
        "does, which learns better. Diverged: the largest share of tasks, after any number of steps up to 10, with an\n"
        "error above 100. From 5 points, two of Reptile's 2,000 tasks diverge and determine its mean.\n\n"
    )
    figure = "![Error against inner steps](sinusoids.png)\n"
    return f"{said}{table(columns, rows)}\n{figure}\n{trainings(found)}"


def trainings(found: list[dict[str, Any]]) -> str:
    """What one more training would give, by those that differ in the seed alone, beside the replicated figures."""
    alike = [r for r in found if r["name"].startswith("maml-0.001-finn")]
    n = len(alike)
    rows, lower, above = [], [], []
    for n_shot, figures in REPLICATED.items():
        row = [str(n_shot)]
        for k, figure in zip(STEPS[1:], figures, strict=True):
            wanted = ("as trained", n_shot, k)
            errors = [
                c["mean"] for r in alike for c in r["rows"] if (c["range"], c["n_shot"], c["test_steps"]) == wanted
            ]
            mean, deviation = statistics.mean(errors), statistics.stdev(errors)
            spread = stats.t.ppf(0.975, n - 1) * deviation
            halves = f"± {spread / math.sqrt(n):.3f} (± {spread * math.sqrt(1 + 1 / n):.3f})"
            row += [f"{mean:.3f} {halves}", f"{figure:.3f}"]
            lower.append((figure - mean) / deviation)
            above.append(sum(error > figure for error in errors))
        rows.append(row)
    said = (
        f"Seeds differ far more than tasks. Each cell is the mean of the {n} trainings by Finn's protocol at an\n"
        "inner rate of 0.001, with its interval. In brackets is the interval in which 19 of 20 such trainings are\n"
        "expected to fall. The column beside it is what a replication in numpy found, of one or two seeds. Ours come\n"
        f"out lower on the mean, by at most {max(lower):.1f} standard deviations of a training. Each replicated\n"
        "figure is within the interval of a training; not each is within that of our mean. At least\n"
        f"{min(above)} of the {n} seeds lies above each.\n\n"
    )
    return said + table(["points", *(c for k in STEPS[1:] for c in (f"{k} steps", "replicated"))], rows)


def mse(row: dict[str, Any]) -> str:
    if row["mean"] is None:
        return "infinite"
    return f"{row['mean']:.3g} ± {row['ci95']:.2g} ({row['median']:.3g})"
