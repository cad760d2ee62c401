"""Part of docs/results.md: how far trainings on sinusoids differ that differ in their seed alone."""

from __future__ import annotations

import math
import statistics
from typing import Any

from scipy import stats

from benchmarks.results.tables import table
from benchmarks.results.words import prose

Record = dict[str, Any]
POINTS, STEPS = (5, 10, 20), (1, 5, 10)
REPLICATED = {5: (0.715, 0.408, 0.375), 10: (0.432, 0.174, 0.144), 20: (0.293, 0.097, 0.073)}
"""By points, after 1, 5 and 10 steps at an inner rate of 0.001: the sinusoids of Finn et al. 2017, section 5.1,
arXiv:1703.03400. The paper draws its errors as curves and prints no numbers. These are of an unpublished replication in
numpy, with exact second order, 70,000 iterations and 6,000 test tasks, of one or two seeds."""


def by_finn(found: list[Record]) -> list[Record]:
    """Return the trainings that differ in the seed alone."""
    return [r for r in found if r["name"].startswith("maml-0.001-finn")]


def as_trained(record: Record) -> list[Record]:
    """Return the rows whose tasks are like those of the training, after any number of inner steps."""
    return [c for c in record["rows"] if c["range"] == "as trained" and c["n_shot"] in POINTS]


def errors_by_cell(found: list[Record], figure: str = "mean") -> dict[tuple[int, int], list[float]]:
    """Return a figure of each training, by points and steps."""
    cells: dict[tuple[int, int], list[float]] = {(n, k): [] for n in POINTS for k in STEPS}
    for r in found:
        for c in as_trained(r):
            if c["test_steps"] in STEPS:
                cells[c["n_shot"], c["test_steps"]].append(c[figure])
    return cells


def trainings(found: list[Record]) -> str:
    """Return what one more training would give, beside the replicated figures."""
    alike = by_finn(found)
    n = len(alike)
    quantile = stats.t.ppf(0.975, n - 1)
    tasks = errors_by_cell(alike, "ci95")
    cells, ratios, lower, above = {}, [], [], []
    inside = {"a training": 0, "our mean": 0}
    for (n_shot, k), errors in errors_by_cell(alike).items():
        figure = REPLICATED[n_shot][STEPS.index(k)]
        mean, deviation = statistics.mean(errors), statistics.stdev(errors)
        of_mean, of_one = quantile * deviation / math.sqrt(n), quantile * deviation * math.sqrt(1 + 1 / n)
        cells[n_shot, k] = [f"{mean:.3f} ± {of_mean:.3f} (± {of_one:.3f})", f"{figure:.3f}"]
        ratios.append(deviation / (statistics.mean(tasks[n_shot, k]) / 1.96))
        lower.append((figure - mean) / deviation)
        above.append(sum(error > figure for error in errors))
        inside["a training"] += abs(figure - mean) <= of_one
        inside["our mean"] += abs(figure - mean) <= of_mean
    said = prose(
        f"By seed, errors deviate {min(ratios):.1f} to {max(ratios):.1f} times as much as by the tasks drawn. Each",
        f"cell is the mean of the {n} trainings by Finn's protocol at an inner rate of 0.001, with its interval. In",
        "brackets is the interval in which 19 of 20 such trainings are expected to fall. The paper (Finn et al. 2017,",
        "arXiv:1703.03400) draws its errors as curves and prints no numbers. The column beside ours is therefore what",
        f"an unpublished replication in numpy gave, of one or two seeds. Our mean lies {-max(lower):+.1f} to",
        f"{-min(lower):+.1f} standard deviations of a training beside it. Of the {len(cells)} replicated figures,",
        f"{inside['a training']} are within the interval of a training and {inside['our mean']} within that of our",
        f"mean. At least {min(above)} of the {n} seeds lies above each.",
    )
    columns = ["points", *(c for k in STEPS for c in (f"{k} steps", "replicated"))]
    return said + table(columns, ([str(n), *(c for k in STEPS for c in cells[n, k])] for n in POINTS))
