"""Section of docs/results.md about classes and kinds of images that were never seen."""

from __future__ import annotations

from typing import Any

from benchmarks.results.leaderboard import cell, leaders
from benchmarks.results.tables import percent, records, table
from benchmarks.results.words import prose

Record = dict[str, Any]
KINDS = ("omniglot", "glyphs", "digits", "cifar-fs", "photographs")
SHOTS = (1, 5)


def generalisation() -> str:
    found = sorted(records("generalisation"), key=lambda r: (KINDS.index(r["trained_on"]), -at(r, r["trained_on"], 1)))
    n_tasks = found[0]["rows"][0]["n_tasks"]
    said = prose(
        "5-way accuracy on classes and kinds of images that were never seen. All images are 32x32 in colour; drawings",
        "are light ink on black. Learners, outer rates and test steps are those of the leaderboard. Each was trained",
        f"for {found[0]['minutes']:g} minutes of its reference core, one seed; inductive, {n_tasks} tasks.",
        "Of digits, 0 to 4 and their rotations are trained on, and then only 5 to 9 tested; else all ten are.",
        "CIFAR-FS is read from an archive that is not the published file by its checksum. Photographs are the",
        "categories of Caltech-101 that are tested below; none was trained on.",
        lowest([r for r in found if r["trained_on"] == "digits"]),
        best("photographs", found),
    )
    tables = "\n".join(f"{k}-shot:\n\n{matrix(found, k)}" for k in SHOTS)
    return f"{said}{tables}\nThe leaderboard's learners, on grey images of 28x28:\n\n{by_leaders()}"


def figure(r: Record, kind: str, n_shot: int) -> Record:
    """Return what a record says of one kind of images."""
    row: Record = next(row for row in r["rows"] if (row["data"], row["n_shot"]) == (kind, n_shot))
    return row


def at(r: Record, kind: str, n_shot: int) -> float:
    return float(figure(r, kind, n_shot)["mean"])


def shots(r: Record, kind: str) -> str:
    """Return a record's accuracy of each number of shots, in words."""
    return " and ".join(f"{100 * at(r, kind, k):.1f} % of {k}-shot" for k in SHOTS)


def lowest(found: list[Record]) -> str:
    """Return which learner answers the digits that it was not trained on worst."""
    worst = min(found, key=lambda r: sum(at(r, "digits", k) for k in SHOTS))
    return (
        f"Trained on so few classes, {worst['algorithm']} answers the other digits worst: {shots(worst, 'digits')} "
        f"queries, where chance is {100 / 5:g} %."
    )


def best(kind: str, found: list[Record]) -> str:
    """Return which learner answers a kind of images best, and what it was trained on."""
    first = max(found, key=lambda r: sum(at(r, kind, k) for k in SHOTS))
    return f"The best on {kind} is {first['algorithm']} trained on {first['trained_on']}: {shots(first, kind)} queries."


def matrix(found: list[Record], n_shot: int) -> str:
    rows = [[r["algorithm"], r["trained_on"], *(percent(figure(r, kind, n_shot)) for kind in KINDS)] for r in found]
    return table(["", "trained on", *KINDS], rows)


def by_leaders() -> str:
    """Return how all learners of the leaderboard, trained on Omniglot, answer other drawings."""
    rows = []
    for r in leaders():
        tested = {("omniglot", k): cell(r, 5, k) for k in SHOTS}
        tested |= {(c["data"], c["n_shot"]): c for c in r["elsewhere"]}
        rows.append([r["algorithm"], *(percent(tested[kind, k]) for kind in KINDS[:3] for k in SHOTS)])
    return table(["", *(f"{kind}, {k}-shot" for kind in KINDS[:3] for k in SHOTS)], rows)
