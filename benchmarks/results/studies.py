"""Section of docs/results.md about the outer rates and test steps of the leaderboard."""

from __future__ import annotations

from typing import Any

from benchmarks.results.tables import records, table
from benchmarks.results.words import listed, prose

Record = dict[str, Any]


def studies() -> str:
    found = records("studies")
    first = found[0]
    said = "### Outer rates and test steps\n\n" + prose(
        "One rule for all: a study by `quickstudy tune` (`benchmarks/studies.py`), one seed, of short trainings of the",
        f"recipe. A training of {first['minutes']:g} minutes is validated {len(longest(first)['validation'])} times,",
        f"by 5-way 1-shot accuracy on {first['validation_tasks']} tasks of the validation alphabets. It continues if",
        f"it is in the best third. The rate is searched from {bounds(first, 'outer_lr')}, test steps from",
        f"{all_bounds('test_steps')}. The best of those that ended is taken; all of them are in the last column. So",
        "short a training may favour larger rates than a long one.",
        at_the_edge(found),
    )
    rows = []
    for r in found:
        ended = sorted((t for t in r["trials"] if whole(r, t)), key=lambda t: -float(t["validation"][-1]))
        others = "; ".join(f"{told(t)}: {100 * t['validation'][-1]:.1f}" for t in ended)
        rows.append([r["algorithm"], told(r["chosen"]), str(len(r["trials"])), others])
    return said + table(["", "taken: rate, steps", "trainings", "those that ended"], rows)


def told(searched: Record) -> str:
    """Return a rate and, where there are any, test steps.

    >>> told({"outer_lr": 0.00234, "test_steps": 3})
    '0.0023, 3'
    """
    rate = f"{searched['outer_lr']:.2g}"
    return f"{rate}, {searched['test_steps']}" if searched.get("test_steps") else rate


def longest(record: Record) -> Record:
    """Return the trial with the most validations."""
    trial: Record = max(record["trials"], key=lambda t: len(t["validation"]))
    return trial


def whole(record: Record, trial: Record) -> bool:
    """Return whether a trial was trained to its end."""
    return len(trial["validation"]) == len(longest(record)["validation"])


def bounds(record: Record, setting: str) -> str:
    """Return the range of a setting in words, or nothing if it was not searched."""
    texts = dict(each.split("=") for each in record["space"])
    return " to ".join(f"{float(bound):g}" for bound in texts[setting].split("..")) if setting in texts else ""


def all_bounds(setting: str) -> str:
    """Return the ranges in which a setting was searched."""
    return listed(sorted({text for r in records("studies") if (text := bounds(r, setting))}))


def at_the_edge(found: list[Record]) -> str:
    """Return whose rate lies so close to an end of its range that a better one may lie beyond."""
    near = []
    for r in found:
        low, high = map(float, dict(each.split("=") for each in r["space"])["outer_lr"].split(".."))
        if not low * 1.5 <= r["chosen"]["outer_lr"] <= high / 1.5:
            near.append(r["algorithm"])
    return f"The rate of {listed(near)} is near an end of the range, so a better one may lie beyond." if near else ""
