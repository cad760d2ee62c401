"""Section of docs/results.md about classes and kinds of images that were never seen."""

from __future__ import annotations

from typing import Any

from benchmarks.results.leaderboard import cell, leaders
from benchmarks.results.tables import percent, records, table
from benchmarks.results.words import prose


def generalisation() -> str:
    order = ("omniglot", "glyphs", "digits")
    found = sorted(records("generalisation"), key=lambda r: (order.index(r["trained_on"]), -cell(r, 5, 1)["mean"]))
    how = f"{found[0]['minutes']:g} minutes of its reference core; inductive, {cell(found[0], 5, 1)['n_tasks']} tasks"
    said = prose(
        "5-way accuracy on classes and kinds of images that were never seen, by the leaderboard's recipes. The outer",
        f"rates are older than those above (they are in the records). Each learner was trained for {how}, one seed. Of",
        "digits, 0 to 4 and their rotations are trained on, and then only 5 to 9 tested; else all ten are.",
        lowest([r for r in found if r["trained_on"] == "digits"]),
    )
    on_omniglot = [{"trained_on": "omniglot", **r} for r in leaders()]
    return f"{said}{elsewhere(found)}\nAfter the leaderboard's whole budget:\n\n{elsewhere(on_omniglot)}"


def lowest(found: list[dict[str, Any]]) -> str:
    """Return which learner answers the digits that it was not trained on worst."""
    worst = min(found, key=lambda r: sum(cell(r, 5, k)["mean"] for k in (1, 5)))
    one, five = (f"{100 * cell(worst, 5, k)['mean']:.1f} %" for k in (1, 5))
    return (
        f"Trained on so few classes, {worst['algorithm']} answers the other digits worst: {one} of 1-shot and {five} "
        f"of 5-shot queries, where chance is {100 / 5:g} %."
    )


def elsewhere(found: list[dict[str, Any]]) -> str:
    rows = []
    for r in found:
        tested = {(r["trained_on"], k): cell(r, 5, k) for k in (1, 5)}
        tested |= {(c["data"], c["n_shot"]): c for c in r["elsewhere"]}
        figures = [percent(tested[data, k]) for data in ("omniglot", "glyphs", "digits") for k in (1, 5)]
        rows.append([r["algorithm"], r["trained_on"], *figures])
    names = [f"{data}, {k}-shot" for data in ("Omniglot", "glyphs", "digits") for k in (1, 5)]
    return table(["", "trained on", *names], rows)
