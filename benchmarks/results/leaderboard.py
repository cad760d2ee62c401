"""Section of docs/results.md about every learner on equal terms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from benchmarks.results.studies import studies
from benchmarks.results.tables import over_seeds, percent, records, table
from benchmarks.results.words import listed, prose


def cell(row: dict[str, Any], n_way: int, n_shot: int, transductive: bool = False) -> dict[str, Any]:
    wanted = (n_way, n_shot, transductive)
    return next(c for c in row["cells"] if (c["n_way"], c["n_shot"], c["transductive"]) == wanted)


def leaders() -> list[dict[str, Any]]:
    """Records of benchmarks/leaderboard.py of the first seed, best first."""
    return sorted((r for r in records("leaderboard") if not r["seed"]), key=lambda r: -cell(r, 5, 1)["mean"])


CELLS = ((5, 1), (5, 5), (20, 1), (20, 5))


def leaderboard() -> str:
    found = leaders()
    tasks = f"{cell(found[0], 5, 1)['n_tasks']} tasks of 5 ways, {cell(found[0], 20, 1)['n_tasks']} of 20"
    calibrated = found[0]["calibration_error"]["n_tasks"]
    budget = max(r["minutes"] for r in found)
    short = listed(f"{r['algorithm']} got {r['minutes']:g} minutes" for r in found if r["minutes"] < budget)
    said = prose(
        "Every learner has the same conv4-64, the same tasks and the same budget. The tasks are of Omniglot's",
        f"background alphabets, with rotations as classes. The budget is {budget:g} minutes of one core on which",
        "Prototypical's step takes 0.4 s. On other cores, a learner makes as many steps as would fit there. For that,",
        "its step is timed relative to Prototypical's. Tested on the evaluation alphabets. Relation Networks alone",
        f"have their paper's net, whose embeddings are maps. Recipes: `benchmarks/leaderboard.py`. {tasks}, the same",
        f"for all. Calibration error on {calibrated} 5-way 1-shot tasks, before and after a temperature from",
        f"validation tasks. {rates(found)}",
        "What else differs from the presets was also chosen by validation classes, but not with equal care. This was",
        "the ways and queries of Siamese and Relation Networks, and the inner loops of the gradient learners but",
        "Proto-MAML. Implicit MAML got the most tries; Meta-SGD, MAML++ and Relation Networks got several. The others",
        "have their presets and may do better.",
        f"With little to learn, {short}." if short else "",
        "One seed each, but for the table below. To adapt: one 5-way 1-shot task, on that core too.",
    )
    said += prose(best_weights(found))
    figure = "![Accuracy against training time, shots and ways](leaderboard.png)\n"
    return f"{said}{standings(found)}\n{figure}\n{by_seed(found)}{picks()}\n{studies()}"


def rates(found: list[dict[str, Any]]) -> str:
    """Return where the outer rates and test steps come from: the study of each learner, or an earlier search."""
    chosen = {r["algorithm"]: r["chosen"] for r in records("studies")}
    used = {r["algorithm"]: r["training"]["settings"] for r in found if r["algorithm"] != "nearest-pixels"}
    earlier = [
        name
        for name, settings in used.items()
        if name not in chosen or any(settings[key] != value for key, value in chosen[name].items())
    ]
    said = "Outer rates and test steps come from one study of each learner, below."
    if not earlier:
        return said
    rest = [name for name in used if name not in earlier]
    most = f"all rows but {listed(rest)}" if rest else "all rows"
    which = f"those of {listed(earlier)}" if len(earlier) <= len(rest) else most
    return f"{said} Older are {which}: their rates come from a search over a few, and are in the records."


def best_weights(found: list[dict[str, Any]]) -> str:
    """Return after how many minutes the learners of plain batches were best on validation tasks."""
    best: dict[str, list[str]] = {}
    for r in found:
        training = r["training"]
        if training["settings"]["batch_size"] and training["curve"]:
            top = max(training["curve"], key=lambda point: float(point["accuracy"]))
            spent = r["minutes"] * top["step"] / training["settings"]["steps"]
            best.setdefault(f"{spent:.0f}", []).append(r["algorithm"])
    when = "; ".join(f"{listed(names)} after {spent} minutes" for spent, names in best.items())
    return (
        "The weights that answer validation tasks best are tested. Of the learners that train on plain batches, these "
        f"are {when}."
    )


def standings(found: list[dict[str, Any]]) -> str:
    rows = []
    for r in found:
        figures = [percent(cell(r, *each, kind)) for kind in (False, True) for each in CELLS]
        error = r["calibration_error"]
        believed = f"{100 * error['plain']:.1f} → {100 * error['calibrated']:.1f}"
        speed = r["training"]["speed"]
        adapted = f"{1e3 * speed * cell(r, 5, 1)['seconds_per_adaptation']:.0f} ms"
        rows.append([r["algorithm"], *figures, believed, adapted])
    names = [f"{n}-way {k}-shot" for n, k in CELLS]
    columns = ["", *names, *(f"{name}, transductive" for name in names), "calibration error", "to adapt"]
    return table(columns, rows)


def by_seed(found: list[dict[str, Any]]) -> str:
    """Return the table of learners that were trained by several seeds: what one more training would give."""
    rows, n_seeds = [], 0
    for r in found:
        alike = [each for each in records("leaderboard") if each["algorithm"] == r["algorithm"]]
        alike = [each for each in alike if each["minutes"] == r["minutes"]]
        if len(alike) < 3:
            continue
        n_seeds = len(alike)
        figures = []
        for each in CELLS:
            means = [cell(one, *each)["mean"] for one in alike]
            figures.append(f"{over_seeds(means)} (± {100 * cell(r, *each)['ci95']:.2f})")
        rows.append([r["algorithm"], *figures])
    if not rows:
        return ""
    said = "### By seed\n\n" + prose(
        f"Mean of {n_seeds} trainings that differ in the seed alone, with its 95% interval over seeds. In brackets is",
        "the interval over the tasks of one of them. Inductive.",
    )
    return f"{said}{table(['', *(f'{n}-way {k}-shot' for n, k in CELLS)], rows)}\n"


def picks() -> str:
    """For each thing that a user may want, the best learner and those that are as good within the intervals."""
    wanted: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        **{f"{n}-way {k}-shot": lambda r, n=n, k=k: cell(r, n, k) for n, k in CELLS},
        "64-way 1-shot": lambda r: next(c for c in r["ways"] if c["n_way"] == 64),
        **{
            f"{data}, {k}-shot": lambda r, data=data, k=k: next(
                c for c in r["elsewhere"] if (c["data"], c["n_shot"]) == (data, k)
            )
            for data in ("glyphs", "digits")
            for k in (1, 5)
        },
    }
    rows = []
    for name, figure in wanted.items():
        ranked = sorted(leaders(), key=lambda r: -figure(r)["mean"])
        first = figure(ranked[0])
        alike = [
            r["algorithm"]
            for r in ranked[1:]
            if first["mean"] - figure(r)["mean"] <= math.hypot(first["ci95"], figure(r)["ci95"])
        ]
        rows.append([name, f"{ranked[0]['algorithm']} {100 * first['mean']:.1f}", ", ".join(alike)])
    said = "### Which to pick\n\n" + prose(
        "The best learner for each, and those whose difference from it is within the two intervals together; trained",
        "on Omniglot, inductive. The intervals count tasks and not trainings, of which one is compared: a lead hardly",
        "larger than they are may be due to the seed.",
    )
    return f"{said}{table(['', 'best', 'as good'], rows)}"
